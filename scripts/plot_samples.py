"""Draw a contact sheet: the first training images of each class."""

from fercv.data.arrays import open_images
from fercv.data.tables import SAMPLES, is_training, read_table
from fercv.figures.data import samples_figure
from fercv.figures.drawing import save_figure
from fercv.workflow import jobs


def main(snakemake):
    """Write samples.png."""
    options = snakemake.params.samples
    classes = snakemake.params.classes
    samples = read_table(snakemake.input.samples, SAMPLES, below={"label": len(classes)})
    images = open_images(snakemake.input.images, len(samples))
    shown = samples[is_training(samples)]
    rows = {
        name: images[shown.loc[shown["label"] == label, "index"].to_numpy()[: options["per_class"]]]
        for label, name in enumerate(classes)
    }
    title = f"First samples of each class, {len(shown):,} in all"
    figure = samples_figure(rows, title, options["show_names"])
    save_figure(figure, snakemake.output[0])


if __name__ == "__main__":
    jobs.run(main, snakemake)  # noqa: F821
