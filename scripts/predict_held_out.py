"""Predict the rows that are not for training with all folds' models together."""

from fercv.workflow.jobs import run

import logging

import numpy as np
import pandas as pd

from fercv.data.arrays import open_images
from fercv.data.tables import HELD_OUT_PREDICTIONS, SAMPLES, is_training, read_table, write_table
from fercv.engine.setup import set_up
from fercv.nets.models import load_model, predict
from fercv.workflow.errors import InputError
from fercv.workflow.hashing import derive_seed
from fercv.workflow.resources import resources_of

log = logging.getLogger("fercv")


def main(snakemake):
    """Write held_out_predictions.csv: the folds' averaged probabilities of each row.

    `in_training` is 1 where an exact copy of the image is among the training rows: the models have seen it.
    """
    set_up(seed=derive_seed(snakemake.wildcards.model), **resources_of(snakemake))
    samples = read_table(snakemake.input.samples, SAMPLES, below={"label": len(snakemake.params.classes)})
    images = open_images(snakemake.input.images, len(samples))
    held_out = ~is_training(samples)
    if not held_out.any():
        raise InputError(
            f"data.held_out is true, but all rows of {snakemake.input.samples} are for training; set it to false"
        )
    samples["in_training"] = samples["duplicate_group"].isin(samples.loc[~held_out, "duplicate_group"]).astype(int)
    rows = samples.loc[held_out, list(HELD_OUT_PREDICTIONS)].reset_index(drop=True)
    total = np.zeros((len(rows), len(snakemake.params.classes)))
    for path in snakemake.input.models:
        model = load_model(path, snakemake.params.architecture, len(snakemake.params.classes), images.shape[1:])
        total += predict(model, images, rows["index"].to_numpy(), batch_size=256)
    mean = pd.DataFrame(total / len(snakemake.input.models), columns=snakemake.params.classes)
    for usage, part in rows.groupby("usage"):
        right = mean.loc[part.index].to_numpy().argmax(axis=1) == part["label"]
        unseen = right[part["in_training"] == 0]
        of_unseen = f"{unseen.mean():.4f} on the {len(unseen)}" if len(unseen) else "there are none"
        log.info(
            "%s: accuracy %.4f on %d rows of %s, %s without a copy in training",
            snakemake.wildcards.model, right.mean(), len(part), usage, of_unseen,
        )  # fmt: skip
    write_table(pd.concat([rows, mean], axis=1), snakemake.output.predictions)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
