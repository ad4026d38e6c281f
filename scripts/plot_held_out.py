"""Draw the accuracy on the held-out images beside that of the cross-validation."""

from fercv.workflow.jobs import run

from fercv.data.tables import HELD_OUT_METRICS, SUMMARY, read_table
from fercv.figures.comparison import held_out_figure
from fercv.figures.drawing import save_figure


def main(snakemake):
    """Write held_out.png."""
    summary = read_table(snakemake.input.summary, SUMMARY)
    metrics = read_table(snakemake.input.metrics, HELD_OUT_METRICS)
    title = f"{snakemake.wildcards.model}: cross-validation and held-out images"
    save_figure(held_out_figure(summary, metrics, title), *snakemake.output)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
