"""Predict the rows that are not for training with all folds' models together."""

from fercv.workflow.jobs import run

import numpy as np
import pandas as pd

from fercv.data.arrays import open_images
from fercv.data.tables import HELD_OUT_PREDICTIONS, SAMPLES, is_held_out, is_training, read_table, write_table
from fercv.engine.setup import set_up
from fercv.nets.models import predict_with_folds
from fercv.workflow.errors import InputError
from fercv.workflow.hashing import derive_seed
from fercv.workflow.resources import resources_of


def main(snakemake):
    """Write held_out_predictions.csv, the folds' averaged probabilities of each row, and held_out_probabilities.npy.

    `in_training` is 1 where an exact copy of the image is among the training rows: the models have seen it.
    """
    set_up(seed=derive_seed(snakemake.wildcards.model), **resources_of(snakemake))
    samples = read_table(snakemake.input.samples, SAMPLES, below={"label": len(snakemake.params.classes)})
    images = open_images(snakemake.input.images, len(samples))
    held_out = is_held_out(samples)
    if not held_out.any():
        raise InputError(
            f"data.held_out is true, but {snakemake.input.samples} has no row for it: all are for training or left "
            "out; set it to false"
        )
    trained = samples.loc[is_training(samples), "duplicate_group"]
    samples["in_training"] = samples["duplicate_group"].isin(trained).astype(int)
    rows = samples.loc[held_out, list(HELD_OUT_PREDICTIONS)].reset_index(drop=True)
    expected = (snakemake.params.architecture, len(snakemake.params.classes), images.shape[1:])
    index, mirrored = rows["index"].to_numpy(), snakemake.params.mirrored
    of_folds = predict_with_folds(snakemake.input.models, expected, images, index, mirrored)
    mean = pd.DataFrame(of_folds.mean(axis=0, dtype=np.float64), columns=snakemake.params.classes)
    np.save(snakemake.output.probabilities, of_folds)
    write_table(pd.concat([rows, mean], axis=1), snakemake.output.predictions)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
