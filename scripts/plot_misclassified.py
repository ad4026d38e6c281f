"""Draw the most confident mistakes of each class."""

from fercv.workflow.jobs import run

from fercv.data.arrays import open_images
from fercv.data.tables import MISCLASSIFIED, read_table
from fercv.figures.drawing import save_figure
from fercv.figures.mistakes import Mistakes, misclassified_figure

PER_CLASS = 8


def main(snakemake):
    """Write misclassified.png."""
    images = open_images(snakemake.input.images)
    below = {"index": len(images)}
    table = read_table(snakemake.input.misclassified, MISCLASSIFIED, below=below, may_be_empty=True)
    rows = {}
    for name in snakemake.params.classes:
        mistakes = table[table["true"] == name]
        worst = mistakes.head(PER_CLASS)
        shown = images[worst["index"].to_numpy()]
        rows[name] = Mistakes(shown, list(worst["predicted"]), list(worst["probability"]), len(mistakes))
    title = f"Most confident mistakes of {snakemake.wildcards.model}, by true class"
    save_figure(misclassified_figure(rows, title, PER_CLASS), *snakemake.output)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
