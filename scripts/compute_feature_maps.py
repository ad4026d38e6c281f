"""Compute the output of a layer for one image."""

from fercv.workflow.jobs import run

import numpy as np

from fercv.data.arrays import open_images
from fercv.data.preprocessing import standardize
from fercv.engine.setup import set_up
from fercv.nets.models import load_model
from fercv.visualize.feature_maps import feature_maps
from fercv.workflow.errors import InputError
from fercv.workflow.hashing import derive_seed
from fercv.workflow.resources import resources_of


def main(snakemake):
    """Write feature_maps_<layer>.npz: image, maps."""
    set_up(seed=derive_seed(snakemake.wildcards.model), **resources_of(snakemake))
    images = open_images(snakemake.input.images)
    index = snakemake.params.image
    if index >= len(images):
        raise InputError(
            f"feature_maps.image is {index}, but the data has {len(images)} images; choose from 0 to {len(images) - 1}"
        )
    image = images[index]
    model = load_model(snakemake.input.model, snakemake.params.architecture, image_size=image.shape)
    maps = feature_maps(model, snakemake.wildcards.layer, standardize(image[None])[0, ..., 0])
    np.savez(snakemake.output[0], image=image, maps=maps)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
