from itertools import product

import numpy as np
import pytest
from scipy import stats

from fercv.evaluate import bootstrap
from fercv.evaluate.bootstrap import bootstrap_interval, cluster_sums

# Of each row, whether it counts as right, and that it is one.
ROWS = np.array([[1, 1], [1, 1], [0, 1], [1, 1], [0, 1], [0, 1]], dtype=float)
CLUSTERS = np.array([7, 7, 7, 9, 9, 3])


def share(totals):
    """The share of the rows that are right, and how many rows there are."""
    return np.stack([totals[:, 0] / totals[:, 1], totals[:, 1]], axis=1)


def test_rows_are_summed_over_their_clusters():
    assert cluster_sums(ROWS, CLUSTERS).tolist() == [[0, 1], [2, 3], [1, 2]]


def test_an_interval_of_three_clusters_by_hand():
    """Each of the 27 draws is as probable. One in 27, more than 2.5 %, takes the same cluster three times."""
    low, high = bootstrap_interval(share, ROWS, CLUSTERS, seed=1)
    assert low.tolist() == [0, 3]
    assert high.tolist() == [2 / 3, 9]
    sums = cluster_sums(ROWS, CLUSTERS)
    draws = share(np.array([sums[list(draw)].sum(axis=0) for draw in product(range(3), repeat=3)]))
    assert draws.min(axis=0).tolist() == [0, 3] and draws.max(axis=0).tolist() == [2 / 3, 9]


def test_intervals_are_those_of_scipy_to_the_last_digit():
    generator = np.random.default_rng(5)
    clusters = np.sort(generator.integers(0, 40, 100))
    rows = np.stack([generator.exponential(1, 100), np.ones(100)], axis=1)
    sums = cluster_sums(rows, clusters)
    expected = stats.bootstrap(
        (sums[:, 0], sums[:, 1]), lambda values, number, axis: values.sum(axis) / number.sum(axis), paired=True,
        n_resamples=999, method="percentile", vectorized=True, rng=np.random.default_rng(3),
    ).confidence_interval  # fmt: skip
    low, high = bootstrap_interval(share, rows, clusters, seed=3, draws=999)
    np.testing.assert_allclose([low[0], high[0]], expected, rtol=1e-12)


def test_copies_of_each_row_in_its_cluster_change_nothing():
    rows = np.stack([np.arange(50) % 3 == 0, np.ones(50)], axis=1).astype(float)
    once = bootstrap_interval(share, rows, np.arange(50), seed=1, draws=500)
    thrice = bootstrap_interval(share, np.repeat(rows, 3, axis=0), np.repeat(np.arange(50), 3), seed=1, draws=500)
    assert once[0][0] == thrice[0][0] and once[1][0] == thrice[1][0]
    apart = bootstrap_interval(share, np.repeat(rows, 3, axis=0), np.arange(150), seed=1, draws=500)
    assert apart[1][0] - apart[0][0] < 0.8 * (once[1][0] - once[0][0])


@pytest.mark.parametrize("clusters", [[1, 1, 1], [1, 2, 3]], ids=["one cluster", "all right"])
def test_draws_that_agree_give_no_interval(clusters):
    low, high = bootstrap_interval(share, np.ones((3, 2)), np.array(clusters), seed=1)
    assert np.isnan(low).all() and np.isnan(high).all()


def test_draws_without_a_value_do_not_count():
    """The precision of a class that few images are taken for: in a third of the draws, there is none."""

    def precision(totals):
        return np.divide(totals[:, :1], totals[:, 1:], out=np.full((len(totals), 1), np.nan), where=totals[:, 1:] > 0)

    rows = np.zeros((40, 2))
    rows[:3] = [[1, 1], [1, 1], [0, 1]]
    low, high = bootstrap_interval(precision, rows, np.arange(40), seed=1)
    assert (low[0], high[0]) == (0, 1)
    low, high = bootstrap_interval(precision, np.zeros((40, 2)), np.arange(40), seed=1)
    assert np.isnan(low[0]) and np.isnan(high[0])


def test_the_size_of_the_blocks_changes_nothing(monkeypatch):
    whole = bootstrap_interval(share, ROWS, CLUSTERS, seed=2, draws=100)
    for size in (1, 7, 200):
        monkeypatch.setattr(bootstrap, "BLOCK", size)
        np.testing.assert_array_equal(bootstrap_interval(share, ROWS, CLUSTERS, seed=2, draws=100), whole)
