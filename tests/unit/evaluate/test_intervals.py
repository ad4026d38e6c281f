import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fercv.evaluate import intervals
from fercv.workflow.errors import InputError


def test_summarize_by_hand():
    table = pd.DataFrame({"fold": [0, 1, 2, 3], "accuracy": [0.6, 0.7, 0.7, 0.8], "loss": [1.0] * 4, "n": [9] * 4})
    summary = intervals.summarize(table).set_index("measure")
    assert list(summary.index) == ["accuracy", "loss"]
    row = summary.loc["accuracy"]
    deviation = np.sqrt(0.02 / 3)
    half = stats.t.ppf(0.975, 3) * deviation * np.sqrt(1 / 4 + 1 / 3)
    np.testing.assert_allclose(
        row[["mean", "standard_deviation", "minimum", "maximum", "low", "high"]].to_numpy(dtype=float),
        [0.7, deviation, 0.6, 0.8, 0.7 - half, 0.7 + half],
    )
    assert summary.loc["loss", ["low", "high"]].tolist() == [1, 1]


def test_summarize_one_fold_knows_no_spread():
    row = intervals.summarize(pd.DataFrame({"fold": [0], "accuracy": [0.6]})).iloc[0]
    assert row["mean"] == row["minimum"] == row["maximum"] == 0.6
    assert row[["standard_deviation", "low", "high"]].isna().all()


def test_corrected_interval_is_wider_than_the_naive_one_and_matches_its_p_value():
    values = np.random.default_rng(1).normal(0.02, 0.03, 20)
    mean, _, low, high, p_value = intervals.corrected_interval(values)
    naive = stats.ttest_1samp(values, 0)
    assert p_value == pytest.approx(2 * stats.t.sf(abs(naive.statistic) / np.sqrt(1 + 20 / 19), 19))
    naive_low, naive_high = naive.confidence_interval()
    assert (high - low) / (naive_high - naive_low) == pytest.approx(np.sqrt(1 + 20 / 19))
    assert low < mean < high
    assert (low < 0 < high) == (p_value > 0.05)


def make_metrics(accuracy, folds=(0, 1, 2, 3)):
    return pd.DataFrame({"fold": folds, "accuracy": accuracy})


def test_compare_pairs_by_fold_not_by_row():
    cnn = make_metrics([0.7, 0.8, 0.6, 0.9])
    fc = make_metrics([0.6, 0.3, 0.5, 0.4], folds=(3, 2, 1, 0))
    table = intervals.compare({"cnn": cnn, "fc": fc}, measures=["accuracy"])
    assert list(table.columns) == [
        "model",
        "versus",
        "measure",
        "mean",
        "standard_deviation",
        "low",
        "high",
        "p_value",
        "folds",
    ]
    assert table[["model", "versus"]].to_numpy().tolist() == [["cnn", ""], ["fc", ""], ["cnn", "fc"]]
    assert table["folds"].tolist() == [4, 4, 4]
    np.testing.assert_allclose(table["mean"], [0.75, 0.45, 0.3])
    assert table["p_value"].isna().tolist() == [True, True, False]
    # Paired by fold, every difference is 0.3: the models' spreads cancel.
    assert table["standard_deviation"][2] == pytest.approx(0, abs=1e-12)
    assert table["p_value"][2] < 1e-6


def test_compare_keeps_the_given_order_of_models_and_the_sign():
    tables = {name: make_metrics(np.array([0.1, 0.2, 0.15, 0.3]) * k) for name, k in [("b", 1), ("c", 2), ("a", 3)]}
    pairs = intervals.compare(tables, measures=["accuracy"]).iloc[3:]
    assert pairs[["model", "versus"]].to_numpy().tolist() == [["b", "c"], ["b", "a"], ["c", "a"]]
    assert (pairs["mean"] < 0).all()


def test_equal_models_do_not_differ():
    table = intervals.compare(
        {"a": make_metrics([0.1, 0.2, 0.3, 0.4]), "b": make_metrics([0.1, 0.2, 0.3, 0.4])}, ["accuracy"]
    )
    assert table.iloc[2][["mean", "low", "high", "p_value"]].tolist() == [0, 0, 0, 1]


def test_compare_refuses_other_folds():
    with pytest.raises(InputError, match=r"model cnn \(0, 1\) and model fc \(0, 2\)") as refusal:
        intervals.compare({"cnn": make_metrics([0.1, 0.2], (0, 1)), "fc": make_metrics([0.1, 0.2], (0, 2))})
    assert "\n" not in str(refusal.value)
