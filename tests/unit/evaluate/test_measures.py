import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics
from sklearn.dummy import DummyClassifier

from fercv.evaluate import measures

NAMES = ["angry", "happy", "sad"]


def make_predictions(labels, probabilities):
    table = pd.DataFrame({"index": range(len(labels)), "label": labels})
    return pd.concat([table, pd.DataFrame(probabilities, columns=NAMES)], axis=1)


def test_confusion_counts_rows_are_true_classes():
    counts = measures.confusion_counts(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 2]), 3)
    assert counts.dtype == np.int64
    assert counts.tolist() == [[1, 1, 0], [0, 2, 1], [0, 0, 0]]


def test_a_class_that_is_neither_recorded_nor_predicted_has_its_row_and_column():
    assert measures.confusion_counts(np.array([0, 2]), np.array([2, 2]), 4).tolist() == [
        [0, 0, 1, 0],
        [0, 0, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 0],
    ]


EPSILON = float(np.finfo(np.float32).eps)


def test_log_loss_by_hand():
    assert measures.log_loss(np.array([1, 1]), np.array([[0.5, 0.5], [0.75, 0.25]])) == pytest.approx(1.5 * np.log(2))


def test_log_loss_of_a_tie_is_the_logarithm_of_the_number_of_classes():
    assert measures.log_loss(np.array([0, 2]), np.full((2, 4), 0.25)) == pytest.approx(np.log(4))


@pytest.mark.parametrize("lost", [0.0, 1e-38, 1e-9])
@pytest.mark.filterwarnings("error")
def test_log_loss_of_a_certain_mistake_is_that_of_float32s_epsilon(lost):
    probabilities = np.array([[lost, 1 - lost]], dtype=np.float32)
    assert measures.log_loss(np.array([0]), probabilities) == pytest.approx(-np.log(EPSILON))
    assert measures.log_loss(np.array([1]), probabilities) == pytest.approx(EPSILON)


def test_log_loss_is_that_of_float32_whatever_the_type_of_the_probabilities():
    probabilities = np.array([[0.0, 1.0]])
    assert measures.log_loss(np.array([0]), probabilities) == pytest.approx(-np.log(EPSILON))


@pytest.mark.parametrize("broken", [np.nan, np.inf])
@pytest.mark.parametrize("column", [0, 1], ids=["true class", "other class"])
def test_log_loss_of_broken_probabilities_is_no_number(broken, column):
    probabilities = np.full((3, 2), 0.5, dtype=np.float32)
    probabilities[1, column] = broken
    assert np.isnan(measures.log_loss(np.array([0, 0, 1]), probabilities))


def test_log_loss_is_sklearns():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 7, 200)
    probabilities = generator.dirichlet([0.05] * 7, 200).astype(np.float32)
    assert (probabilities < EPSILON).any()
    expected = sklearn_metrics.log_loss(labels, probabilities, labels=range(7))
    assert measures.log_loss(labels, probabilities) == pytest.approx(expected, rel=1e-7)
    # Numbers of other kinds are rounded to float32 first.
    exact = generator.dirichlet([0.05] * 7, 200)
    assert measures.log_loss(labels, exact) == measures.log_loss(labels, exact.astype(np.float32))
    # Classes that no label names still count as classes.
    few = labels < 2
    expected = sklearn_metrics.log_loss(labels[few], probabilities[few], labels=range(7))
    assert measures.log_loss(labels[few], probabilities[few]) == pytest.approx(expected, rel=1e-7)


