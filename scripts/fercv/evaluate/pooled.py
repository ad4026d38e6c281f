"""Measures of the pooled predictions: every training image, as the one model predicted it that had not seen it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fercv.evaluate.bootstrap import bootstrap_draws, exact, percentile_interval
from fercv.evaluate.intervals import CONFIDENCE
from fercv.evaluate.measures import chance_levels, losses, predicted_classes

# Bins of equal width for the confidence, as many as in most publications since Guo et al. (2017).
BINS = 15
# More groups than these are put together at random, which bounds time and memory and hardly changes an interval.
GROUPS = 100_000


def group_numbers(groups: np.ndarray) -> np.ndarray:
    """Number the groups of samples for `group_sums`: int (samples,), 0 to `GROUPS` - 1 at most."""
    return np.unique(groups, return_inverse=True)[1] % GROUPS


def confidence_bins(confidences: np.ndarray) -> np.ndarray:
    """The bin of each confidence, 0 to `BINS` - 1. Bin b goes from b / `BINS` to (b + 1) / `BINS`, its end included."""
    return np.searchsorted(np.arange(1, BINS) / BINS, confidences)


def group_sums(predictions: pd.DataFrame, numbers: np.ndarray, class_names: Sequence[str]) -> np.ndarray:
    """Sum over groups of images what the measures are functions of. The sums of several folds are added up.

    Args:
        predictions: one row per image: index, label (int), and a probability for each class, under the class's name.
        numbers: int (samples,), the group of every sample, from `group_numbers`.
        class_names: names of the k classes, in the order of the labels.

    Returns:
        float64 (groups, 3 k + 1 + 3 `BINS`). For each class: its images; those of them that are predicted right; the
        images that are predicted as the class. Then the loss. For each bin of confidence: the images in it; those of
        them that are predicted right; the sum of the confidences.
    """
    labels, probabilities = predictions["label"].to_numpy(), predictions[list(class_names)].to_numpy()
    predicted, confidences = predicted_classes(predictions, class_names), probabilities.max(axis=1)
    bins, right, one = confidence_bins(confidences), (predicted == labels).astype(float), np.ones(len(labels))
    classes = len(class_names)
    of_bins = 3 * classes + 1
    sums = np.zeros((numbers.max() + 1, of_bins + 3 * BINS))
    flat, starts = sums.reshape(-1), numbers[predictions["index"]] * sums.shape[1]
    for column, summands in (
        (labels, one),
        (classes + labels, right),
        (2 * classes + predicted, one),
        (3 * classes, exact(losses(labels, probabilities))),
        (of_bins + bins, one),
        (of_bins + BINS + bins, right),
        (of_bins + 2 * BINS + bins, exact(confidences)),
    ):
        np.add.at(flat, starts + column, summands)
    return sums


def score_pooled(
    sums: np.ndarray, class_names: Sequence[str], seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Measure the predictions of all folds together, with 95 % intervals.

    The intervals are those of `fercv.evaluate.bootstrap.bootstrap_interval`, over groups of images; that of the
    calibration error is explained at `calibration_interval`. They take the trained models as they are, and say how far
    a measure may be off because the images are a sample.

    F1 is computed of sums over all folds, see `fercv.evaluate.measures.per_class`. The expected calibration error is
    the mean over the images of the difference between accuracy and mean confidence of their bin (Naeini, Cooper &
    Hauskrecht 2015, "Obtaining well calibrated probabilities using Bayesian binning", AAAI), for the predicted class
    (Guo et al. 2017, "On calibration of modern neural networks", ICML). It comes out too high: in each bin, the two
    differ by chance as well.

    Args:
        sums: float (groups, f), the sums of `group_sums` over all folds. Groups without an image do not count.
        class_names: names of the k classes.
        seed: of the draws. Models with the same images get the same draws.

    Returns:
        The table that `POOLED_METRICS` describes; a row for each class with the ends of its intervals: precision_low,
        precision_high, recall_low, recall_high, f1_low, f1_high; the table that `CALIBRATION` describes.
    """
    classes = len(class_names)
    sums = sums[sums[:, :classes].any(axis=1)]
    totals = sums.sum(axis=0, keepdims=True)
    drawn = bootstrap_draws(lambda drawn_totals: _measures(drawn_totals, classes), sums, seed)
    values, ends = _measures(totals, classes)[0], np.stack(percentile_interval(drawn), axis=1)
    overall, of_classes, of_bins, of_gaps = np.split(np.arange(len(values)), np.cumsum([4, 3 * classes, BINS]))
    images, _, _, _, in_bins, _, confidences = (part[0] for part in _parts(totals, classes))
    low, high, chance = calibration_interval(values[of_gaps], drawn[:, of_gaps])
    levels = chance_levels(images) | {"calibration_error": chance}
    metrics = pd.DataFrame(
        {
            "measure": ["accuracy", "balanced_accuracy", "macro_f1", "log_loss", "calibration_error"],
            "value": [*values[overall], np.abs(values[of_gaps]).sum()],
            "low": [*ends[overall, 0], low],
            "high": [*ends[overall, 1], high],
            "rows": int(images.sum()),
            "groups": len(sums),
        }
    )
    metrics.insert(4, "chance", metrics["measure"].map(levels))
    names = [f"{measure}_{end}" for measure in ("precision", "recall", "f1") for end in ("low", "high")]
    per_class = ends[of_classes].reshape(3, classes, 2).swapaxes(0, 1).reshape(classes, 6)
    calibration = pd.DataFrame(
        {
            "from": np.arange(BINS) / BINS,
            "to": np.arange(1, BINS + 1) / BINS,
            "images": in_bins.astype(np.int64),
            "confidence": _ratio(confidences, in_bins),
            "accuracy": values[of_bins],
            "low": ends[of_bins, 0],
            "high": ends[of_bins, 1],
        }
    )
    return metrics, pd.DataFrame(per_class, columns=names), calibration


