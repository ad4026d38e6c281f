"""Statistics over the folds: means, intervals, and paired differences of models."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from fercv.workflow.errors import InputError

# SciPy is imported where it is used, because that takes longer than importing everything else here.

CONFIDENCE = 0.95


def summarize(metrics: pd.DataFrame) -> pd.DataFrame:
    """Summarize each measure over the folds.

    Args:
        metrics: one row per fold: fold, n and any number of measures.

    Returns:
        One row per measure: measure, mean, standard_deviation (sample standard deviation of the folds), minimum,
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
    cross-validation exists (Bengio & Grandvalet 2004, JMLR 5). The interval covers the choice of training and test
    samples. It does not cover training again with other random numbers, nor images from another source.

    Args:
        values: float (K,), one per fold: a measure, or the paired differences of two models.

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


def compare(
    metrics: Mapping[str, pd.DataFrame], measures: Sequence[str] = ("accuracy", "balanced_accuracy")
) -> pd.DataFrame:
    """Compare models that were validated on the same folds.

    Args:
        metrics: for each model a table with one row per fold: fold and the measures.
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
