"""Statistics over the folds: means, intervals, and paired differences of models."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from fercv.data.tables import COMPARISON, METRICS, NUMBER, SUMMARY
from fercv.workflow.errors import InputError

# SciPy is imported where it is used, because that takes longer than importing everything else here.

CONFIDENCE = 0.95


def summarize(metrics: pd.DataFrame, chance: Mapping[str, float]) -> pd.DataFrame:
    """Summarize each measure over the folds.

    Args:
        metrics: one row per fold: fold, n and any number of measures.
        chance: what measures are without looking at the images, see `fercv.evaluate.measures.chance_over_folds`.

    Returns:
        One row per measure: measure, mean, standard_deviation (sample standard deviation of the folds), minimum,
        maximum, low, high (the mean's corrected 95 % interval, see `corrected_interval`), chance (NaN where it is not
        known). With one fold standard_deviation, low and high are NaN.
    """
    rows = []
    for measure in metrics.columns.drop(["fold", "n"], errors="ignore"):
        values = metrics[measure].to_numpy(dtype=np.float64)
        mean, deviation, low, high, _ = corrected_interval(values, *measure_range(measure))
        rows.append((measure, mean, deviation, values.min(), values.max(), low, high, chance.get(measure, np.nan)))
    return pd.DataFrame(rows, columns=list(SUMMARY))


def measure_range(measure: str) -> tuple[float, float]:
    """The least and the greatest value that a measure can have, as the table of the measures says."""
    kind = METRICS.get(measure, NUMBER)
    return kind.lowest, kind.highest


def corrected_interval(
    values: np.ndarray, lowest: float = -np.inf, highest: float = np.inf, number: int | None = None
) -> tuple[float, float, float, float, float]:
    """Compute a 95 % interval of the mean over the folds of one cross-validation, and test the mean against zero.

    The training sets of K folds overlap, so the folds are not independent, and s / sqrt(K) is too small an error of
    the mean. Nadeau & Bengio (2003, "Inference for the generalization error", Machine Learning 52) replace the 1/K in
    its square by 1/K + (test size) / (training size), which is 1/K + 1/(K - 1) for K folds; Student's t then has K - 1
    degrees of freedom.

    Mean ± t times this error may reach beyond what the measure can be. So the interval is computed on a logit scale and
    transformed back: the mean m, as a share of the range, becomes log(m / (1 - m)), and its error, by the delta method,
    error / (m (1 - m)). This is the logit interval of a proportion (Brown, Cai & DasGupta 2001, "Interval estimation
    for a binomial proportion", Statistical Science 16), with the error of the folds in place of the binomial one, as in
    `svyciprop(method="xlogit")` of R's package survey. Only the mean is transformed, so single folds may lie at an end
    of the range. The p-value is computed on the same scale: it is below 0.05 exactly where the interval leaves out 0.

    In a simulation (nearest centroids of two Gaussian classes, 1,000 data sets each of 60 images in 3 folds and in 5,
    of 120 in 10 and of 400 in 20, accuracies of 0.81 to 0.98), the intervals covered the mean accuracy of models of
    this training size in 99 to 100 % of the cases, and the mean log loss in 93 to 99 %. Without the transformation,
    these were 98 to 100 % and 82 to 99 %, and with few images most intervals reached beyond the range. So the interval
    is rather too wide than too narrow.

    All this is a heuristic, made for repeated random splits. No unbiased estimator of the variance of K-fold
    cross-validation exists (Bengio & Grandvalet 2004, JMLR 5). The interval covers the choice of training and test
    samples. It does not cover training again with other random numbers, nor images from another source.

    Where all folds have the same value, they do not tell how far the mean may be wrong. An interval of no width would
    then claim certainty, even if every fold were right about everything. In the simulation with 60 images in 5 folds
    and an accuracy of 0.98, this was so in 24 % of the data sets. So there is no interval then, and no p-value.

    Args:
        values: float (K,), one per fold: a measure, or the paired differences of two models.
        lowest: the least number that such a value can be. Without a range, the mean is not transformed.
        highest: the greatest one.
        number: how many folds the cross-validation has, if there are values of only some of them.

    Returns:
        mean, sample standard deviation, low and high end of the interval, and the two-sided p-value of the mean being
        zero. For one value everything but the mean is NaN; for equal values low, high and the p-value are NaN.
    """
    from scipy import special, stats

    folds = len(values)
    mean = float(np.mean(values))
    if folds < 2:
        return mean, np.nan, np.nan, np.nan, np.nan
    deviation = float(np.std(values, ddof=1))
    # Equal differences of two models differ by rounding.
    if not deviation > 1e-12:
        return mean, deviation, np.nan, np.nan, np.nan
    error = deviation * np.sqrt(1 / folds + 1 / ((number or folds) - 1))
    reach = stats.t.ppf((1 + CONFIDENCE) / 2, folds - 1)
    if np.isinf(highest - lowest):
        low, high, statistic = mean - reach * error, mean + reach * error, mean / error
    else:
        share, zero = (mean - lowest) / (highest - lowest), -lowest / (highest - lowest)
        error /= (highest - lowest) * share * (1 - share)
        place = special.logit(share)
        low, high = lowest + (highest - lowest) * special.expit(place + np.array([-reach, reach]) * error)
        statistic = (place - special.logit(zero)) / error
    p_value = 2 * stats.t.sf(abs(statistic), folds - 1)
    return mean, deviation, float(low), float(high), float(p_value)


def compare(
    metrics: Mapping[str, pd.DataFrame],
    measures: Sequence[str] = ("accuracy", "balanced_accuracy"),
    folds: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Compare models that were validated on the same folds.

    Args:
        metrics: for each model a table with one row per fold: fold and the measures.
        measures: the measures to compare.
        folds: for each model which folds it has. Models with different ones are not paired. If it is None, all have the
            same.

    Returns:
        model, versus, measure, mean, standard_deviation, low, high, p_value, p_adjusted, folds: first one row per model
        and measure, with an empty versus and no p-values (NaN); then one row per pair of models, in the order given,
        and measure, on the differences model - versus paired by fold. low and high are the corrected 95 % interval and
        p_value the two-sided p-value of no difference, see `corrected_interval`. p_adjusted is the p-value adjusted for
        all pairs and measures of the table, see `holm`.

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
            *summary, _ = corrected_interval(table[measure].to_numpy(dtype=np.float64), *measure_range(measure))
            rows.append((model, "", measure, *summary, np.nan, np.nan, len(table)))
    for model, versus in combinations(tables, 2):
        if folds and folds[model] != folds[versus]:
            continue
        for measure in measures:
            differences = (tables[model][measure] - tables[versus][measure]).to_numpy(dtype=np.float64)
            lowest, highest = measure_range(measure)
            interval = corrected_interval(differences, lowest - highest, highest - lowest)
            rows.append((model, versus, measure, *interval, np.nan, len(differences)))
    comparison = pd.DataFrame(rows, columns=list(COMPARISON))
    return comparison.assign(p_adjusted=holm(comparison["p_value"].to_numpy()))


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjust p-values for the number of tests, so that "below 0.05" errs anywhere in at most 5 % of the experiments.

    Holm (1979, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6): the
    least of m p-values is multiplied by m, the next one by m - 1, and so on; none becomes less than the one before, nor
    more than 1. This holds however the tests depend on each other, as those of models on the same folds do.

    Args:
        p_values: float (n,). NaN, where there was no test, does not count, as in R's `p.adjust`.

    Returns:
        float (n,), NaN in the same places.
    """
    tested = np.flatnonzero(~np.isnan(p_values))
    rising = tested[np.argsort(p_values[tested])]
    adjusted = np.full(len(p_values), np.nan)
    multiplied = p_values[rising] * np.arange(len(rising), 0, -1)
    adjusted[rising] = np.minimum(np.maximum.accumulate(multiplied), 1)
    return adjusted


def _listed(table: pd.DataFrame) -> str:
    return ", ".join(map(str, table.index))
