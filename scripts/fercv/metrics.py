"""Measures of the folds' predictions, and what can be said about them over the folds."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from fercv.errors import InputError

# SciPy and scikit-learn are imported where they are used: they take longer than all else that a plot needs.

CONFIDENCE = 0.95


def confusion_counts(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count true against predicted classes.

    Args:
        labels: int (n,), true classes, 0 to classes - 1.
        predicted: int (n,), predicted classes.
        classes: how many classes there are.

    Returns:
        int64 (classes, classes), one row a true class, one column a predicted one.
    """
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(labels, predicted, labels=np.arange(classes)).astype(np.int64)


def fold_measures(predictions: pd.DataFrame, class_names: Sequence[str]) -> dict[str, float]:
    """Measure one fold's predictions.

    The class predicted is the most probable one, the first on a tie. The log loss counts a probability as at least
    1.2e-7, the resolution of the float32 numbers that the models compute with.

    Args:
        predictions: one row a sample: index, label (int), then one probability per class in the order of class_names.
        class_names: names of the classes.

    Returns:
        accuracy; balanced_accuracy, the mean recall of the classes present in the fold; macro_f1, the mean F1 of the
        classes present or predicted in the fold; log_loss, in nats a sample; n, the number of samples.

    Raises:
        InputError: the number of probability columns is not that of the classes.
    """
    from sklearn.metrics import f1_score, log_loss

    labels = predictions["label"].to_numpy()
    probabilities = predictions.iloc[:, 2:].to_numpy(dtype=np.float32)
    if probabilities.shape[1] != len(class_names):
        raise InputError(
            f"predictions: {probabilities.shape[1]} probability columns found, expected {len(class_names)}, one a "
            "class: predict again with the present class names"
        )
    predicted = probabilities.argmax(axis=1)
    counts = confusion_counts(labels, predicted, len(class_names))
    support = counts.sum(axis=1)
    present = support > 0
    return {
        "accuracy": float(np.mean(predicted == labels)),
        "balanced_accuracy": float(np.mean(counts.diagonal()[present] / support[present])),
        "macro_f1": float(f1_score(labels, predicted, average="macro", zero_division=0)),
        "log_loss": float(log_loss(labels, probabilities, labels=np.arange(len(class_names)))),
        "n": len(labels),
    }


