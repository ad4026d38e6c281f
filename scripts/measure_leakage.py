"""Measure how much better models look on random folds, in which copies of validation images are trained on."""

from fercv.workflow.jobs import run

import logging

import numpy as np
import pandas as pd

from fercv.data.tables import GROUPS, SAMPLES, is_training, read_predictions, read_table, refuse_file, write_table
from fercv.evaluate.leakage import measure_leakage

log = logging.getLogger("fercv")


def main(snakemake):
    """Write leakage.csv."""
    classes, pairs = snakemake.params.classes, snakemake.params.pairs
    samples = read_table(snakemake.input.samples, SAMPLES, below={"label": len(classes)})
    groups = read_table(snakemake.input.groups, GROUPS)["group"].to_numpy()
    rows = np.flatnonzero(is_training(samples))
    models, right, files = snakemake.params.models, {}, snakemake.input.predictions
    number = len(files) // len(models)
    for place, model in enumerate(models):
        of_model = files[place * number : (place + 1) * number]
        tables = [read_predictions(path, classes, samples=len(samples)) for path in of_model]
        predictions = pd.concat(tables).sort_values("index")
        if predictions["index"].tolist() != rows.tolist():
            refuse_file(of_model[0], "with those of the other folds, it has not each training image once")
        right[model] = predictions[list(classes)].to_numpy().argmax(axis=1) == predictions["label"].to_numpy()
    copies = samples["duplicate_group"].to_numpy()[rows]
    has_copy = np.bincount(copies)[copies] > 1
    table = measure_leakage(right, pairs, has_copy, groups[rows], snakemake.params.seed)
    write_table(table, snakemake.output.leakage)
    for model, other in pairs:
        of_pair = table[(table["model"] == model) & (table["random_model"] == other) & (table["images"] == "all")]
        value, low, high = of_pair.set_index("assignment").loc["difference", ["value", "low", "high"]]
        log.info("%s minus %s: accuracy %+.4f (95 %% interval %+.4f to %+.4f)", other, model, value, low, high)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
