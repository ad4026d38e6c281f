"""Draw a contact sheet: the first training images of each class."""

import numpy as np
import pandas as pd

from fercv.figures.data import samples_figure
from fercv.figures.drawing import save_figure
from fercv.workflow import jobs


def main(snakemake):
    """Write samples.png."""
    settings = snakemake.params.samples
    images = np.load(snakemake.input.images, mmap_mode="r")
    samples = pd.read_csv(snakemake.input.samples, keep_default_na=False)
    shown = samples[samples["usage"].isin(["Training", ""])]
    rows = {
        name: images[shown.loc[shown["label"] == label, "index"].to_numpy()[: settings["per_class"]]]
        for label, name in enumerate(snakemake.params.classes)
    }
    title = f"First samples of each class, {len(shown):,} in all"
    figure = samples_figure(rows, title, settings["show_names"])
    save_figure(figure, snakemake.output[0])


if __name__ == "__main__":
    jobs.run(main, snakemake)  # noqa: F821
