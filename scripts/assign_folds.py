"""Assign every training sample to the fold that validates it."""

from fercv.workflow.jobs import run

import pandas as pd

from fercv.data.folds import assign_folds
from fercv.data.tables import SAMPLES, is_training, read_table, write_table
from fercv.workflow.hashing import derive_seed


def main(snakemake):
    """Write folds.csv: a row for each sample that is for training, with the fold that validates it."""
    samples = read_table(snakemake.input.samples, SAMPLES, below={"label": len(snakemake.params.classes)})
    rows = samples[is_training(samples)]
    groups = rows["duplicate_group"] if snakemake.params.folds["group_duplicates"] else rows["index"]
    folds = assign_folds(
        rows["label"].to_numpy(),
        groups.to_numpy(),
        snakemake.params.folds["number"],
        derive_seed(snakemake.params.seed, "folds"),
        snakemake.params.classes,
    )
    write_table(pd.DataFrame({"index": rows["index"], "fold": folds}), snakemake.output.folds)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
