import functools

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics
from sklearn.calibration import calibration_curve

from fercv.data.tables import CALIBRATION, PER_CLASS, POOLED_METRICS, predictions_table, read_table, write_table
from fercv.evaluate import pooled
from fercv.evaluate.bootstrap import bootstrap_draws
from fercv.evaluate.measures import confusion_counts, per_class, predicted_classes

CLASSES = ["calm", "angry", "glad", "sad"]


def made_predictions(number=240, seed=1, classes=CLASSES, shares=(0.5, 0.3, 0.15, 0.05), sharpness=2.0):
    """Predictions of a model that is right more often than not, and sure of it: a table as train_fold writes it."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(len(classes), number, p=shares)
    logits = generator.normal(0, 1.5, (number, len(classes))) + 1.5 * np.eye(len(classes))[labels]
    probabilities = np.exp(sharpness * logits)
    probabilities = (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)
    return predictions_table(np.arange(number), labels, probabilities, classes)


def score(predictions, groups=None, classes=CLASSES, seed=3):
    groups = np.arange(predictions["index"].max() + 1) if groups is None else groups
    numbers = pooled.group_numbers(groups)
    return pooled.score_pooled(pooled.group_sums(predictions, numbers, classes), classes, seed)


def measures_by_scikit_learn(predictions, classes=CLASSES):
    """The four measures, then precision, recall and F1 of each class."""
    labels, probabilities = predictions["label"].to_numpy(), predictions[classes].to_numpy()
    predicted, every = probabilities.argmax(axis=1), range(len(classes))
    of_classes = sklearn_metrics.precision_recall_fscore_support(labels, predicted, labels=every, zero_division=np.nan)[
        :3
    ]
    return [
        sklearn_metrics.accuracy_score(labels, predicted),
        np.nanmean(of_classes[1]),
        sklearn_metrics.f1_score(labels, predicted, average="macro"),
        sklearn_metrics.log_loss(labels, np.float32(probabilities), labels=every),
        *np.concatenate(of_classes),
    ]


def test_the_measures_are_those_of_scikit_learn():
    predictions = made_predictions()
    metrics, _, calibration = score(predictions)
    assert metrics["measure"].tolist() == [
        "accuracy", "balanced_accuracy", "macro_f1", "log_loss", "calibration_error"
    ]  # fmt: skip
    values = metrics.set_index("measure")["value"]
    np.testing.assert_allclose(values[:4], measures_by_scikit_learn(predictions)[:4], atol=1e-7)
    labels, probabilities = predictions["label"].to_numpy(), predictions[CLASSES].to_numpy()
    assert values["balanced_accuracy"] == pytest.approx(
        sklearn_metrics.balanced_accuracy_score(labels, probabilities.argmax(axis=1))
    )
    right, confidences = probabilities.argmax(axis=1) == labels, probabilities.max(axis=1)
    accuracy, confidence = calibration_curve(right, confidences, n_bins=15, strategy="uniform")
    filled = calibration[calibration["images"] > 0]
    np.testing.assert_allclose(filled["accuracy"], accuracy)
    np.testing.assert_allclose(filled["confidence"], confidence, atol=1e-8)
    error = np.average(np.abs(accuracy - confidence), weights=filled["images"])
    assert values["calibration_error"] == pytest.approx(error, abs=1e-8)


def test_the_intervals_are_percentiles_of_scikit_learns_measures_of_drawn_groups(monkeypatch):
    monkeypatch.setattr(pooled, "bootstrap_draws", functools.partial(bootstrap_draws, draws=60))
    # The rarest class is in few groups, so that it has no recall in some draws.
    predictions, groups = made_predictions(80, shares=(0.5, 0.3, 0.17, 0.03)), np.arange(80) // 2
    metrics, of_classes, _ = score(predictions, groups)
    drawn = []
    for draw in np.random.default_rng(3).integers(0, 40, (60, 40)):
        rows = np.concatenate([np.flatnonzero(groups == group) for group in draw])
        drawn.append(measures_by_scikit_learn(predictions.iloc[rows]))
    low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(metrics["low"][:4], low[:4], atol=1e-7)
    np.testing.assert_allclose(metrics["high"][:4], high[:4], atol=1e-7)
    for place, measure in enumerate(("precision", "recall", "f1")):
        found = of_classes[[f"{measure}_low", f"{measure}_high"]].to_numpy()
        expected = np.stack([low, high], axis=1)[4 + 4 * place :][:4]
        expected[expected[:, 0] == expected[:, 1]] = np.nan
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_folds_are_added_up_and_the_order_of_images_does_not_matter():
    predictions, groups = made_predictions(), np.arange(240) // 3
    numbers = pooled.group_numbers(groups)
    shuffled = predictions.sample(frac=1, random_state=0)
    by_fold = sum(pooled.group_sums(shuffled.iloc[place::4], numbers, CLASSES) for place in range(4))
    once = pooled.group_sums(predictions, numbers, CLASSES)
    np.testing.assert_array_equal(by_fold, once)


def test_images_that_were_not_predicted_change_nothing():
    """Those that are held out stand between the others in the table of samples."""
    predictions = made_predictions(60)
    apart = predictions.assign(index=predictions["index"] * 3 + 1)
    for one, other in zip(score(predictions), score(apart, np.arange(200)), strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_more_groups_than_the_limit_give_nearly_the_same_intervals(monkeypatch):
    predictions = made_predictions(4000)
    expected, _, _ = score(predictions)
    monkeypatch.setattr(pooled, "GROUPS", 400)
    found, _, _ = score(predictions)
    assert set(found["groups"]) == {400}
    np.testing.assert_array_equal(found["value"], expected["value"])
    width = expected["high"] - expected["low"]
    np.testing.assert_allclose(found["high"] - found["low"], width, rtol=0.15)


# The example of the documentation of torchmetrics, MulticlassCalibrationError with n_bins=3 and norm="l1".
TORCHMETRICS = [[0.25, 0.20, 0.55], [0.55, 0.05, 0.40], [0.10, 0.30, 0.60], [0.90, 0.05, 0.05]], [0, 1, 2, 0], 0.2


@pytest.mark.parametrize(("probabilities", "labels", "error"), [TORCHMETRICS])
def test_published_examples_of_the_calibration_error(monkeypatch, probabilities, labels, error):
    monkeypatch.setattr(pooled, "BINS", 3)
    classes = [f"class {number}" for number in range(len(probabilities[0]))]
    predictions = predictions_table(np.arange(len(labels)), labels, np.array(probabilities), classes)
    metrics, _, _ = score(predictions, classes=classes)
    assert metrics.set_index("measure").loc["calibration_error", "value"] == pytest.approx(error, abs=1e-8)


def test_a_confidence_at_the_end_of_a_bin_belongs_to_it():
    ends = np.arange(1, 16) / 15
    assert pooled.confidence_bins(ends).tolist() == list(range(15))
    assert pooled.confidence_bins(np.nextafter(ends[:-1], 1)).tolist() == list(range(1, 15))


def claims(number, generator, factor):
    """Confidences that are `factor` times too large, in the logit, and whether the predictions are right."""
    logits = generator.normal(1.2, 1.2, number)
    right = generator.random(number) < 1 / (1 + np.exp(-logits))
    return 1 / (1 + np.exp(-factor * logits)), right


def errors_of(confidences, right, draws, generator):
    bins = pooled.confidence_bins(confidences)
    differences = np.zeros((len(right), pooled.BINS))
    differences[np.arange(len(right)), bins] = right - confidences
    weights = generator.multinomial(len(right), np.full(len(right), 1 / len(right)), draws)
    return differences.mean(axis=0), weights @ differences / len(right)


@pytest.mark.parametrize("factor", [1.0, 1.6])
def test_intervals_of_the_calibration_error_hold_the_true_one_where_percentiles_do_not(factor):
    generator = np.random.default_rng(4)
    # Of a calibrated model, what is left of the error with so many images is chance as well.
    true = 0 if factor == 1 else np.abs(errors_of(*claims(200_000, generator, factor), 1, generator)[0]).sum()
    held, by_percentiles, from_zero = 0, 0, 0
    for _ in range(100):
        gaps, drawn = errors_of(*claims(200, generator, factor), 200, generator)
        low, high, chance = pooled.calibration_interval(gaps, drawn)
        assert low < np.abs(gaps).sum() <= high
        held += low <= true <= high
        from_zero += low == 0
        percentiles = np.quantile(np.abs(drawn).sum(axis=1), [0.025, 0.975])
        by_percentiles += percentiles[0] <= true <= percentiles[1]
        assert 0 < chance < 0.1
    assert held >= 88
    assert by_percentiles <= 50
    assert (from_zero >= 88) == (factor == 1)


def test_a_calibration_error_of_exactly_zero_is_not_known_to_be_zero():
    gaps, drawn = np.zeros(15), np.random.default_rng(0).normal(0, 0.01, (100, 15))
    assert np.isnan(pooled.calibration_interval(gaps, drawn)).all()


@pytest.mark.filterwarnings("error")
def test_few_images_and_missing_classes_claim_no_interval_that_is_not_known():
    one = made_predictions(1)
    metrics, of_classes, calibration = score(one)
    assert metrics[["low", "high"]].isna().all(axis=None) and of_classes.isna().all(axis=None)
    assert calibration["images"].sum() == 1
    assert np.isnan(metrics.set_index("measure").loc["calibration_error", "chance"])
    predictions = made_predictions(50)
    of_two = predictions[predictions["label"] < 2]
    metrics, of_classes, _ = score(of_two)
    values = metrics.set_index("measure")["value"]
    assert values["balanced_accuracy"] == pytest.approx(np.nanmean(measures_by_scikit_learn(of_two)[8:12]))
    # No image is of the last class, so its recall is not known; some are taken for it, and all of them wrongly.
    assert of_classes.loc[3, ["recall_low", "recall_high"]].isna().all()
    sure = predictions_table(np.arange(9), np.arange(9) % 4, np.eye(4)[np.arange(9) % 4], CLASSES)
    metrics, of_classes, _ = score(sure)
    assert metrics["value"].tolist()[:3] == [1, 1, 1]
    assert metrics[["low", "high"]][:3].isna().all(axis=None) and of_classes.isna().all(axis=None)


def test_chance_of_the_calibration_error_shrinks_with_the_number_of_images():
    few, many = (
        score(made_predictions(number, sharpness=0.8))[0].set_index("measure").loc["calibration_error", "chance"]
        for number in (100, 10_000)
    )
    assert 5 * many < few


def test_the_tables_come_back_and_equal_seeds_give_equal_bytes(tmp_path):
    predictions = made_predictions(60)
    counts = confusion_counts(predictions["label"].to_numpy(), predicted_classes(predictions, CLASSES), 4)
    for place in ("one", "other"):
        metrics, of_classes, calibration = score(predictions)
        (tmp_path / place).mkdir()
        write_table(metrics, tmp_path / place / "metrics.csv")
        write_table(per_class(counts, CLASSES).join(of_classes), tmp_path / place / "per_class.csv")
        write_table(calibration, tmp_path / place / "calibration.csv")
    for name, kinds in (("metrics", POOLED_METRICS), ("per_class", PER_CLASS), ("calibration", CALIBRATION)):
        one, other = (tmp_path / place / f"{name}.csv" for place in ("one", "other"))
        assert list(read_table(one, kinds).columns) == list(kinds)
        assert one.read_bytes() == other.read_bytes()
    assert not score(predictions, seed=4)[0].equals(score(predictions)[0])
