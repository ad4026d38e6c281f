"""Find by gradient ascent an image that activates each filter of a layer strongly."""

from fercv.workflow.jobs import run

import numpy as np

from fercv.engine.setup import set_up
from fercv.nets.models import find_layer, load_model, with_precision
from fercv.visualize.filters import ascend_filters
from fercv.workflow.hashing import derive_seed
from fercv.workflow.resources import resources_of


def main(snakemake):
    """Write filters_<layer>.npz: filters, of how many, images (standardized), activations over the steps."""
    params, layer = snakemake.params, snakemake.wildcards.layer
    options, image_size = params.filters, tuple(params.image_size)
    seed = derive_seed(params.seed, snakemake.wildcards.model, layer, "ascent")
    engine = set_up(seed=seed, precision=params.precision, width=params.width, **resources_of(snakemake))
    loaded = load_model(snakemake.input[0], params.architecture, image_size=image_size)
    model = with_precision(loaded, engine.precision)
    total = find_layer(model, layer).output.shape[-1]
    filters = np.arange(min(options["count"], total))
    ascended = ascend_filters(
        model,
        layer,
        filters,
        image_shape=image_size,
        steps=options["steps"],
        step_size=options["step_size"],
        seed=seed,
        batch_size=options["batch_size"],
    )
    np.savez(
        snakemake.output[0],
        filters=filters,
        total=total,
        images=ascended.images,
        activations=ascended.activations,
    )


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
