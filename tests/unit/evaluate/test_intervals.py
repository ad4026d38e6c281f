import math
import statistics
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special, stats

from fercv.data.tables import METRICS, Kind
from fercv.evaluate import intervals
from fercv.evaluate.measures import log_loss
from fercv.workflow.errors import InputError


def test_summarize_by_hand():
    table = pd.DataFrame({"fold": [0, 1, 2, 3], "accuracy": [0.6, 0.7, 0.7, 0.8], "loss": [1.0, 3.0] * 2, "n": [9] * 4})
    summary = intervals.summarize(table, {"accuracy": 0.4}).set_index("measure")
    assert list(summary.index) == ["accuracy", "loss"]
    row = summary.loc["accuracy"]
    deviation = np.sqrt(0.02 / 3)
    half = stats.t.ppf(0.975, 3) * deviation * np.sqrt(1 / 4 + 1 / 3) / (0.7 * 0.3)
    odds = 0.7 / 0.3 * np.exp([-half, half])
    np.testing.assert_allclose(
        row[["mean", "standard_deviation", "minimum", "maximum", "low", "high", "chance"]].to_numpy(dtype=float),
        [0.7, deviation, 0.6, 0.8, *odds / (1 + odds), 0.4],
    )
    # Of a measure whose range is not known, the mean is not transformed, and so is in the middle.
    row = summary.loc["loss"]
    half = stats.t.ppf(0.975, 3) * np.sqrt(4 / 3) * np.sqrt(1 / 4 + 1 / 3)
    np.testing.assert_allclose(row[["low", "high"]].to_numpy(dtype=float), [2 - half, 2 + half])
    assert np.isnan(row["chance"])


def test_of_some_folds_of_a_cross_validation_the_training_sets_overlap_as_in_all_of_it():
    values = np.array([0.01, 0.02, 0.06])
    half = stats.t.ppf(0.975, 2) * np.std(values, ddof=1) * np.sqrt(1 / 3 + 1 / 19)
    _, _, low, high, _ = intervals.corrected_interval(values, number=20)
    np.testing.assert_allclose([low, high], [0.03 - half, 0.03 + half])


def test_summarize_one_fold_knows_no_spread():
    summary = intervals.summarize(pd.DataFrame({"fold": [0], "accuracy": [0.6]}), {})
    row = summary.iloc[0]
    assert row["mean"] == row["minimum"] == row["maximum"] == 0.6
    assert row[["standard_deviation", "low", "high"]].isna().all()
    # A chance that is not known is a number as well: NaN, not None.
    assert np.isnan(row["chance"])


@pytest.mark.parametrize(
    ("values", "measure"),
    [
        ([0.4, 3.9], "log_loss"),
        ([0.1, 0.2, 7.5, 0.1, 2.0], "log_loss"),
        ([0.9, 1.0, 1.0], "accuracy"),
        ([0.0, 1.0], "balanced_accuracy"),
        ([0.0, 0.0, 0.1], "macro_f1"),
    ],
)
def test_an_interval_lies_where_the_measure_can_and_holds_the_mean(values, measure):
    lowest, highest = intervals.measure_range(measure)
    mean, _, low, high, _ = intervals.corrected_interval(np.array(values), lowest, highest)
    assert lowest <= low < mean < high <= highest
    differences = np.array(values) - highest / 8
    mean, _, low, high, _ = intervals.corrected_interval(differences, lowest - highest, highest - lowest)
    assert lowest - highest <= low < mean < high <= highest - lowest


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_folds_that_do_not_differ_give_no_interval_and_no_p_value(value):
    found = intervals.corrected_interval(np.full(5, value), 0, 1)
    assert found[0] == pytest.approx(value)
    assert np.isnan(found[2:]).all()


@pytest.mark.filterwarnings("error")
def test_a_value_that_is_missing_gives_no_interval():
    assert np.isnan(intervals.corrected_interval(np.array([0.5, np.nan, 1.5]), 0, 16)[2:]).all()


