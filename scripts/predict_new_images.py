"""Predict images without labels with all folds' models together."""

from fercv.workflow.jobs import run

import numpy as np

from fercv.data.arrays import open_images
from fercv.data.tables import NEW_IMAGE_SOURCES, read_table, write_table
from fercv.engine.setup import set_up
from fercv.nets.models import load_models, predict
from fercv.predict.new_images import new_images_table
from fercv.workflow.hashing import derive_seed
from fercv.workflow.resources import resources_of


def main(snakemake):
    """Write new_images.csv."""
    set_up(seed=derive_seed(snakemake.wildcards.model), **resources_of(snakemake))
    sources, classes = read_table(snakemake.input.sources, NEW_IMAGE_SOURCES)["source"], snakemake.params.classes
    images = open_images(snakemake.input.images, len(sources))
    # One after the other, so that one model is in memory at a time.
    probabilities = np.stack(
        [
            predict(model, images, np.arange(len(images)), 256, snakemake.params.mirrored)
            for model in load_models(
                snakemake.input.models, snakemake.params.architecture, len(classes), images.shape[1:]
            )
        ]
    )
    write_table(new_images_table(sources, probabilities, classes), snakemake.output[0])


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
