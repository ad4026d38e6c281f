"""The tables that stages hand to each other: which columns each has, and the one way to write and to read them all.

Every table is a csv in UTF-8. Its lines end in a line feed on every system, so that the same table has the same bytes
everywhere. A text is read back as the text that it was, even where it looks like a number or a missing value: classes,
models and image files may be named `1`, `NA` or `null`.

The dicts below give the columns of each table and what their values are. Who reads a table gets these columns and
values, or an InputError that names the file, the row and the column. In the comments, E stands for the folder
`results/<experiment>`, and M for `E/<model>`. A table may have further columns, named after classes or measures: they
hold numbers.
"""

import io
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
import pandas as pd

from fercv.data.sources import USAGES
from fercv.workflow import messages
from fercv.workflow.errors import InputError


class Kind(NamedTuple):
    """What the values of a column, or of an array, are.

    dtype: int64, float64 or str.
    lowest, highest: the range of numbers, both ends included. Numbers are finite.
    missing: whether a field may be empty; a number is then NaN.
    unique: whether no value may stand twice.
    counted: whether each value is one more than the value before, and the first one `lowest`.
    choices: all texts that may stand there; without choices, every text may.
    """

    dtype: str
    lowest: float = -math.inf
    highest: float = math.inf
    missing: bool = False
    unique: bool = False
    counted: bool = False
    choices: Sequence[str] = ()

    def __str__(self):
        """Describe what is expected, for a message."""
        if self.choices:
            return f"one of {messages.names(map(repr, self.choices))}"
        if self.dtype == "str":
            return "a text"
        text = "a whole number" if self.dtype == "int64" else "a number"
        text += f" from {self.lowest:g}" if self.lowest > -math.inf else ""
        return text + (f" to {self.highest:g}" if self.highest < LARGEST else "")

    def wrong(self, values: np.ndarray) -> np.ndarray:
        """Which values are not of this kind: bool, with the shape of the values. They are numbers, or texts."""
        if self.dtype == "str":
            return ~np.isin(values, self.choices) if self.choices else np.zeros(len(values), bool)
        with np.errstate(invalid="ignore"):
            wrong = ~np.isfinite(values) | (values < self.lowest) | (values > self.highest)
            return wrong | (values % 1 != 0) if self.dtype == "int64" else wrong


# Up to here, a float64 holds every whole number.
LARGEST = 2.0**53
TEXT = Kind("str")
NAME = Kind("str", unique=True)
COUNT = Kind("int64", 0, LARGEST)
INDEX = COUNT._replace(unique=True)
ROW = COUNT._replace(counted=True)
EPOCH = Kind("int64", 1, LARGEST, counted=True)
SHARE = Kind("float64", 0, 1)
SHARE_IF_KNOWN = SHARE._replace(missing=True)
AMOUNT = Kind("float64", 0)
NUMBER = Kind("float64", missing=True)
# Nats. `fercv.evaluate.measures.log_loss` counts a probability as at least 1.2e-7, which costs 15.9. It is missing if
# a probability was no number.
LOG_LOSS = Kind("float64", 0, 16, missing=True)

