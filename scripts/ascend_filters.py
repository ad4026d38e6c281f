"""Find by gradient ascent an image that drives each filter of a layer."""

import logging

import numpy as np

from fercv import backend, jobs
from fercv.ascent import ascend_filters
from fercv.hashing import derive_seed
from fercv.models import computing_in, find_layer, load_model

log = logging.getLogger("fercv")


def main(snakemake):
    """Write filters_<layer>.npz: filters, images (standardized), activations over the steps."""
    settings, layer = snakemake.params.filters, snakemake.wildcards.layer
    seed = derive_seed(snakemake.params.seed, snakemake.wildcards.model, layer, "ascent")
    backend.take_gpu(jobs.job_name(snakemake), jobs.jobs_per_gpu(snakemake))
    backend.configure(snakemake.threads, seed)
    precision, reason = backend.choose_precision(snakemake.params.precision, snakemake.params.width)
    log.info("ascends in %s, %s", precision, reason)
    loaded = load_model(
        snakemake.input[0], snakemake.params.architecture, image_size=tuple(snakemake.params.image_size)
    )
    model = computing_in(precision, loaded)
    filters = np.arange(min(settings["count"], find_layer(model, layer).output.shape[-1]))
    ascended = ascend_filters(
        model,
        layer,
        filters,
        image_shape=tuple(snakemake.params.image_size),
        steps=settings["steps"],
        step_size=settings["step_size"],
        seed=seed,
        batch_size=settings["batch_size"],
    )
    np.savez(snakemake.output[0], filters=filters, images=ascended.images, activations=ascended.activations)


if __name__ == "__main__":
    jobs.run(main, snakemake)  # noqa: F821
