"""Compute saliency maps of validation images of each class."""

from fercv.workflow.jobs import run

import numpy as np

from fercv.data.arrays import open_images
from fercv.data.preprocessing import standardize
from fercv.data.tables import FOLDS, SAMPLES, read_table
from fercv.engine.setup import set_up
from fercv.nets.models import load_model, predict
from fercv.visualize.saliency import class_score_gradient, compute_saliency, mask_image
from fercv.workflow.errors import InputError
from fercv.workflow.hashing import derive_seed
from fercv.workflow.resources import resources_of

BATCH_SIZE = 64


def main(snakemake):
    """Write saliency.npz: index, images, labels, probabilities, heat of the predicted class, masked images."""
    set_up(seed=derive_seed(snakemake.wildcards.model), **resources_of(snakemake))
    options = snakemake.params.saliency
    samples = read_table(snakemake.input.samples, SAMPLES, below={"label": len(snakemake.params.classes)})
    folds = read_table(snakemake.input.folds, FOLDS, below={"index": len(samples)})
    validated = folds.loc[folds["fold"] == options["fold"], "index"]
    images = open_images(snakemake.input.images, len(samples))
    # FER2013 has images whose pixels are all equal. There is nothing to see in them.
    validated = validated[images[validated].std(axis=(1, 2)) > 0]
    if len(validated) == 0:
        raise InputError(
            f"saliency.fold is {options['fold']}, but every validation image of this fold is of one grey: there is "
            "nothing to see in them; choose another fold, or look at the data"
        )
    chosen = samples.loc[validated].groupby("label").head(options["per_class"]).sort_values("label", kind="stable")
    index = chosen["index"].to_numpy()

    model = load_model(
        snakemake.input.model, snakemake.params.architecture, len(snakemake.params.classes), images.shape[1:]
    )
    probabilities = predict(model, images, index, BATCH_SIZE)
    shown = images[index]
    heat = compute_saliency(class_score_gradient(model), standardize(shown), probabilities.argmax(axis=1), BATCH_SIZE)
    np.savez(
        snakemake.output[0],
        index=index,
        images=shown,
        labels=chosen["label"].to_numpy(),
        probabilities=probabilities,
        heat=heat,
        masked=np.stack([mask_image(*pair, options["threshold"]) for pair in zip(shown, heat, strict=True)]),
    )


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
