"""Intervals by resampling: how far off a measure may be because the images are a sample."""

from collections.abc import Callable, Iterator

import numpy as np

from fercv.evaluate.intervals import CONFIDENCE

DRAWS = 10_000
# So many clusters are drawn at a time: 32 MB for their numbers, and 32 MB for their weights.
BLOCK = 4_000_000


def bootstrap_interval(
    statistic: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, clusters: np.ndarray, seed: int, draws: int = DRAWS
) -> tuple[np.ndarray, np.ndarray]:
    """Compute 95 % intervals of measures by drawing clusters of rows with replacement, as many as there are.

    Equal images are not independent: a model is right about all of them or about none. So a cluster, for instance a
    group of duplicates, is drawn as a whole (Davison & Hinkley 1997, "Bootstrap Methods and their Application",
    section 3.8). Measures that are functions of sums over the rows need the sums of each cluster alone: a draw is a
    vector of weights, and all draws of a block are one product of matrices. `scipy.stats.bootstrap` would index the
    rows anew for each draw, which takes more time and memory.

    The ends are the 2.5th and the 97.5th percentile of the draws. In a simulation (seven classes as frequent as
    FER2013's, the rarest 1.5 %; 5 % copies; 1,000 samples each of 45, 90 and 360 images; 2,000 draws) the intervals
    covered the true accuracy in 94 to 95 %, the log loss in 92 to 94 %, and the balanced accuracy in 91 to 93 %: the
    recall of a class of few images is known badly. BCa, which corrects bias and skewness (Efron 1987), was not better:
    it covered them in 94 to 95, 93 to 95, and 81 to 91 %.

    There is no interval (NaN) where all draws agree, for instance if a model is right about every image: they do not
    tell then how far the measure may be off.

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
    sums = cluster_sums(rows, clusters)
    drawn = np.concatenate([statistic(totals) for totals in _drawn_totals(sums, seed, draws)])
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    agree = np.ptp(drawn, axis=0) == 0
    return np.where(agree, np.nan, low), np.where(agree, np.nan, high)


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