# E/data/samples.csv, one row per image. `index` counts from 0, as the rows of images.npy do. `usage` is one of USAGES,
# or "" where unknown. Equal images have the same `duplicate_group`. `source` names the row or file of the image.
# `excluded` says why a sample is left out, see `fercv.data.left_out`, and is "" for one that is used.
SAMPLES = {
    "index": ROW,
    "label": COUNT,
    "usage": Kind("str", choices=("", *USAGES)),
    "duplicate_group": COUNT,
    "source": TEXT,
    "excluded": Kind("str", choices=("", "blank", "held_out_twin")),
}
# E/data/folds.csv and random_folds.csv, one row per training sample: the fold that validates it, counted from 0, and
# its group, the index of the first training sample with which it stays together.
FOLDS = {"index": INDEX, "fold": COUNT, "group": COUNT}
# E/data/groups.csv, one row per image: its group, which is drawn as a whole when an interval is computed, named by the
# index of its first image, see `fercv.data.folds.independent_groups`.
GROUPS = {"index": ROW, "group": COUNT}
# E/data/audit.csv, one row per finding, see `fercv.data.audit`. `samples` is the number of images, of
# `near_duplicate_pairs` that of pairs. `distance` is a number of bits, and is missing where exact copies are meant.
# `labels`, `usages`, `folds` and `sources` have an entry for each of `indices`, with " | " between two.
AUDIT = {
    "kind": Kind(
        "str",
        choices=(
            "class_count", "left_out", "leak_of_random_folds", "leak_of_folds", "leak_of_held_out",
            "near_duplicate_pairs", "exact_duplicates", "conflicting_labels", "twins_across_usages",
            "twins_across_folds", "near_duplicates", "blank_image",
        ),
    ),
    "samples": COUNT,
    "share": SHARE._replace(missing=True),
    "distance": Kind("float64", 0, missing=True),
    "labels": TEXT,
    "usages": TEXT,
    "folds": TEXT,
    "indices": TEXT,
    "finding": TEXT,
    "sources": TEXT,
}  # fmt: skip
# M/folds/<fold>/history.csv and timing.csv, one row per epoch, counted from 1. `kept` is 1 for the epoch whose weights
# the model has, and 0 for the others.
HISTORY = {
    "epoch": EPOCH,
    "loss": AMOUNT,
    "accuracy": SHARE,
    "clean_loss": LOG_LOSS,
    "clean_accuracy": SHARE,
    "val_loss": LOG_LOSS,
    "val_accuracy": SHARE,
    "learning_rate": AMOUNT,
    "kept": Kind("int64", 0, 1),
}
# M/final/history.csv: the final model is trained on all training rows, so there are none to validate it on.
FINAL_HISTORY = {name: kind for name, kind in HISTORY.items() if not name.startswith("val_")}
TIMING = {"epoch": EPOCH, "seconds": AMOUNT, "images_per_second": AMOUNT, "validation_seconds": AMOUNT}
# M/folds/<fold>/predictions.csv, one row per validation sample; then a column for each class with its probability.
PREDICTIONS = {"index": INDEX, "label": COUNT}
# M/held_out_predictions.csv, one row per sample that is not for training; then the probabilities, averaged over the
# folds. `in_training` is 1 if a copy of the image is among the training samples, and 0 if not.
HELD_OUT_PREDICTIONS = {
    "index": INDEX,
    "label": COUNT,
    "usage": Kind("str", choices=USAGES[1:]),
    "in_training": Kind("int64", 0, 1),
}
# M/held_out_metrics.csv, one row for each usage, each kind of images and of predictions, and each measure. `images` is
# all, or without_copies, where some have a copy among the training samples. `predictions` are those of single models,
# each of one fold, and `value` is the mean over the folds then; those of the ensemble, which averages the
# probabilities; or the difference ensemble - single. `standard_deviation`, `minimum` and `maximum` are over the folds,
# and stand with single models. `rows` counts the images, `groups` the groups over which the interval is drawn.
HELD_OUT_METRICS = {
    "usage": Kind("str", choices=USAGES[1:]),
    "images": Kind("str", choices=("all", "without_copies")),
    "predictions": Kind("str", choices=("single", "ensemble", "difference")),
    "measure": TEXT,
    "value": Kind("float64"),
    "low": NUMBER,
    "high": NUMBER,
    "standard_deviation": NUMBER,
    "minimum": NUMBER,
    "maximum": NUMBER,
    "folds": COUNT,
    "rows": COUNT,
    "groups": COUNT,
}
# M/misclassified.csv, one row per validation sample whose predicted class is not the recorded one, the most confident
# mistake first. `true` and `predicted` are names of classes, `probability` is that of the predicted class, and `fold`
# the name of the fold whose model predicted it. It may have no rows.
MISCLASSIFIED = {
    "index": INDEX,
    "source": TEXT,
    "true": TEXT,
    "predicted": TEXT,
    "probability": SHARE,
    "fold": TEXT,
}
# M/label_issues.csv, one row per validation sample whose label is probably wrong, the most suspicious one first.
# `sample` is the source of samples.csv; `given` and `suggested` are names of classes, and the probabilities are those
# of these classes. It may have no rows.
LABEL_ISSUES = {
    "index": INDEX,
    "sample": TEXT,
    "given": TEXT,
    "suggested": TEXT,
    "given_probability": SHARE,
    "suggested_probability": SHARE,
}
# E/label_issues.csv, one row per sample that is in the M/label_issues.csv of at least one model, the most suspicious
# one first. `suggested` is what most of these models suggest, `votes` is their number, and `quality` is the mean of the
# given class's probability over all models, weighted. Then a column suggested_by_<model> for each model: the class that
# it suggests, or "". It may have no rows.
LABEL_RANKING = {
    "index": INDEX,
    "sample": TEXT,
    "given": TEXT,
    "suggested": TEXT,
    "votes": COUNT,
    "quality": SHARE,
}
# M/metrics.csv, one row per fold: its name, such as 00; then the measures, and n, the number of samples.
METRICS = {
    "fold": NAME,
    "accuracy": SHARE,
    "balanced_accuracy": SHARE,
    "macro_f1": SHARE,
    "log_loss": LOG_LOSS,
    "n": COUNT,
}
# M/summary.csv, one row per measure. `chance` is what the measure is without looking at the images, where it is known.
SUMMARY = {
    "measure": NAME,
    "mean": NUMBER,
    "standard_deviation": NUMBER,
    "minimum": NUMBER,
    "maximum": NUMBER,
    "low": NUMBER,
    "high": NUMBER,
    "chance": NUMBER,
}
# M/pooled_metrics.csv, one row per measure of the predictions of all folds together. `rows` counts the images, `groups`
# the groups over which the interval is drawn. `chance` is what the measure is without looking at the images; for the
# calibration error, what chance alone makes of it.
POOLED_METRICS = {
    "measure": NAME,
    "value": NUMBER,
    "low": NUMBER,
    "high": NUMBER,
    "chance": NUMBER,
    "rows": COUNT,
    "groups": COUNT,
}
# M/per_class.csv, one row per class, on the predictions of all folds together.
PER_CLASS = {
    "class": NAME,
    "support": COUNT,
    "predicted": COUNT,
    "precision": SHARE_IF_KNOWN,
    "recall": SHARE_IF_KNOWN,
    "f1": SHARE_IF_KNOWN,
    "precision_low": SHARE_IF_KNOWN,
    "precision_high": SHARE_IF_KNOWN,
    "recall_low": SHARE_IF_KNOWN,
    "recall_high": SHARE_IF_KNOWN,
    "f1_low": SHARE_IF_KNOWN,
    "f1_high": SHARE_IF_KNOWN,
}
# M/calibration.csv, one row for each bin of confidences, those above `from` up to and including `to`: the number of
# images, their mean confidence, the share of them whose predicted class is right, and its interval.
CALIBRATION = {
    "from": SHARE,
    "to": SHARE,
    "images": COUNT,
    "confidence": SHARE_IF_KNOWN,
    "accuracy": SHARE_IF_KNOWN,
    "low": SHARE_IF_KNOWN,
    "high": SHARE_IF_KNOWN,
}
# E/comparison.csv: first a row for each model and measure, where `versus` is "" and the p-values are missing; then a
# row for each pair of models and measure, on the differences model - versus. `p_adjusted` is adjusted for all of these.
COMPARISON = {
    "model": TEXT,
    "versus": TEXT,
    "measure": TEXT,
    "mean": NUMBER,
    "standard_deviation": NUMBER,
    "low": NUMBER,
    "high": NUMBER,
    "p_value": SHARE_IF_KNOWN,
    "p_adjusted": SHARE_IF_KNOWN,
    "folds": COUNT,
}
# E/factors.csv, one row for each model and measure: accuracies after the epoch whose weights were kept. Then a column
# for each factor, with the model's setting as JSON.
FACTORS = {
    "model": TEXT,
    "measure": TEXT,
    "mean": NUMBER,
    "standard_deviation": NUMBER,
    "low": NUMBER,
    "high": NUMBER,
    "folds": COUNT,
}
# E/factor_effects.csv, one row for each architecture, factor of two levels, and measure, then one for each interaction
# of two such factors, whose `before` and `after` are empty. `pairs` counts the pairs of models that differ in
# the (first) factor alone. `p_adjusted` is adjusted for all rows. It may have no rows.
FACTOR_EFFECTS = {
    "architecture": TEXT,
    "factor": TEXT,
    "before": TEXT,
    "after": TEXT,
    "measure": TEXT,
    "mean": NUMBER,
    "standard_deviation": NUMBER,
    "low": NUMBER,
    "high": NUMBER,
    "p_value": SHARE_IF_KNOWN,
    "p_adjusted": SHARE_IF_KNOWN,
    "pairs": COUNT,
    "folds": COUNT,
}
# E/new_images/images.csv, one row per image without a label: the row of a csv, or the image's path.
NEW_IMAGE_SOURCES = {"source": TEXT}
# M/new_images.csv, one row for each of these; then a column for each class, with the mean probability over the folds.
NEW_IMAGES = {
    "source": TEXT,
    "predicted": TEXT,
    "confidence": SHARE,
    "spread": Kind("float64", 0, 1),
    "agreement": SHARE,
}
# E/leakage.csv, one row for each pair of models that differ in nothing but their folds, each kind of images and each
# assignment of the folds. `value` is the accuracy on grouped or on random folds, or the difference random - grouped.
# `images` is all, with_copies (those that have an exact copy among the other images), or without_copies. `rows` counts
# the images, `groups` the groups over which the interval is drawn.
LEAKAGE = {
    "model": TEXT,
    "random_model": TEXT,
    "images": Kind("str", choices=("all", "with_copies", "without_copies")),
    "assignment": Kind("str", choices=("grouped", "random", "difference")),
    "value": Kind("float64", -1, 1),
    "low": NUMBER,
    "high": NUMBER,
    "rows": COUNT,
    "groups": COUNT,
}
# M/filter_checks.csv, for each layer and each of its filters a row for each method and start of the ascent, then one
# for the real image that excites the filter most. The other filter is the one of another fold's model that does the
# most similar thing; for classes, that of the same class.
FILTER_CHECKS = {
    "layer": TEXT,
    "filter": COUNT,
    "method": Kind("str", choices=("plain", "robust", "real")),
    "start": Kind("str", choices=("noise", "grey", "mean_face", "")),
    "activation": Kind("float64"),
    "percentile": Kind("float64", 0, 100),
    "deviations": Kind("float64"),
    "other_filter": COUNT,
    "match": Kind("float64", -1, 1),
    "other_percentile": Kind("float64", 0, 100),
    "other_deviations": Kind("float64"),
    "high_frequency": SHARE,
    "mean_face": Kind("float64", -1, 1),
}
# M/feature_map_checks.csv, for each layer, each of its maps, and weights as trained or drawn at random, a row. It says
# how well the map tells a part of the face from the rest, as area under the ROC curve. These are missing where the
# parts are not known. The layer `image`, with the weights `none`, is the brightness of the images themselves.
FEATURE_MAP_CHECKS = {
    "layer": TEXT,
    "weights": Kind("str", choices=("trained", "random", "none")),
    "channel": COUNT,
    "standard_deviation": AMOUNT,
    "brows": SHARE_IF_KNOWN,
    "eyes": SHARE_IF_KNOWN,
    "mouth": SHARE_IF_KNOWN,
}
# M/saliency_checks.csv, one row for each method or reference, check, measure and place, see
# `fercv.visualize.saliency_checks`: the mean over some images, and its interval. `place` is a layer, a share of the
# pixels, a part of the face or a class, or "".
SALIENCY_CHECKS = {
    "method": TEXT,
    "check": Kind(
        "str", choices=("randomization", "deletion", "insertion", "masking", "parts", "parts_by_class", "folds")
    ),
    "measure": TEXT,
    "place": TEXT,
    "value": NUMBER,
    "low": NUMBER,
    "high": NUMBER,
    "images": COUNT,
}
# What score_model reads of M/folds/<fold>/metrics.json, and its types.
RECORD = {"software": dict, "precision": str, "predictions_sha256": str}
# What the model card takes from M/final/training.json.
FINAL_RECORD = {
    "epochs": int,
    "training_rows": int,
    "rows_of_classes": dict,
    "early_stopping_rows": int,
    "software": dict,
    "precision": str,
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
    path: str | Path,
    kinds: Mapping[str, Kind],
    *,
    others: Kind = NUMBER,
    below: Mapping[str, int] | None = None,
    may_be_empty: bool = False,
    content: bytes | None = None,
) -> pd.DataFrame:
    """Read a table that `write_table` wrote, and check it.

    Args:
        path: the csv.
        kinds: the columns and what their values are: one of the dicts above.
        others: what the values of all other columns are.
        below: for a column of whole numbers, a number that they must be below, such as the number of classes.
        may_be_empty: whether the table may have no rows.
        content: the file's bytes, where they have been read already.

    Returns:
        The table, with the columns in the order of the file. An empty field is NaN in a column of numbers.

    Raises:
        InputError: the file is not such a table, lacks a column, or holds a value that is not of its kind.
    """
    content = Path(path).read_bytes() if content is None else content
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table = pd.read_csv(
                io.BytesIO(content),
                dtype="str",
                index_col=False,
                keep_default_na=False,
                # Without this, a carriage return in a file name would end the row.
                lineterminator="\n",
            )
    except (ValueError, pd.errors.ParserWarning) as error:
        refuse_file(path, f"is no table with the columns {messages.names(kinds)} ({str(error).strip()})")
    for name in kinds:
        if name not in table:
            found = messages.names(table.columns)
            refuse_file(path, f"lacks the column {name}{messages.did_you_mean(name, table.columns)}; found {found}")
    if table.empty and not may_be_empty:
        refuse_file(path, "has no rows")
    for name in table:
        kind = kinds.get(name, others)
        if name in (below or {}):
            kind = kind._replace(highest=below[name] - 1)
        table[name] = _values_of(path, table[name], kind)
    return table