def _parts(totals, classes):
    """The parts of sums (d, f) of `group_sums`, in their order: three of classes, the loss (d, 1), three of bins."""
    widths = [classes] * 3 + [1] + [BINS] * 2
    return np.split(totals, np.cumsum(widths), axis=1)


def _measures(totals, classes):
    """Measures of sums (d, f) of `group_sums`: (d, 4 + 3 k + 2 `BINS`).

    Accuracy, balanced accuracy, macro F1, log loss; precision, recall and F1 of each class; the accuracy of each bin;
    the share of the images that are in a bin, times the difference between its accuracy and its mean confidence.
    """
    images, right, predicted, loss, in_bins, right_in_bins, confidences = _parts(totals, classes)
    number = images.sum(axis=1, keepdims=True)
    # A class without an image has no recall, and one that is not predicted either has no F1: means leave them out.
    precision, recall, f1 = _ratio(right, predicted), _ratio(right, images), _ratio(2 * right, images + predicted)
    accuracy = right.sum(axis=1, keepdims=True) / number
    means = [np.nanmean(of_classes, axis=1, keepdims=True) for of_classes in (recall, f1)]
    bins = [_ratio(right_in_bins, in_bins), (right_in_bins - confidences) / number]
    return np.concatenate([accuracy, *means, loss / number, precision, recall, f1, *bins], axis=1)


def _ratio(part, whole):
    """Divide `part` by `whole`; NaN where there is nothing to divide by."""
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def calibration_interval(gaps: np.ndarray, drawn: np.ndarray) -> tuple[float, float, float]:
    """Compute a 95 % interval of the expected calibration error that allows for its bias.

    The error is a sum of absolute values, and chance makes it larger. Bootstrap draws add chance once more, so their
    percentiles are no interval. Instead, tests are inverted (Davison & Hinkley 1997, "Bootstrap Methods and their
    Application", section 5.5): the interval has all true errors with which the measured one is not too improbable. For
    that, the gaps are shrunk or stretched until the sum of their absolute values is the true error that is tested. Then
    chance is added to them, which is what the draws differ by from the measured gaps. In at least 2.5 % of the draws,
    the error must then be as large as the measured one, or larger, and in at least 2.5 % smaller. The interval always
    reaches up to the measured error, which may be smaller than chance makes it most of the time.

    In a simulation (confidences of the demo's cnn and fc, which are calibrated, or off by 0.02 to 0.16 on average; 5 %
    copies; 200 samples each of 200 and of 1,620 images; 400 draws), these intervals covered the true error in 91 to
    99 % of the cases, and percentiles in 0 to 91 %: never that of a calibrated model, which is 0.

    Args:
        gaps: float (bins,), for each bin the share of the images in it, times the difference between accuracy and mean
            confidence. The error is the sum of their absolute values.
        drawn: float (draws, bins), the same of bootstrap draws.

    Returns:
        low and high end, and the mean error that chance alone gives. All are NaN where all draws agree, or where the
        measured error is 0: they do not tell then how far it may be off.
    """
    error, noise = np.abs(gaps).sum(), drawn - gaps
    if error == 0 or not noise.any():
        return np.nan, np.nan, np.nan

    def true_error(share):
        """The least true error, found by bisection, with which this share of the draws reach the measured error."""
        low, high = 0.0, 1.0
        while high - low > 1e-9:
            middle = (low + high) / 2
            reaching = np.abs(gaps * (middle / error) + noise).sum(axis=1) >= error
            low, high = (low, middle) if reaching.mean() >= share else (middle, high)
        return high

    by_chance = np.abs(noise).sum(axis=1)
    low, high = (
        0.0 if (by_chance >= error).mean() >= share else true_error(share)
        for share in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
    )
    return low, float(max(high, error)), float(by_chance.mean())