def test_fold_measures_by_hand():
    predictions = make_predictions([0, 0, 1, 1], [[0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1], [0.2, 0.6, 0.2]])
    found = measures.fold_measures(predictions, NAMES)
    assert list(found) == ["accuracy", "balanced_accuracy", "macro_f1", "log_loss", "n"]
    assert found["accuracy"] == 0.75
    # sad is not in the fold: recalls are 1/2 and 1.
    assert found["balanced_accuracy"] == 0.75
    assert found["macro_f1"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert found["log_loss"] == pytest.approx(-np.log([0.5, 0.2, 0.8, 0.6]).mean(), rel=1e-6)
    assert found["n"] == 4


@pytest.mark.filterwarnings("error")
def test_fold_measures_agree_with_sklearn_without_warnings():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 200)
    # Rounded as a csv may hold them, so that the rows' sums are not exactly 1.
    probabilities = generator.dirichlet([1, 1, 1], 200).round(5)
    predicted = probabilities.argmax(axis=1)
    found = measures.fold_measures(make_predictions(labels, probabilities), NAMES)
    assert found["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(labels, predicted))
    assert found["balanced_accuracy"] == pytest.approx(sklearn_metrics.balanced_accuracy_score(labels, predicted))
    assert found["macro_f1"] == pytest.approx(sklearn_metrics.f1_score(labels, predicted, average="macro"))
    assert np.isfinite(found["log_loss"])


@st.composite
def labels_and_weights(draw):
    """True classes, and for each sample and class a small integer that its probability is proportional to.

    So ties are frequent, and so are probabilities of 0 and of 1. Classes are often missing, as there are few samples.
    """
    classes = draw(st.integers(2, 5))
    weights = st.lists(st.integers(0, 3), min_size=classes, max_size=classes).filter(any)
    samples = draw(st.lists(st.tuples(st.integers(0, classes - 1), weights), min_size=1, max_size=12))
    return [label for label, _ in samples], [row for _, row in samples]


def awkward_cases(test):
    """Give a test many random cases of `labels_and_weights`, the same ones in each run, and all of these."""
    for labels, weights in [
        ([1], [[1, 0, 0]]),  # One sample, certain and wrong.
        ([2], [[0, 0, 3]]),  # One sample, certain and right.
        ([0, 1, 2], [[1, 1, 1]] * 3),  # Ties alone.
        ([0, 0, 0], [[1, 0, 0]] * 3),  # Two classes are missing in truth and prediction.
        ([0, 1, 1], [[1, 0, 0], [3, 1, 0], [2, 1, 1]]),  # A class is never predicted.
        ([0, 0, 0], [[1, 0, 0], [0, 1, 0], [0, 2, 2]]),  # A class is predicted that is missing in truth.
        ([0, 0, 1], [[0, 1, 2], [0, 0, 1], [1, 0, 0]]),  # Nothing is right.
        ([0, 0], [[1, 0, 0], [0, 0, 1]]),  # One certain sample is right, one is wrong.
    ]:
        test = example((labels, weights))(test)
    return settings(max_examples=50, deadline=None, database=None, derandomize=True)(given(labels_and_weights())(test))


def predictions_of(case):
    """The case as arrays: labels, predicted classes (the first one on a tie), probabilities; and as a table."""
    labels, weights = case
    predicted = [max(range(len(row)), key=row.__getitem__) for row in weights]
    probabilities = np.array([[weight / sum(row) for weight in row] for row in weights])
    table = pd.DataFrame(probabilities, columns=list("abcde")[: probabilities.shape[1]])
    return np.array(labels), np.array(predicted), probabilities, table.assign(label=labels, index=range(len(labels)))


@awkward_cases
def test_measures_of_a_fold_are_those_of_counting_by_hand(case):
    labels, predicted, probabilities, table = predictions_of(case)
    recalls, f1s = [], []
    for one in range(probabilities.shape[1]):
        hits = sum((labels == one) & (predicted == one))
        missed, wrong = sum(labels == one) - hits, sum(predicted == one) - hits
        if hits + missed:
            recalls.append(hits / (hits + missed))
        if hits + missed + wrong:
            f1s.append(2 * hits / (2 * hits + missed + wrong))
    true = [min(max(row[label], EPSILON), 1 - EPSILON) for label, row in zip(labels, probabilities, strict=True)]
    losses = [-math.log(probability) for probability in true]
    with warnings.catch_warnings(action="error"):
        found = measures.fold_measures(table, table.columns[: probabilities.shape[1]])
    assert found == {
        "accuracy": pytest.approx(sum(labels == predicted) / len(labels)),
        "balanced_accuracy": pytest.approx(sum(recalls) / len(recalls)),
        "macro_f1": pytest.approx(sum(f1s) / len(f1s)),
        "log_loss": pytest.approx(sum(losses) / len(losses), rel=1e-6),
        "n": len(labels),
    }


@awkward_cases
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true", "ignore:A single label was found")
def test_balanced_accuracy_and_f1_are_those_of_other_functions_of_scikit_learn(case):
    labels, predicted, probabilities, table = predictions_of(case)
    found = measures.fold_measures(table, table.columns[: probabilities.shape[1]])
    assert found["balanced_accuracy"] == pytest.approx(sklearn_metrics.balanced_accuracy_score(labels, predicted))
    # F1 is 2 J / (1 + J) of the Jaccard index J.
    jaccard = sklearn_metrics.jaccard_score(labels, predicted, average=None, zero_division=0)
    assert found["macro_f1"] == pytest.approx(np.mean(2 * jaccard / (1 + jaccard)))


@awkward_cases
def test_counts_and_measures_of_each_class_are_those_of_pandas_and_scikit_learn(case):
    labels, predicted, probabilities, table = predictions_of(case)
    classes = range(probabilities.shape[1])
    names = list(table.columns[: len(classes)])
    np.testing.assert_array_equal(measures.predicted_classes(table, names), predicted)
    counts = measures.confusion_counts(labels, predicted, len(classes))
    crossed = pd.crosstab(labels, predicted).reindex(index=classes, columns=classes, fill_value=0)
    np.testing.assert_array_equal(counts, crossed)
    found = measures.per_class(counts, names)
    precision, recall, f1, support = sklearn_metrics.precision_recall_fscore_support(
        labels, predicted, labels=classes, zero_division=np.nan
    )
    np.testing.assert_allclose(found[["precision", "recall", "f1"]], np.stack([precision, recall, f1], axis=1))
    assert found["class"].tolist() == names
    assert found["support"].tolist() == support.tolist()
    assert found["predicted"].tolist() == np.bincount(predicted, minlength=len(classes)).tolist()


def test_chance_by_hand():
    chance = measures.chance_levels(np.array([6, 2, 0]))
    assert chance["accuracy"] == 0.75
    assert chance["balanced_accuracy"] == 0.5
    # Naming always the first: F1 of 12 / 14 and 0.
    assert chance["macro_f1"] == pytest.approx(6 / 7 / 2)
    assert chance["log_loss"] == pytest.approx(-0.75 * np.log(0.75) - 0.25 * np.log(0.25))


@pytest.mark.parametrize("support", [[6, 2, 2], [5, 5, 5], [90, 9, 1]])
def test_chance_is_what_scikit_learns_dummy_classifier_reaches(support):
    """With the strategy "prior", it names the most frequent class and gives the shares as probabilities."""
    labels = np.repeat([0, 1, 2], support)
    images = np.zeros((len(labels), 1))
    dummy = DummyClassifier(strategy="prior").fit(images, labels)
    predicted, probabilities = dummy.predict(images), dummy.predict_proba(images)
    assert measures.chance_levels(np.array(support)) == {
        "accuracy": pytest.approx(sklearn_metrics.accuracy_score(labels, predicted)),
        "balanced_accuracy": pytest.approx(sklearn_metrics.balanced_accuracy_score(labels, predicted)),
        "macro_f1": pytest.approx(sklearn_metrics.f1_score(labels, predicted, average="macro")),
        "log_loss": pytest.approx(sklearn_metrics.log_loss(labels, probabilities)),
    }


@pytest.mark.parametrize(
    "supports", [[[6, 2, 2], [0, 3, 1]], [[300, 1, 1], [0, 5, 0], [0, 0, 4]], [[2, 2, 0], [0, 2, 2]]]
)
def test_chance_over_folds_is_what_the_same_answer_for_each_image_reaches(supports):
    """Also where the folds differ in size, and lack classes: no model that looks at nothing beats it."""
    shares = np.sum(supports, axis=0) / np.sum(supports)
    reached = []
    for support in supports:
        labels = np.repeat([0, 1, 2], support)
        answers = pd.DataFrame(np.tile(shares, (len(labels), 1)), columns=NAMES).assign(label=labels)
        reached.append(measures.fold_measures(answers, NAMES))
    expected = pd.DataFrame(reached).drop(columns="n").mean().to_dict()
    assert measures.chance_over_folds(np.array(supports)) == pytest.approx(expected, rel=1e-6)


def weakness(counts, mean, low=np.nan, high=np.nan):
    counts = np.array(counts)
    chance = measures.chance_levels(counts.sum(axis=1))["accuracy"]
    return measures.describe_weakness(counts, NAMES, {"mean": mean, "low": low, "high": high, "chance": chance})


def test_a_model_that_names_nearly_one_class_is_described_with_its_figures():
    named, doubted = weakness([[0, 40, 0], [0, 40, 0], [0, 39, 1]], 0.342, 0.3, 0.39).split("; ")
    assert named == "119 of 120 images are predicted as happy, and 40 are"
    assert doubted.startswith("the accuracy of 0.342 (95 % interval 0.300 to 0.390) is not beyond doubt above 0.333")
    assert "always naming angry" in doubted


def test_a_mean_without_an_interval_is_doubted_without_one():
    text = weakness([[20, 20, 0], [20, 10, 10], [20, 10, 10]], 1 / 3)
    assert text.startswith("the accuracy of 0.333 is not beyond doubt above 0.333")


@pytest.mark.parametrize(
    ("others", "predicted", "named"),
    [
        # Of 100 images, 5 are no longer less than 5 %.
        (60, 4, True),
        (60, 5, False),
        # 2 are less than a quarter of 9, and not of 8.
        (9, 2, True),
        (8, 2, False),
    ],
)
def test_nearly_one_class_is_less_than_a_twentieth_and_less_than_a_quarter_of_the_others(others, predicted, named):
    """`others` images are not happy, and `predicted` of them are not predicted as happy."""
    text = weakness([[predicted, others - predicted, 0], [0, 100 - others, 0], [0, 0, 0]], 0.9, 0.85, 0.95)
    assert ("are predicted as happy" in text) == named


@pytest.mark.parametrize(("mean", "doubted"), [(0.75, True), (0.76, False)])
def test_a_mean_of_more_than_four_standard_errors_above_chance_is_not_doubted(mean, doubted):
    """With 64 images and a chance of 1/2, the binomial standard error is 1/16."""
    assert bool(weakness([[25, 7, 0], [8, 24, 0], [0, 0, 0]], mean, 0.4, 0.95)) == doubted


@pytest.mark.parametrize(
    ("counts", "figures", "warned"),
    [
        ([[30, 5, 5], [5, 30, 5], [5, 5, 30]], (0.75, 0.6, 0.86), False),
        ([[16, 12, 12], [12, 16, 12], [12, 12, 16]], (0.4, 0.3, 0.5), True),
        # Two folds give an interval that reaches nearly everywhere.
        ([[30, 5, 5], [5, 30, 5], [5, 5, 30]], (0.75, 0.05, 0.99), False),
        # All folds equal, or only one: without an interval, the mean counts.
        ([[40, 0, 0], [0, 40, 0], [0, 0, 40]], (1.0,), False),
        ([[20, 20, 0], [20, 10, 10], [20, 10, 10]], (1 / 3,), True),
        # A class that most images are of may be named for most of them.
        ([[960, 2, 2], [4, 14, 0], [4, 0, 14]], (0.988, 0.98, 0.99), False),
        ([[970, 0, 0], [10, 5, 0], [10, 0, 5]], (0.98, 0.975, 0.985), False),
    ],
)
def test_only_weak_models_are_warned_of(counts, figures, warned):
    assert bool(weakness(counts, *figures)) == warned


@pytest.mark.filterwarnings("error")
def test_per_class_on_pooled_counts():
    table = measures.per_class(np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]]), NAMES)
    assert list(table.columns) == ["class", "support", "predicted", "precision", "recall", "f1"]
    assert table["class"].tolist() == NAMES
    assert table["support"].tolist() == [8, 4, 0]
    assert table["predicted"].tolist() == [7, 5, 0]
    np.testing.assert_allclose(table["precision"], [6 / 7, 3 / 5, np.nan])
    np.testing.assert_allclose(table["recall"], [6 / 8, 3 / 4, np.nan])
    np.testing.assert_allclose(table["f1"], [12 / 15, 6 / 9, np.nan])