@pytest.mark.parametrize("ends", [(-1, 1), (-1, 3), (-np.inf, np.inf)], ids=str)
@pytest.mark.parametrize("shift", [-0.4, -0.03, 0.001, 0.02, 0.35])
def test_the_p_value_is_below_a_twentieth_exactly_where_the_interval_leaves_out_zero(shift, ends):
    for seed in range(40):
        values = np.random.default_rng(seed).normal(shift, abs(shift) + 0.02, 6).clip(-1, 1)
        _, _, low, high, p_value = intervals.corrected_interval(values, *ends)
        assert (low < 0 < high) == (p_value > 0.05)


# Accuracies in percent of naive Bayes and of J48 in the folds of one 10-fold cross-validation. They are an example of
# the documentation of baycomp, https://github.com/janezd/baycomp: the first ten columns of the rows "sonar" in
# docs/code/accuracies.txt. docs/_static/t-norope.svg gives their means, 92.084 and 92.389.
NAIVE_BAYES = [94.203, 92.754, 95.652, 91.176, 92.647, 91.176, 92.647, 92.647, 86.765, 91.176]
J48 = [92.754, 92.754, 89.855, 89.706, 95.588, 89.706, 95.588, 94.118, 91.176, 92.647]


def test_a_published_comparison_of_two_classifiers_comes_out_to_the_last_digit():
    """docs/functions.rst of baycomp prints probabilities of the correlated Bayesian t-test for these accuracies.

    Corani & Benavoli derive this test (2015, "A Bayesian approach for comparing cross-validated algorithms on multiple
    data sets", Machine Learning). Its posterior is Student's t about the mean, with the squared error of Nadeau &
    Bengio. So its central 95 % are our interval, and the probability of the less probable sign is half of our p-value.
    """
    values = np.array(J48) - np.array(NAIVE_BAYES)
    mean, _, low, high, p_value = intervals.corrected_interval(values)
    assert p_value / 2 == pytest.approx(0.4145119975061462, abs=1e-14)
    posterior = stats.t(9, mean, (high - mean) / stats.t.ppf(0.975, 9))
    assert posterior.cdf(low) == pytest.approx(0.025)
    # What lies below and above the "region of practical equivalence", from -0.5 to 0.5.
    assert posterior.cdf(-0.5) == pytest.approx(0.28584464173791002, abs=1e-14)
    assert posterior.sf(0.5) == pytest.approx(0.44500348657406508, abs=1e-14)


def corrected_error(values, test_size, training_size):
    """The error of the mean after Nadeau & Bengio (2003), in their own terms."""
    return math.sqrt(statistics.variance(values) * (1 / len(values) + test_size / training_size))


@pytest.mark.parametrize("folds", [2, 3, 5, 10, 20])
def test_without_a_range_it_is_the_t_test_of_nadeau_and_bengio(folds):
    generator = np.random.default_rng(folds)
    for _ in range(20):
        values = generator.normal(generator.normal(), generator.uniform(0.01, 3), folds).tolist()
        center = statistics.fmean(values)
        # A cross-validation of 30 images in each fold.
        expected = stats.t(folds - 1, center, corrected_error(values, 30, 30 * (folds - 1)))
        mean, deviation, low, high, p_value = intervals.corrected_interval(np.array(values))
        assert (mean, deviation) == pytest.approx((center, statistics.stdev(values)))
        assert (low, high) == pytest.approx(expected.interval(0.95))
        assert p_value == pytest.approx(2 * min(expected.cdf(0), expected.sf(0)))


@pytest.mark.parametrize(("lowest", "highest"), [(0, 1), (-1, 1), (0, 15.9), (-15.9, 15.9), (2, 3)])
@pytest.mark.parametrize("folds", [2, 5, 20])
def test_with_a_range_the_delta_method_and_its_inverse_are_those_of_numerical_methods(lowest, highest, folds):
    """The derivative is a difference quotient, and the ends are found by root finding."""

    def scale(value):
        return math.log((value - lowest) / (highest - value))

    def value_at(place):
        tiny = 1e-14 * (highest - lowest)
        return optimize.brentq(lambda value: scale(value) - place, lowest + tiny, highest - tiny, xtol=1e-15)

    generator = np.random.default_rng(folds)
    for _ in range(10):
        values = (lowest + (highest - lowest) * generator.beta(*generator.uniform(2, 30, 2), folds)).tolist()
        center, step = statistics.fmean(values), 1e-6 * (highest - lowest)
        slope = (scale(center + step) - scale(center - step)) / (2 * step)
        error = corrected_error(values, 30, 30 * (folds - 1)) * slope
        reach = stats.t(folds - 1).isf(0.025) * error
        _, _, low, high, p_value = intervals.corrected_interval(np.array(values), lowest, highest)
        if reach < 25:  # Beyond, an end is so close to the range's that root finding cannot separate them.
            ends = value_at(scale(center) - reach), value_at(scale(center) + reach)
            assert (low, high) == pytest.approx(ends, rel=1e-6, abs=1e-8)
        if lowest < 0 < highest:
            expected = stats.t(folds - 1, scale(center), error)
            assert p_value == pytest.approx(2 * min(expected.cdf(scale(0)), expected.sf(scale(0))), rel=1e-6)


