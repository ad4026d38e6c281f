"""Predict images without labels with all folds' models together."""

from fercv.workflow.jobs import run

import numpy as np

from fercv.data.arrays import open_images
from fercv.data.tables import NEW_IMAGE_SOURCES, read_table, write_table
from fercv.engine.setup import set_up
from fercv.nets.models import predict_with_folds
from fercv.predict.new_images import new_images_table
from fercv.workflow.hashing import derive_seed
from fercv.workflow.resources import resources_of


def main(snakemake):
    """Write new_images.csv."""
    set_up(seed=derive_seed(snakemake.wildcards.model), **resources_of(snakemake))
    sources, classes = read_table(snakemake.input.sources, NEW_IMAGE_SOURCES)["source"], snakemake.params.classes
    images = open_images(snakemake.input.images, len(sources))
    expected = (snakemake.params.architecture, len(classes), images.shape[1:])
    rows = np.arange(len(images))
    probabilities = predict_with_folds(snakemake.input.models, expected, images, rows, snakemake.params.mirrored)
    write_table(new_images_table(sources, probabilities, classes), snakemake.output[0])


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
