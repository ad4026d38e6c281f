"""Compare the models fold by fold."""

from fercv.workflow.jobs import run

import logging
from itertools import combinations

from fercv.data.tables import METRICS, read_table, write_table
from fercv.evaluate.intervals import compare

log = logging.getLogger("fercv")


def main(snakemake):
    """Write comparison.csv: first the measures of each model, then the paired differences of each pair of models."""
    models = snakemake.params.models
    metrics = {model: read_table(path, METRICS) for model, path in zip(models, snakemake.input.metrics, strict=True)}
    folds = dict(zip(models, snakemake.params.folds, strict=True))
    different = [f"{model} and {other}" for model, other in combinations(models, 2) if folds[model] != folds[other]]
    if different:
        log.info("not compared fold by fold, as their folds are not the same: %s", ", ".join(different))
    write_table(compare(metrics, folds=folds), snakemake.output.comparison)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
