"""Compare the models fold by fold."""

import pandas as pd

from fercv.evaluate.intervals import compare
from fercv.workflow import jobs


def main(snakemake):
    """Write comparison.csv: each model's measures, then the paired differences of each two models."""
    tables = zip(snakemake.params.models, map(pd.read_csv, snakemake.input.metrics), strict=True)
    compare(dict(tables)).to_csv(snakemake.output.comparison, index=False, lineterminator="\n")


if __name__ == "__main__":
    jobs.run(main, snakemake)  # noqa: F821