def read_history(path: str | Path) -> pd.DataFrame:
    """Read a fold's history.csv and check it, see `read_table`.

    Raises:
        InputError: it is no such table, or not exactly one of its epochs was kept.
    """
    history = read_table(path, HISTORY)
    kept = int((history["kept"] == 1).sum())
    if kept != 1:
        refuse_file(path, f"has {kept} rows whose kept is 1, expected one row")
    return history


def _values_of(path: str | Path, column: pd.Series, kind: Kind) -> pd.Series:
    """The values of a column that was read as text. It refuses a value that is not of the kind."""
    values = column if kind.dtype == "str" else pd.to_numeric(column, errors="coerce").astype("float64")
    allowed = (column == "").to_numpy() & kind.missing
    _refuse_value(path, column, kind.wrong(values.to_numpy()) & ~allowed, f"expected {kind}")
    if kind.unique:
        _refuse_value(path, column, values.duplicated().to_numpy(), "which stands in a row before, too")
    if kind.counted:
        counted = np.arange(len(values)) + kind.lowest
        _refuse_value(path, column, (values != counted).to_numpy(), f"expected {kind.lowest:g}, and one more each row")
    return values.astype(kind.dtype)


def _refuse_value(path: str | Path, column: pd.Series, wrong: np.ndarray, text: str) -> None:
    """Refuse the first wrong value of a column, if there is one. Rows are counted from 1, without the header."""
    if wrong.any():
        row = int(wrong.argmax())
        found = messages.shown(column.iloc[row])
        refuse_file(path, f"row {row + 1}: {messages.legible(column.name)} is {found}, {text}")


