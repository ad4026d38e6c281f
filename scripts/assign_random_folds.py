"""Assign every training sample to a fold without regard to groups and duplicates, to measure what they are worth."""

from fercv.workflow.jobs import run

import pandas as pd

from fercv.data.folds import assign_folds
from fercv.data.tables import SAMPLES, is_training, read_table, write_table
from fercv.workflow.hashing import derive_seed


def main(snakemake):
    """Write random_folds.csv: a row for each sample that is for training. Each is a group of its own."""
    samples = read_table(snakemake.input.samples, SAMPLES, below={"label": len(snakemake.params.classes)})
    rows = samples[is_training(samples)]
    folds = assign_folds(
        rows["label"].to_numpy(),
        rows["index"].to_numpy(),
        snakemake.params.number,
        derive_seed(snakemake.params.seed, "random folds"),
        snakemake.params.classes,
    )
    table = pd.DataFrame({"index": rows["index"], "fold": folds, "group": rows["index"]})
    write_table(table, snakemake.output.folds)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
