"""Draw a contact sheet: the first training images of each class."""

from fercv.workflow.jobs import run

from fercv.data.arrays import open_images
from fercv.data.tables import SAMPLES, is_held_out, is_training, read_table
from fercv.figures.data import samples_figure
from fercv.figures.drawing import save_figure

WRONG_LABELS = (
    "About 3 of 100 labels of these built-in faces are wrong on purpose, because real data have wrong labels, too."
)


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
    parts = [(len(shown), "for training"), (is_held_out(samples).sum(), "held out")]
    parts.append(((samples["excluded"] != "").sum(), "left out"))
    rest = ", ".join(f"{count:,} {what}" for count, what in parts if count)
    note = WRONG_LABELS if snakemake.params.built_in else ""
    figure = samples_figure(rows, f"First samples of each class, {rest}", options["show_names"], note)
    save_figure(figure, *snakemake.output)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
