"""Compute saliency maps of single images and of each class, and check what they say of the model."""

from fercv.workflow.jobs import run

import numpy as np

from fercv.data.arrays import open_images, read_part_masks
from fercv.data.tables import read_predictions, write_table
from fercv.engine.setup import set_up
from fercv.nets.models import load_models
from fercv.visualize.methods import METHODS
from fercv.visualize.saliency import Settings, mask_image
from fercv.visualize.saliency_study import Plan, study_folds
from fercv.workflow.errors import InputError
from fercv.workflow.hashing import derive_seed
from fercv.workflow.resources import resources_of

BATCH_SIZE = 64


def main(snakemake):
    """Write saliency.npz, see `fercv.data.arrays.SALIENCY`, and saliency_checks.csv."""
    set_up(seed=derive_seed(snakemake.wildcards.model), **resources_of(snakemake))
    options, classes = snakemake.params.saliency, snakemake.params.classes
    images = open_images(snakemake.input.images)
    predictions = [visible_rows(path, classes, images) for path in snakemake.input.predictions]
    shown = predictions[options["fold"]].groupby("label").head(options["per_class"]).sort_values("label", kind="stable")
    if shown.empty:
        raise InputError(
            f"saliency.fold is {options['fold']}, but every validation image of this fold is of one grey: there is "
            "nothing to see in them; choose another fold, or look at the data"
        )
    index = shown["index"].to_numpy()
    plan = Plan(
        index,
        shown["predicted"].to_numpy(),
        settings=Settings(
            batch_size=BATCH_SIZE,
            seed=derive_seed(snakemake.params.seed, "saliency"),
            **{name: options[name] for name in ("samples", "noise", "steps")},
        ),
        **{
            name: options[name]
            for name in ("fold", "methods", "mean_methods", "checked", "threshold", "grad_cam_layer")
        },
    )
    models = load_models(snakemake.input.models, snakemake.params.architecture, len(classes), images.shape[1:])
    truth = read_part_masks(snakemake.input.truth, len(images)) if snakemake.input.get("truth") else {}
    study = study_folds(models, predictions, images, classes, truth, plan)

    numbers = {method: number for number, method in enumerate(METHODS)}
    signed = stacked(study.maps)
    heats = stacked(study.fold_heats)
    heat = heats[:, options["fold"]]
    np.savez(
        snakemake.output.maps,
        index=index,
        images=images[index],
        labels=shown["label"].to_numpy(),
        probabilities=shown[classes].to_numpy(dtype=np.float32),
        methods=[numbers[method] for method in study.maps],
        heat=heat,
        signed=signed / np.maximum(np.abs(signed).max(axis=(2, 3), keepdims=True), np.finfo(np.float32).tiny),
        masked=np.stack([mask_image(*pair, options["threshold"]) for pair in zip(images[index], heat[0], strict=True)]),
        fold_mean=heats.mean(axis=1),
        fold_deviation=heats.std(axis=1, ddof=1),
        agreement=stacked(study.agreement),
        mean_methods=np.array([numbers[method] for method in study.means], dtype=np.int64),
        means=np.reshape([*study.means.values()], (-1, *study.mean_faces.shape)).astype(np.float32),
        mean_faces=study.mean_faces.astype(np.float32),
        mean_images=study.mean_images,
    )
    write_table(study.checks, snakemake.output.checks)


def visible_rows(path, classes, images):
    """The validation rows of a fold: index, label, predicted, then the probabilities.

    FER2013 has images whose pixels are all equal. There is nothing to see in them, so they are left out.
    """
    rows = read_predictions(path, classes, samples=len(images))
    rows.insert(2, "predicted", rows[classes].to_numpy().argmax(axis=1))
    return rows[images[rows["index"]].std(axis=(1, 2)) > 0]


def stacked(arrays):
    """The arrays of all methods as one, with the methods on its first axis."""
    return np.stack(list(arrays.values()))


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
