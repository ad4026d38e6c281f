import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from fercv import metrics
from fercv.errors import InputError

NAMES = ["angry", "happy", "sad"]


def make_predictions(labels, probabilities):
    table = pd.DataFrame({"index": range(len(labels)), "label": labels})
    return pd.concat([table, pd.DataFrame(probabilities, columns=NAMES)], axis=1)


def test_confusion_counts_rows_are_true_classes():
    counts = metrics.confusion_counts(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 2]), 3)
    assert counts.dtype == np.int64
    assert counts.tolist() == [[1, 1, 0], [0, 2, 1], [0, 0, 0]]


def test_fold_measures_by_hand():
    predictions = make_predictions([0, 0, 1, 1], [[0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.2, 0.6, 0.2]])
    measures = metrics.fold_measures(predictions, NAMES)
    assert list(measures) == ["accuracy", "balanced_accuracy", "macro_f1", "log_loss", "n"]
    assert measures["accuracy"] == 0.75
    # sad is not in the fold: recalls are 1/2 and 1.
    assert measures["balanced_accuracy"] == 0.75
    assert measures["macro_f1"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert measures["log_loss"] == pytest.approx(-np.log([0.5, 0.2, 0.8, 0.6]).mean(), rel=1e-6)
    assert measures["n"] == 4


@pytest.mark.filterwarnings("error")
def test_fold_measures_agree_with_sklearn_without_warnings():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 200)
    # Rounded as a csv may hold them, so that the rows' sums are not exactly 1.
    probabilities = generator.dirichlet([1, 1, 1], 200).round(5)
    predicted = probabilities.argmax(axis=1)
    measures = metrics.fold_measures(make_predictions(labels, probabilities), NAMES)
    assert measures["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(labels, predicted))
    assert measures["balanced_accuracy"] == pytest.approx(sklearn_metrics.balanced_accuracy_score(labels, predicted))
    assert measures["macro_f1"] == pytest.approx(sklearn_metrics.f1_score(labels, predicted, average="macro"))
    assert np.isfinite(measures["log_loss"])


@pytest.mark.filterwarnings("error")
def test_a_certain_mistake_and_an_absent_class_give_finite_measures():
    measures = metrics.fold_measures(make_predictions([0, 0], [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), NAMES)
    assert measures["balanced_accuracy"] == 0.5
    assert measures["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)
    assert measures["log_loss"] == pytest.approx(-np.log(np.finfo(np.float32).eps) / 2, rel=1e-5)


def test_fold_measures_refuses_other_classes():
    with pytest.raises(InputError, match="3 probability columns found, expected 2"):
        metrics.fold_measures(make_predictions([0], [[1.0, 0.0, 0.0]]), NAMES[:2])


def test_per_class_on_pooled_counts():
    table = metrics.per_class(np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]]), NAMES)
    assert list(table.columns) == ["class", "support", "predicted", "precision", "recall", "f1"]
    assert table["class"].tolist() == NAMES
    assert table["support"].tolist() == [8, 4, 0]
    assert table["predicted"].tolist() == [7, 5, 0]
    np.testing.assert_allclose(table["precision"], [6 / 7, 3 / 5, np.nan])
    np.testing.assert_allclose(table["recall"], [6 / 8, 3 / 4, np.nan])
    np.testing.assert_allclose(table["f1"], [12 / 15, 6 / 9, np.nan])


def test_a_class_never_predicted_has_an_f1_of_zero():
    table = metrics.per_class(np.array([[3, 0], [2, 0]]), NAMES[:2])
    assert np.isnan(table["precision"][1])
    assert table["recall"][1] == 0
    assert table["f1"][1] == 0


def test_summarize_by_hand():
    table = pd.DataFrame({"fold": [0, 1, 2, 3], "accuracy": [0.6, 0.7, 0.7, 0.8], "loss": [1.0] * 4, "n": [9] * 4})
    summary = metrics.summarize(table).set_index("measure")
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
    row = metrics.summarize(pd.DataFrame({"fold": [0], "accuracy": [0.6]})).iloc[0]
    assert row["mean"] == row["minimum"] == row["maximum"] == 0.6
    assert row[["standard_deviation", "low", "high"]].isna().all()


def test_corrected_interval_is_wider_than_the_naive_one_and_matches_its_p_value():
    values = np.random.default_rng(1).normal(0.02, 0.03, 20)
    mean, _, low, high, p_value = metrics.corrected_interval(values)
    naive = stats.ttest_1samp(values, 0)
    assert p_value == pytest.approx(2 * stats.t.sf(abs(naive.statistic) / np.sqrt(1 + 20 / 19), 19))
    naive_low, naive_high = naive.confidence_interval()
    assert (high - low) / (naive_high - naive_low) == pytest.approx(np.sqrt(1 + 20 / 19))
    assert low < mean < high
    assert (low < 0 < high) == (p_value > 0.05)


def test_accuracy_curves_with_a_fold_stopped_early():
    histories = pd.DataFrame(
        {
            "fold": [0, 0, 1, 1, 1],
            "epoch": [1, 2, 1, 2, 3],
            "accuracy": [0.2, 0.4, 0.4, 0.8, 0.9],
            "val_accuracy": [0.3, 0.3, 0.3, 0.5, 0.6],
        }
    )
    curves = metrics.accuracy_curves(histories.sample(frac=1, random_state=0))
    assert list(curves.columns) == [
        "epoch",
        "folds",
        "accuracy",
        "accuracy_spread",
        "val_accuracy",
        "val_accuracy_spread",
    ]
    assert curves["epoch"].tolist() == [1, 2, 3]
    assert curves["folds"].tolist() == [2, 2, 1]
    np.testing.assert_allclose(curves["accuracy"], [0.3, 0.6, 0.9])
    np.testing.assert_allclose(curves["accuracy_spread"], [np.sqrt(0.02), np.sqrt(0.08), 0])
    np.testing.assert_allclose(curves["val_accuracy"], [0.3, 0.4, 0.6])
    np.testing.assert_allclose(curves["val_accuracy_spread"], [0, np.sqrt(0.02), 0], atol=1e-12)


def make_metrics(accuracy, folds=(0, 1, 2, 3)):
    return pd.DataFrame({"fold": folds, "accuracy": accuracy})


def test_compare_pairs_by_fold_not_by_row():
    cnn = make_metrics([0.7, 0.8, 0.6, 0.9])
    fc = make_metrics([0.6, 0.3, 0.5, 0.4], folds=(3, 2, 1, 0))
    table = metrics.compare({"cnn": cnn, "fc": fc}, measures=["accuracy"])
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
    pairs = metrics.compare(tables, measures=["accuracy"]).iloc[3:]
    assert pairs[["model", "versus"]].to_numpy().tolist() == [["b", "c"], ["b", "a"], ["c", "a"]]
    assert (pairs["mean"] < 0).all()


def test_equal_models_do_not_differ():
    table = metrics.compare(
        {"a": make_metrics([0.1, 0.2, 0.3, 0.4]), "b": make_metrics([0.1, 0.2, 0.3, 0.4])}, ["accuracy"]
    )
    assert table.iloc[2][["mean", "low", "high", "p_value"]].tolist() == [0, 0, 0, 1]


def test_compare_refuses_other_folds():
    with pytest.raises(InputError, match=r"model cnn \(0, 1\) and model fc \(0, 2\)") as refusal:
        metrics.compare({"cnn": make_metrics([0.1, 0.2], (0, 1)), "fc": make_metrics([0.1, 0.2], (0, 2))})
    assert "\n" not in str(refusal.value)