def nearest_centroids(training, labels, images):
    """Probabilities of two classes, from the squared distances to their centroids."""
    distances = [((images - training[labels == label].mean(axis=0)) ** 2).sum(axis=1) for label in (0, 1)]
    second = special.expit((distances[0] - distances[1]) / 2)
    return np.stack([1 - second, second], axis=1)


def draw(count, generator):
    labels = np.arange(count) % 2
    images = generator.normal(size=(count, 8))
    images[:, 0] += 3 * labels
    return images, labels


def scores(training, validation):
    probabilities = nearest_centroids(*training, validation[0])
    right = probabilities.argmax(axis=1) == validation[1]
    return right.mean(), log_loss(validation[1], probabilities)


@pytest.mark.parametrize(("count", "folds"), [(60, 5), (120, 10)])
def test_intervals_cover_what_models_of_this_training_size_reach(count, folds):
    """They are a heuristic, so the test asks for little less than 95 %."""
    generator = np.random.default_rng(0)
    size = count * (folds - 1) // folds
    truth = np.mean([scores(draw(size, generator), draw(1000, generator)) for _ in range(100)], axis=0)
    covered = []
    for _ in range(150):
        images, labels = draw(count, generator)
        fold = np.arange(count) // 2 % folds
        found = [
            scores((images[fold != one], labels[fold != one]), (images[fold == one], labels[fold == one]))
            for one in range(folds)
        ]
        for values, true, measure in zip(np.transpose(found), truth, ("accuracy", "log_loss"), strict=True):
            *_, low, high, _ = intervals.corrected_interval(values, *intervals.measure_range(measure))
            if not np.isnan(low):
                covered.append((measure, low <= true <= high))
    share = pd.DataFrame(covered, columns=["measure", "covered"]).groupby("measure")["covered"].mean()
    assert (share >= 0.93).all(), share


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
        "p_adjusted",
        "folds",
    ]
    assert table[["model", "versus"]].to_numpy().tolist() == [["cnn", ""], ["fc", ""], ["cnn", "fc"]]
    assert table["folds"].tolist() == [4, 4, 4]
    np.testing.assert_allclose(table["mean"], [0.75, 0.45, 0.3])
    # Paired by fold, every difference is 0.3: the models' spreads cancel.
    assert table["standard_deviation"][2] == pytest.approx(0, abs=1e-12)


def test_compare_keeps_the_given_order_of_models_and_the_sign():
    tables = {name: make_metrics(np.array([0.1, 0.2, 0.15, 0.3]) * k) for name, k in [("b", 1), ("c", 2), ("a", 3)]}
    pairs = intervals.compare(tables, measures=["accuracy"]).iloc[3:]
    assert pairs[["model", "versus"]].to_numpy().tolist() == [["b", "c"], ["b", "a"], ["c", "a"]]
    assert (pairs["mean"] < 0).all()


def test_compare_pairs_only_models_with_the_same_folds():
    tables = {name: make_metrics(np.array([0.1, 0.2, 0.15, 0.3]) * k) for name, k in [("a", 1), ("b", 2), ("c", 3)]}
    folds = {"a": "grouped", "b": "random", "c": "grouped"}
    table = intervals.compare(tables, measures=["accuracy"], folds=folds)
    assert table["model"].tolist() == ["a", "b", "c", "a"]
    assert table["versus"].tolist() == ["", "", "", "c"]


