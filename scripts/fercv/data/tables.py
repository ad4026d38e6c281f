"""The tables that stages hand to each other: which columns each has, and the one way to write and to read them all.

Every table is a csv in UTF-8. Its lines end in a line feed on every system, so that the same table has the same bytes
everywhere. A text is read back as the text that it was, even where it looks like a number or a missing value: classes,
models and image files may be named `1`, `NA` or `null`.

The dicts below give the columns of each table and their types. In the comments, E stands for the folder
`results/<experiment>`, and M for `E/<model>`. A table may have further columns, named after classes
or measures: they hold numbers.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import pandas as pd

# E/data/samples.csv, one row per image. `index` counts from 0, as the rows of images.npy do. `usage` is one of
# `sources.USAGES`, or "" where unknown. Equal images have the same `duplicate_group`. `source` names the row or file.
SAMPLES = {"index": "int64", "label": "int64", "usage": "str", "duplicate_group": "int64", "source": "str"}
# E/data/folds.csv, one row per training sample: the fold that validates it, counted from 0.
FOLDS = {"index": "int64", "fold": "int64"}
# M/folds/<fold>/history.csv and timing.csv, one row per epoch, counted from 1.
HISTORY = {
    "epoch": "int64",
    "loss": "float64",
    "accuracy": "float64",
    "val_loss": "float64",
    "val_accuracy": "float64",
    "learning_rate": "float64",
}
TIMING = {
    "epoch": "int64",
    "seconds": "float64",
    "images_per_second": "float64",
    "validation_seconds": "float64",
}
# M/folds/<fold>/predictions.csv, one row per validation sample; then a column for each class with its probability.
PREDICTIONS = {"index": "int64", "label": "int64"}
# M/held_out_predictions.csv, one row per sample that is not for training; then the probabilities, averaged over the
# folds. `in_training` is 1 if a copy of the image is among the training samples, and 0 if not.
HELD_OUT_PREDICTIONS = {"index": "int64", "label": "int64", "usage": "str", "in_training": "int64"}
# M/metrics.csv, one row per fold: its name, such as 00; then the measures, and n, the number of samples.
METRICS = {"fold": "str", "n": "int64"}
# M/summary.csv, one row per measure.
SUMMARY = {
    "measure": "str",
    "mean": "float64",
    "standard_deviation": "float64",
    "minimum": "float64",
    "maximum": "float64",
    "low": "float64",
    "high": "float64",
}
# M/per_class.csv, one row per class.
PER_CLASS = {
    "class": "str",
    "support": "int64",
    "predicted": "int64",
    "precision": "float64",
    "recall": "float64",
    "f1": "float64",
}
# E/comparison.csv: first a row for each model and measure, where `versus` is "" and `p_value` is missing; then a row
# for each pair of models and measure, on the differences model - versus.
COMPARISON = {
    "model": "str",
    "versus": "str",
    "measure": "str",
    "mean": "float64",
    "standard_deviation": "float64",
    "low": "float64",
    "high": "float64",
    "p_value": "float64",
    "folds": "int64",
}


class Dataset(NamedTuple):
    """Labelled images.

    images: uint8 (n, height, width).
    samples: DataFrame of n rows: label (int64), usage (one of USAGES, or "" where unknown), source (text: "row 17" of a
        csv, counted from 1 without the header, or the image's path inside the folder or zip).
    """

    images: np.ndarray
    samples: pd.DataFrame


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table to a csv file, without the table's index."""
    table.to_csv(path, index=False, lineterminator="\n")


def read_table(
    source: str | Path | BinaryIO, types: Mapping[str, str], columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read a table that `write_table` wrote.

    Args:
        source: path of the csv, or a binary file object that is open for reading.
        types: the columns and their types: one of the dicts above.
        columns: the names of the columns to read, where not all are needed.

    Returns:
        The table, with the columns in the order of the file. An empty field is NaN in a column of numbers.
    """
    table = pd.read_csv(
        source,
        usecols=columns,
        dtype=defaultdict(lambda: "float64", types),
        keep_default_na=False,
        na_values=[""],
        # Without this, a carriage return in a file name would end the row.
        lineterminator="\n",
    )
    texts = [name for name in table.columns if types.get(name) == "str"]
    return table.fillna(dict.fromkeys(texts, ""))


def is_training(samples: pd.DataFrame) -> pd.Series:
    """Which rows of a table of samples are for training: those with the usage Training, or with an unknown one.

    Returns:
        bool, with the index of the table.
    """
    return samples["usage"].isin(["Training", ""])


def predictions_table(
    index: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]
) -> pd.DataFrame:
    """Make the table of predictions, see `PREDICTIONS`.

    Args:
        index: int (n,), row numbers of the samples.
        labels: int (n,), their recorded classes.
        probabilities: float (n, classes).
        classes: the names of the classes.
    """
    table = pd.DataFrame(probabilities, columns=classes)
    table.insert(0, "index", index)
    table.insert(1, "label", labels)
    return table


def confusion_matrix_table(counts: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """Make the table of a confusion matrix: one row per true class, one column per predicted class.

    Args:
        counts: int (classes, classes).
        classes: the names of the classes.

    Returns:
        true (the class's name), then a column of counts for each class.
    """
    table = pd.DataFrame(counts, columns=classes)
    table.insert(0, "true", classes)
    return table


def read_confusion_matrix(path: str | Path) -> tuple[np.ndarray, list[str]]:
    """Read M/confusion_matrix.csv.

    Returns:
        The counts, int64 (classes, classes), one row per true class and one column per predicted class; the names of
        the classes.
    """
    table = read_table(path, {"true": "str"})
    return table.drop(columns="true").to_numpy(np.int64), list(table["true"])