def per_class(counts: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
    """Measure each class on the confusion counts pooled over all folds.

    Counts are summed over the folds before F1 is computed: Forman & Scholz (2010, "Apples-to-apples in
    cross-validation studies", SIGKDD Explorations 12) find this unbiased, and a mean of the folds' F1 not.

    Args:
        counts: int (k, k), one row a true class.
        class_names: names of the k classes.

    Returns:
        One row a class: class, support (true samples), predicted (samples given this class), precision, recall, f1;
        what would be 0 / 0 is NaN.
    """
    hits, support, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return pd.DataFrame(
            {
                "class": list(class_names),
                "support": support,
                "predicted": predicted,
                "precision": hits / predicted,
                "recall": hits / support,
                "f1": 2 * hits / (support + predicted),
            }
        )


def summarize(metrics: pd.DataFrame) -> pd.DataFrame:
    """Summarize each measure over the folds.

    Args:
        metrics: one row a fold: fold, n and any number of measures.

    Returns:
        One row a measure: measure, mean, standard_deviation (sample standard deviation of the folds), minimum,
        maximum, low, high (the mean's corrected 95 % interval, see `corrected_interval`). With one fold
        standard_deviation, low and high are NaN.
    """
    rows = []
    for measure in metrics.columns.drop(["fold", "n"], errors="ignore"):
        values = metrics[measure].to_numpy(dtype=np.float64)
        mean, deviation, low, high, _ = corrected_interval(values)
        rows.append((measure, mean, deviation, values.min(), values.max(), low, high))
    return pd.DataFrame(rows, columns=["measure", "mean", "standard_deviation", "minimum", "maximum", "low", "high"])


def corrected_interval(values: np.ndarray) -> tuple[float, float, float, float, float]:
    """Compute a 95 % interval of the mean over the folds of one cross-validation, and test the mean against zero.

    The training sets of K folds overlap, so the folds are not independent, and s / sqrt(K) is too small an error of
    the mean. Nadeau & Bengio (2003, "Inference for the generalization error", Machine Learning 52) replace the 1/K in
    its square by 1/K + (test size) / (training size), which is 1/K + 1/(K - 1) for K folds; Student's t then has K - 1
    degrees of freedom.

    This is a heuristic, made for repeated random splits. No unbiased estimator of the variance of K-fold
    cross-validation exists (Bengio & Grandvalet 2004, JMLR 5). The interval speaks of the choice of training and test
    samples; it knows nothing of training again from other random numbers or of images from another source.

    Args:
        values: float (K,), one a fold: a measure, or the paired differences of two models.

    Returns:
        mean, sample standard deviation, low and high end of the interval, and the two-sided p-value of the mean being
        zero. For one value everything but the mean is NaN; for equal values the interval is a point, and the p-value 0,
        or 1 where all are zero.
    """
    from scipy import stats

    folds = len(values)
    mean = float(np.mean(values))
    if folds < 2:
        return mean, np.nan, np.nan, np.nan, np.nan
    deviation = float(np.std(values, ddof=1))
    error = deviation * np.sqrt(1 / folds + 1 / (folds - 1))
    half_width = stats.t.ppf((1 + CONFIDENCE) / 2, folds - 1) * error
    p_value = 2 * stats.t.sf(abs(mean) / error, folds - 1) if error > 0 else float(mean == 0)
    return mean, deviation, float(mean - half_width), float(mean + half_width), float(p_value)


def accuracy_curves(histories: pd.DataFrame) -> pd.DataFrame:
    """Average the folds' accuracy over the epochs.

    Args:
        histories: one row a fold and epoch: fold, epoch, accuracy, val_accuracy.

    Returns:
        One row an epoch: epoch, folds, accuracy, accuracy_spread, val_accuracy, val_accuracy_spread. A spread is the
        sample standard deviation over the folds, 0 for one fold. Where early stopping ended some folds before, the
        others are averaged; folds says how many they are.
    """
    epochs = histories.groupby("epoch")
    curves = pd.DataFrame({"folds": epochs["fold"].nunique()})
    for column in ("accuracy", "val_accuracy"):
        curves[column] = epochs[column].mean()
        curves[f"{column}_spread"] = epochs[column].std().fillna(0.0)
    return curves.reset_index()


def compare(
    metrics: Mapping[str, pd.DataFrame], measures: Sequence[str] = ("accuracy", "balanced_accuracy")
) -> pd.DataFrame:
    """Compare models that were validated on the same folds.

    Args:
        metrics: for each model a table of one row a fold: fold and the measures.
        measures: the measures to compare.

    Returns:
        model, versus, measure, mean, standard_deviation, low, high, p_value, folds: first one row per model and
        measure, with an empty versus and no p-value (NaN); then one row per pair of models, in the order given, and
        measure, on the differences model - versus paired by fold. low and high are the corrected 95 % interval and
        p_value the two-sided p-value of no difference, see `corrected_interval`; it is not corrected for the number
        of pairs and measures.

    Raises:
        InputError: the models' folds differ.
    """
    tables = {model: table.set_index("fold").sort_index() for model, table in metrics.items()}
    first, *others = tables
    for other in others:
        if not tables[other].index.equals(tables[first].index):
            raise InputError(
                f"the folds of model {first} ({_listed(tables[first])}) and model {other} ({_listed(tables[other])}) "
                "differ, but models are compared fold by fold: score both on the same folds"
            )
    rows = []
    for model, table in tables.items():
        for measure in measures:
            *summary, _ = corrected_interval(table[measure].to_numpy(dtype=np.float64))
            rows.append((model, "", measure, *summary, np.nan, len(table)))
    for model, versus in combinations(tables, 2):
        for measure in measures:
            differences = tables[model][measure] - tables[versus][measure]
            rows.append((model, versus, measure, *corrected_interval(differences.to_numpy()), len(differences)))
    return pd.DataFrame(
        rows, columns=["model", "versus", "measure", "mean", "standard_deviation", "low", "high", "p_value", "folds"]
    )


def _listed(table: pd.DataFrame) -> str:
    return ", ".join(map(str, table.index))
