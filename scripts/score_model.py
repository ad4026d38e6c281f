"""Score a model: on each fold, over the folds, and on the predictions of all folds together."""

from fercv.workflow.jobs import run

import hashlib
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from fercv.data.tables import GROUPS, read_confusion_matrix, read_predictions, read_record, read_table, write_table
from fercv.evaluate.intervals import summarize
from fercv.evaluate.measures import chance_over_folds, describe_weakness, fold_measures, per_class
from fercv.evaluate.pooled import group_numbers, group_sums, score_pooled
from fercv.workflow.hashing import derive_seed

log = logging.getLogger("fercv")


def main(snakemake):
    """Write metrics.csv, summary.csv, pooled_metrics.csv, per_class.csv and calibration.csv."""
    classes, rows, supports, folds_of, sums = snakemake.params.classes, [], [], {}, 0
    numbers = group_numbers(read_table(snakemake.input.groups, GROUPS)["group"].to_numpy())
    files = zip(snakemake.params.folds, snakemake.input.predictions, snakemake.input.metrics, strict=True)
    for fold, predictions_path, metrics_path in files:
        # The file is read once, so the bytes that are scored are those whose digest is compared.
        content = Path(predictions_path).read_bytes()
        predictions = read_predictions(predictions_path, classes, samples=len(numbers), content=content)
        measures = fold_measures(predictions, classes)
        sums = sums + group_sums(predictions, numbers, classes)
        recorded = read_record(metrics_path)
        if hashlib.sha256(content).hexdigest() != recorded["predictions_sha256"]:
            log.warning(
                "%s is not the file that its fold wrote: %s recorded another digest; if nobody meant to change it, "
                "delete it to have the fold trained again",
                predictions_path, metrics_path,
            )  # fmt: skip
        software = ", ".join(f"{name} {version}" for name, version in recorded["software"].items())
        software += f" in {recorded['precision']}"
        folds_of.setdefault(software, []).append(fold)
        rows.append({"fold": fold} | measures)
        supports.append(np.bincount(predictions["label"], minlength=len(classes)))
    if len(folds_of) > 1:
        log.warning(
            "%s: the folds were not all trained with the same software and precision (%s); "
            "`--forcerun train_fold` trains all again",
            snakemake.wildcards.model,
            "; ".join(f"{software}: folds {', '.join(folds)}" for software, folds in folds_of.items()),
        )
    metrics = pd.DataFrame(rows)
    write_table(metrics, snakemake.output.metrics)
    counts, _ = read_confusion_matrix(snakemake.input.matrix)
    summary = summarize(metrics, chance_over_folds(np.array(supports)))
    write_table(summary, snakemake.output.summary)
    weakness = describe_weakness(counts, classes, summary.set_index("measure").loc["accuracy"])
    if weakness:
        log.warning(
            "%s: %s; try more epochs, another rate or smaller batches in its definition or scale, or more images",
            snakemake.wildcards.model, weakness,
        )  # fmt: skip
    pooled, intervals, calibration = score_pooled(sums, classes, derive_seed(snakemake.params.seed, "pooled"))
    write_table(pooled, snakemake.output.pooled)
    write_table(per_class(counts, classes).join(intervals), snakemake.output.per_class)
    write_table(calibration, snakemake.output.calibration)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
