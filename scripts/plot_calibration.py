"""Draw the reliability diagram: how often a model is right with each confidence."""

from fercv.workflow.jobs import run

from fercv.data.tables import CALIBRATION, POOLED_METRICS, read_table
from fercv.figures.calibration import calibration_figure
from fercv.figures.drawing import save_figure


def main(snakemake):
    """Write calibration.png."""
    bins = read_table(snakemake.input.calibration, CALIBRATION)
    error = read_table(snakemake.input.pooled, POOLED_METRICS).set_index("measure").loc["calibration_error"]
    title = f"Calibration of {snakemake.wildcards.model}"
    save_figure(calibration_figure(bins, error, title), *snakemake.output)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