def test_a_class_never_predicted_has_an_f1_of_zero():
    table = measures.per_class(np.array([[3, 0], [2, 0]]), NAMES[:2])
    assert np.isnan(table["precision"][1])
    assert table["recall"][1] == 0
    assert table["f1"][1] == 0


def test_accuracy_curves_with_a_fold_stopped_early():
    histories = pd.DataFrame(
        {
            "fold": [0, 0, 1, 1, 1],
            "epoch": [1, 2, 1, 2, 3],
            "accuracy": [0.2, 0.4, 0.4, 0.8, 0.9],
            "clean_accuracy": [0.5, 0.6, 0.7, 0.8, 0.9],
            "val_accuracy": [0.3, 0.3, 0.3, 0.5, 0.6],
        }
    )
    curves = measures.accuracy_curves(histories.sample(frac=1, random_state=0))
    assert list(curves.columns) == [
        "epoch",
        "folds",
        "accuracy",
        "accuracy_spread",
        "clean_accuracy",
        "clean_accuracy_spread",
        "val_accuracy",
        "val_accuracy_spread",
    ]
    assert curves["epoch"].tolist() == [1, 2, 3]
    assert curves["folds"].tolist() == [2, 2, 1]
    np.testing.assert_allclose(curves["accuracy"], [0.3, 0.6, 0.9])
    np.testing.assert_allclose(curves["accuracy_spread"], [np.sqrt(0.02), np.sqrt(0.08), 0])
    np.testing.assert_allclose(curves["clean_accuracy"], [0.6, 0.7, 0.9])
    np.testing.assert_allclose(curves["clean_accuracy_spread"], [np.sqrt(0.02), np.sqrt(0.02), 0])
    np.testing.assert_allclose(curves["val_accuracy"], [0.3, 0.4, 0.6])
    np.testing.assert_allclose(curves["val_accuracy_spread"], [0, np.sqrt(0.02), 0], atol=1e-12)
