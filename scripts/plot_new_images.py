"""Draw images without labels, with what the models say of them."""

from fercv.workflow.jobs import run

from fercv.data.arrays import open_images
from fercv.data.tables import NEW_IMAGES, read_table
from fercv.figures.drawing import save_figure
from fercv.figures.predict import new_images_figure

SHOWN = 48


def main(snakemake):
    """Write new_images.png."""
    table = read_table(snakemake.input.predictions, NEW_IMAGES)
    images = open_images(snakemake.input.images, len(table))
    model, folds = snakemake.wildcards.model, snakemake.params.folds
    figure = new_images_figure(images[:SHOWN], table.head(SHOWN), len(table), model, folds)
    save_figure(figure, *snakemake.output)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
