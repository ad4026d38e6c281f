"""Assign every training sample to the fold that validates it."""

import pandas as pd

from fercv.data.folds import assign_folds
from fercv.workflow import jobs
from fercv.workflow.hashing import derive_seed


def main(snakemake):
    """Write folds.csv: a row for each sample with usage Training, or for every sample where no usage is known."""
    samples = pd.read_csv(snakemake.input.samples, keep_default_na=False)
    rows = samples[samples["usage"].isin(["Training", ""])]
    groups = rows["duplicate_group"] if snakemake.params.folds["group_duplicates"] else rows["index"]
    folds = assign_folds(
        rows["label"].to_numpy(),
        groups.to_numpy(),
        snakemake.params.folds["number"],
        derive_seed(snakemake.params.seed, "folds"),
        snakemake.params.classes,
    )
    table = pd.DataFrame({"index": rows["index"], "fold": folds})
    table.to_csv(snakemake.output.folds, index=False, lineterminator="\n")


if __name__ == "__main__":
    jobs.run(main, snakemake)  # noqa: F821