def refuse_file(path: str | Path, text: str) -> NoReturn:
    """Raise the InputError for a file of the results that was changed or damaged. `text` says what is wrong with it."""
    line = " ".join(f"{path}: {text}".split())
    raise InputError(f"{line}; the file was changed or damaged: delete it, and the same command makes it again")


def read_predictions(
    path: str | Path,
    classes: Sequence[str],
    *,
    columns: Mapping[str, Kind] = PREDICTIONS,
    samples: int | None = None,
    content: bytes | None = None,
) -> pd.DataFrame:
    """Read M/folds/<fold>/predictions.csv, or M/held_out_predictions.csv.

    Args:
        path: the csv.
        classes: the names of the classes.
        columns: what stands before the probabilities: PREDICTIONS or HELD_OUT_PREDICTIONS.
        samples: how many samples there are, where that is known.
        content: the file's bytes, where they have been read already.

    Returns:
        `columns`, then a probability for each class, in the order of `classes`, whatever their order in the file.

    Raises:
        InputError: as `read_table`, and where the file has a column of no class, or a row's probabilities do not sum to
            1.
    """
    kinds = columns | dict.fromkeys(classes, SHARE)
    below = {"label": len(classes)} | ({} if samples is None else {"index": samples})
    table = read_table(path, kinds, below=below, content=content)
    for name in table.columns:
        if name not in kinds:
            refuse_file(path, f"has the column {messages.legible(name)}, but the classes are {messages.names(classes)}")
    sums = table[list(classes)].sum(axis=1)
    if wrong := list(sums.index[(sums - 1).abs() > 1e-3]):
        refuse_file(path, f"row {wrong[0] + 1}: the probabilities sum to {sums[wrong[0]]:.4g}, expected 1")
    return table[list(kinds)]