def test_compare_gives_each_model_the_interval_that_summarize_gives_it():
    metrics = {"cnn": make_metrics([1.0, 1.0, 0.9, 1.0]), "fc": make_metrics([0.1, 0.0, 0.0, 0.0])}
    table = intervals.compare(metrics, measures=["accuracy"]).set_index(["model", "versus"])
    for model, one in metrics.items():
        (expected,) = intervals.summarize(one, {})[["mean", "low", "high"]].to_numpy()
        assert table.loc[(model, ""), ["mean", "low", "high"]].tolist() == expected.tolist()


def test_a_difference_and_its_interval_lie_where_differences_can(monkeypatch):
    """A measure from -1 to 1 differs by 2 at most."""
    monkeypatch.setitem(METRICS, "kappa", Kind("float64", lowest=-1, highest=1))
    cnn, fc = (pd.DataFrame({"fold": range(3), "kappa": values}) for values in ([1, 0.9, 1], [-0.2, 0, -1]))
    row = intervals.compare({"cnn": cnn, "fc": fc}, measures=["kappa"]).iloc[2]
    mean, deviation, low, high, p_value = intervals.corrected_interval(np.array([1.2, 0.9, 2]), -2, 2)
    found = row[["mean", "standard_deviation", "low", "high", "p_value"]].to_numpy(dtype=float)
    np.testing.assert_allclose(found, [mean, deviation, low, high, p_value])
    assert -2 < low < mean < high < 2


def test_equal_models_do_not_differ():
    table = intervals.compare(
        {"a": make_metrics([0.1, 0.2, 0.3, 0.4]), "b": make_metrics([0.1, 0.2, 0.3, 0.4])}, ["accuracy"]
    )
    row = table.iloc[2]
    assert row["mean"] == 0
    # The folds do not tell how different two such models may be on other images.
    assert row[["low", "high", "p_value"]].isna().all()


def test_a_published_example_of_holms_adjustment():
    """The example of `holm` in the documentation of pingouin, with a test that was not made between them."""
    found = intervals.holm(np.array([0.50, 0.003, np.nan, 0.32, 0.054, 0.0003]))
    np.testing.assert_allclose(found, [0.64, 0.012, np.nan, 0.64, 0.162, 0.0015])


@pytest.mark.parametrize("number", [1, 2, 6])
def test_holms_adjustment_is_the_closed_test_of_bonferronis(number):
    """Closed testing (Marcus, Peritz & Gabriel 1976): a hypothesis is rejected if all sets that hold it are."""
    generator = np.random.default_rng(number)
    for _ in range(20):
        p_values = np.round(generator.beta(0.3, 1, number), 2)
        sets = [chosen for size in range(1, number + 1) for chosen in combinations(range(number), size)]
        expected = [
            max(min(1, len(chosen) * p_values[list(chosen)].min()) for chosen in sets if one in chosen)
            for one in range(number)
        ]
        np.testing.assert_allclose(intervals.holm(p_values), expected)


def test_the_p_values_of_all_pairs_and_measures_are_adjusted_together():
    generator = np.random.default_rng(2)
    tables = {name: pd.DataFrame(generator.normal(0.5, 0.02, (5, 2)), columns=["a", "b"]) for name in ("x", "y", "z")}
    tables["w"] = tables["x"].copy()
    tables["w"]["b"] += 0.1
    tables = {name: table.assign(fold=range(5)) for name, table in tables.items()}
    table = intervals.compare(tables, ["a", "b"])
    # x and w do not differ in a, and by the same in each fold in b: no test is made there.
    tested = table[table["p_value"].notna()]
    assert len(tested) == 10
    np.testing.assert_array_equal(table["p_adjusted"].isna(), table["p_value"].isna())
    assert tested["p_adjusted"].min() == pytest.approx(min(1, 10 * tested["p_value"].min()))
    assert intervals.holm(np.full(3, np.nan)).tolist() == pytest.approx([np.nan] * 3, nan_ok=True)


def test_compare_refuses_other_folds():
    with pytest.raises(InputError, match=r"model cnn \(0, 1\) and model fc \(0, 2\).* on the same folds$") as refusal:
        intervals.compare({"cnn": make_metrics([0.1, 0.2], (0, 1)), "fc": make_metrics([0.1, 0.2], (0, 2))})
    assert "\n" not in str(refusal.value)
