"""Draw each image, its saliency, and the image with only its salient pixels."""

from fercv.workflow.jobs import run

import numpy as np

from fercv.data.arrays import SALIENCY, read_arrays
from fercv.figures.drawing import save_figure
from fercv.figures.visualize import saliency_figure


def main(snakemake):
    """Write saliency.png."""
    classes = np.array(snakemake.params.classes)
    count = len(classes)
    saved = read_arrays(snakemake.input[0], SALIENCY, lengths={"k": count}, below={"labels": count})
    figure = saliency_figure(
        saved["images"],
        saved["heat"],
        saved["masked"],
        classes[saved["labels"]],
        classes[saved["probabilities"].argmax(axis=1)],
        saved["probabilities"].max(axis=1),
        snakemake.params.threshold,
        f"Saliency of {snakemake.wildcards.model}",
    )
    save_figure(figure, snakemake.output[0])


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
