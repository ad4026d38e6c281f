"""Intervals by resampling: how far off a measure may be because the images are a sample."""

from collections.abc import Callable, Iterator

import numpy as np

from fercv.evaluate.intervals import CONFIDENCE

DRAWS = 10_000
# So many clusters are drawn at a time: 32 MB for their numbers, and 32 MB for their weights.
BLOCK = 4_000_000
# Fractions are rounded to multiples of it, a thousand-millionth. Then their sums are exact, and the same bytes come out
# with any number of threads.
EXACT = 2.0**-30


def bootstrap_interval(
    statistic: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, clusters: np.ndarray, seed: int, draws: int = DRAWS
) -> tuple[np.ndarray, np.ndarray]:
    """Compute 95 % intervals of measures by drawing clusters of rows with replacement, as many as there are.

    Equal images are not independent: a model is right about all of them or about none. Images of one person are not,
    either. So a cluster, for instance all images of a person, is drawn as a whole (Davison & Hinkley 1997, "Bootstrap
    Methods and their Application", section 3.8). Measures that are functions of sums over the rows need the sums of
    each cluster alone: a draw is a vector of weights, and all draws of a block are one product of matrices.
    `scipy.stats.bootstrap` would index the rows anew for each draw, which takes more time and memory.

    The ends are the 2.5th and the 97.5th percentile of the draws. In a simulation (seven classes as frequent as
    FER2013's, the rarest 1.5 %; 5 % copies; 1,000 samples each of 45, 90 and 360 images; 2,000 draws) the intervals
    covered the true accuracy in 94 to 95 %, the log loss in 92 to 94 %, and the balanced accuracy in 91 to 93 %: the
    recall of a class of few images is known badly. BCa, which corrects bias and skewness (Efron 1987), was not better:
    it covered them in 94 to 95, 93 to 95, and 81 to 91 %.

    Few clusters give intervals that are too narrow. In a simulation (accuracy 0.8 on average, which differs between
    persons with an intraclass correlation of 0.1; 20 images of each person; 1,000 samples; 1,000 draws) they covered
    the true accuracy in 84, 91, 93, 92 and 94 % of the cases, with 5, 10, 20, 50 and 100 persons. Where each image was
    a cluster of its own, it was 74 to 77 %.

    There is no interval (NaN) where all draws agree, for instance if a model is right about every image: they do not
    tell then how far the measure may be off. A draw in which a measure is NaN, as the precision of a class that no
    image of the draw is taken for, does not count for this measure.

    Args:
        statistic: function of sums (d, f), one row for each draw, that returns the measures (d, m).
        rows: float (n, f): what is summed. If the sums are exact, as those of whole numbers are, the interval does not
            depend on the order in which they are computed, and so neither on the number of threads.
        clusters: int (n,), the cluster of each row; any numbers.
        seed: of the draws. Equal seeds draw the same clusters again, where there are as many.
        draws: how many.

    Returns:
        low, high: float (m,) each.
    """
    return percentile_interval(bootstrap_draws(statistic, cluster_sums(rows, clusters), seed, draws))


def bootstrap_draws(
    statistic: Callable[[np.ndarray], np.ndarray], sums: np.ndarray, seed: int, draws: int = DRAWS
) -> np.ndarray:
    """Compute measures of clusters that are drawn with replacement, as many as there are.

    Args:
        statistic: as that of `bootstrap_interval`.
        sums: float (clusters, f), the sums over the rows of each cluster.
        seed: of the draws.
        draws: how many.

    Returns:
        float (draws, m).
    """
    return np.concatenate([statistic(totals) for totals in _drawn_totals(sums, seed, draws)])


def percentile_interval(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 2.5th and the 97.5th percentile of measures (draws, m): low, high, float (m,) each. May be NaN, see above."""
    return tuple(np.transpose([_percentiles(values[~np.isnan(values)]) for values in drawn.T]))


def _percentiles(values: np.ndarray) -> np.ndarray:
    if not len(values) or np.ptp(values) == 0:
        return np.full(2, np.nan)
    return np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])


def exact(values: np.ndarray) -> np.ndarray:
    """Values, rounded to multiples of `EXACT`."""
    return np.round(values / EXACT) * EXACT


def cluster_sums(rows: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Sum rows (n, f) over the clusters (n,) that they belong to: float64 (number of clusters, f)."""
    _, numbers = np.unique(clusters, return_inverse=True)
    sums = np.zeros((numbers.max() + 1, rows.shape[1]))
    np.add.at(sums, numbers, rows)
    return sums


def _drawn_totals(sums: np.ndarray, seed: int, draws: int) -> Iterator[np.ndarray]:
    """Draw clusters, and yield the sums over each draw: float64 (draws of the block, f)."""
    clusters, generator = len(sums), np.random.default_rng(seed)
    at_once = max(1, BLOCK // clusters)
    for done in range(0, draws, at_once):
        drawn = generator.integers(0, clusters, (min(at_once, draws - done), clusters))
        # Floats, because NumPy multiplies matrices of whole numbers slowly.
        weights = np.empty(drawn.shape)
        for row, draw in zip(weights, drawn, strict=True):
            row[:] = np.bincount(draw, minlength=clusters)
        yield weights @ sums
