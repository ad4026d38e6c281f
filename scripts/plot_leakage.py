"""Draw the accuracy on grouped and on random folds, and the difference."""

from fercv.workflow.jobs import run

from fercv.data.tables import LEAKAGE, read_table
from fercv.figures.drawing import save_figure
from fercv.figures.leakage import leakage_figure


def main(snakemake):
    """Write leakage.png."""
    save_figure(leakage_figure(read_table(snakemake.input[0], LEAKAGE)), *snakemake.output)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
