"""Draw the pooled confusion matrix."""

from fercv.workflow.jobs import run

from fercv.data.tables import read_confusion_matrix
from fercv.figures.confusion import confusion_figure
from fercv.figures.drawing import save_figure


def main(snakemake):
    """Write confusion_matrix.png."""
    counts, classes = read_confusion_matrix(snakemake.input.matrix)
    figure = confusion_figure(counts, classes, f"Confusion matrix of {snakemake.wildcards.model}, all folds pooled")
    save_figure(figure, *snakemake.output)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