def read_record(path: str | Path, kinds: Mapping[str, type] = RECORD) -> dict:
    """Read M/folds/<fold>/metrics.json, or M/final/training.json.

    Args:
        path: the json.
        kinds: the keys that it must have, and the types of their values: RECORD or FINAL_RECORD.

    Returns:
        What the file holds: at least these keys.

    Raises:
        InputError: the file is not JSON, or a key is missing or of another type.
    """
    try:
        record = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:
        refuse_file(path, f"is no JSON ({error})")
    for key, kind in kinds.items():
        if not isinstance(record, dict) or not isinstance(record.get(key), kind):
            refuse_file(path, f"lacks the key {key}, or its value is not of the right type")
    return record


def is_training(samples: pd.DataFrame) -> pd.Series:
    """Which rows of a table of samples are for training: those with the usage Training, or with an unknown one.

    Rows that are left out are not among them.

    Returns:
        bool, with the index of the table.
    """
    return samples["usage"].isin(["Training", ""]) & (samples["excluded"] == "")


def is_held_out(samples: pd.DataFrame) -> pd.Series:
    """Which rows of a table of samples are for the held-out test: all others but those that are left out.

    Returns:
        bool, with the index of the table.
    """
    return ~samples["usage"].isin(["Training", ""]) & (samples["excluded"] == "")


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

    Raises:
        InputError: as `read_table`, and where rows and columns do not bear the same names.
    """
    table = read_table(path, {"true": NAME}, others=COUNT)
    counts, classes = table.drop(columns="true"), list(table["true"])
    if list(counts.columns) != classes:
        rows, columns = messages.names(classes), messages.names(counts.columns)
        refuse_file(path, f"has rows of the classes {rows}, but columns of {columns}")
    return counts.to_numpy(np.int64), classes
