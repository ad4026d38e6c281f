"""Measures of predictions: of one fold, of each class over all folds, and over the epochs of training.

The tests compare them with scikit-learn's. They do not call scikit-learn, because each fold would import it: that takes
a second, as long as an epoch of a narrow net.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fercv.workflow.chance import beats_chance


def confusion_counts(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count true against predicted classes.

    Args:
        labels: int (n,), true classes, 0 to classes - 1.
        predicted: int (n,), predicted classes.
        classes: how many classes there are.

    Returns:
        int64 (classes, classes), one row per true class, one column per predicted class.
    """
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Average the cross-entropy of the true classes, see `losses`: nats per sample."""
    return float(losses(labels, probabilities).mean())


def losses(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The cross-entropy of the true class of each sample: minus the natural logarithm of its probability.

    Their mean is that of scikit-learn's `log_loss` for float32: every probability is first brought into the range
    from 1.2e-7, float32's epsilon, to 1 - 1.2e-7. A probability of 0 therefore costs 15.9 nats.

    Args:
        labels: int (n,), true classes, 0 to classes - 1.
        probabilities: (n, classes); they are converted to float32.

    Returns:
        float64 (n,), nats; NaN where a probability of the sample is NaN or infinite, which scikit-learn would refuse.
    """
    probabilities, epsilon = np.asarray(probabilities, dtype=np.float32), np.finfo(np.float32).eps
    of_true_classes = np.clip(probabilities[np.arange(len(labels)), labels], epsilon, 1 - epsilon)
    return np.where(np.isfinite(probabilities).all(axis=1), -np.log(of_true_classes.astype(np.float64)), np.nan)


def predicted_classes(predictions: pd.DataFrame, class_names: Sequence[str]) -> np.ndarray:
    """The most probable class of each sample, the first one on a tie.

    Args:
        predictions: one row per sample: a probability for each class, under the class's name.
        class_names: names of the classes, in the order of the labels.

    Returns:
        int64 (samples,).
    """
    return predictions[list(class_names)].to_numpy().argmax(axis=1)


def fold_measures(predictions: pd.DataFrame, class_names: Sequence[str]) -> dict[str, float]:
    """Measure one fold's predictions.

    Args:
        predictions: one row per sample: label (int), and a probability for each class, under the class's name.
        class_names: names of the classes, in the order of the labels.

    Returns:
        accuracy; balanced_accuracy, the mean recall of the classes present in the fold; macro_f1, the mean F1 of the
        classes present or predicted in the fold; log_loss, see `log_loss`; n, the number of samples.
    """
    labels = predictions["label"].to_numpy()
    probabilities = predictions[list(class_names)].to_numpy(dtype=np.float32)
    predicted = predicted_classes(predictions, class_names)
    # A class without a recall or an F1 has NaN there, which pandas leaves out of a mean.
    of_classes = per_class(confusion_counts(labels, predicted, len(class_names)), class_names)
    return {
        "accuracy": float(np.mean(predicted == labels)),
        "balanced_accuracy": float(of_classes["recall"].mean()),
        "macro_f1": float(of_classes["f1"].mean()),
        "log_loss": log_loss(labels, probabilities),
        "n": len(labels),
    }


def misclassified(
    predictions: pd.DataFrame, fold: str, samples: pd.DataFrame, class_names: Sequence[str]
) -> pd.DataFrame:
    """List the samples of one fold whose predicted class is not the recorded one.

    Args:
        predictions: one row per sample: index, label (int), and a probability for each class, under the class's name.
        fold: name of the fold.
        samples: the table of all samples.
        class_names: names of the classes, in the order of the labels.

    Returns:
        One row per misclassified sample, in the order of `predictions`: index, source, true, predicted (names of
        classes), probability (of the predicted class), fold.
    """
    predicted, names = predicted_classes(predictions, class_names), np.array(class_names, dtype=object)
    table = pd.DataFrame(
        {
            "index": predictions["index"],
            "source": samples["source"].to_numpy()[predictions["index"]],
            "true": names[predictions["label"]],
            "predicted": names[predicted],
            "probability": predictions[list(class_names)].max(axis=1),
            "fold": fold,
        }
    )
    return table[predicted != predictions["label"]]


def chance_levels(support: np.ndarray, known: np.ndarray | None = None) -> dict[str, float]:
    """What the measures are without looking at the images.

    For accuracy, balanced_accuracy and macro_f1, this is always naming the most frequent class. For log_loss, it is
    giving each class its share of the images. (Of the images that decide the shares, this is their entropy.)

    Args:
        support: int (k,), the number of images of each class, at least one of which is not 0.
        known: int (k,), the numbers that decide which class is named, and the shares; those of `support` if left out.
            A class that is in `support` is here, too.

    Returns:
        The measures by name.
    """
    known = support if known is None else known
    present, named = support > 0, known.argmax()
    shares, expected = support[present] / support.sum(), known[present] / known.sum()
    found = float(support[named] / support.sum())
    return {
        "accuracy": found,
        "balanced_accuracy": float(present[named] / present.sum()),
        # The F1 of the named class, among those of the classes that are there or named.
        "macro_f1": 2 * found / (1 + found) / np.count_nonzero(present | (np.arange(len(support)) == named)),
        "log_loss": float(-(shares * np.log(expected)).sum()),
    }


def chance_over_folds(supports: np.ndarray) -> dict[str, float]:
    """The means over the folds of `chance_levels`. All folds together decide which class is named, and the shares.

    Where each fold has the same share of each class, these are the levels of all folds together. Folds by person, for
    example, may lack classes.

    Args:
        supports: int (folds, k), the number of images of each class in each fold.
    """
    return pd.DataFrame([chance_levels(support, supports.sum(axis=0)) for support in supports]).mean().to_dict()


def describe_weakness(counts: np.ndarray, class_names: Sequence[str], accuracy: Mapping[str, float]) -> str:
    """Say in words whether a model names nearly one class only, or whether its accuracy may be that of chance.

    A model names nearly one class if it gives all others less than 5 % of the images, and less than a quarter of those
    that are theirs. When its accuracy may be that of chance, `fercv.workflow.chance.beats_chance` says.

    Args:
        counts: int (k, k), the confusion counts pooled over the folds, one row per true class.
        class_names: names of the k classes.
        accuracy: mean, low and high over the folds, and chance, see `fercv.evaluate.intervals.summarize`.

    Returns:
        A text for a warning; empty if there is nothing to warn of.
    """
    total, predicted, support = counts.sum(), counts.sum(axis=0), counts.sum(axis=1)
    named, frequent = predicted.argmax(), support.argmax()
    others_predicted, others = total - predicted[named], total - support[named]
    found = []
    if others_predicted < 0.05 * total and 4 * others_predicted < others:
        found.append(
            f"{predicted[named]} of {total} images are predicted as {class_names[named]}, and {support[named]} are"
        )
    mean, low, high, chance = (accuracy[name] for name in ("mean", "low", "high", "chance"))
    if not beats_chance(mean, low, chance, total):
        interval = "" if np.isnan(low) else f" (95 % interval {low:.3f} to {high:.3f})"
        found.append(
            f"the accuracy of {mean:.3f}{interval} is not beyond doubt above {chance:.3f}, "
            f"which always naming {class_names[frequent]} gives"
        )
    return "; ".join(found)


def per_class(counts: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
    """Measure each class on the confusion counts pooled over all folds.

    Counts are summed over the folds before F1 is computed: Forman & Scholz (2010, "Apples-to-apples in
    cross-validation studies", SIGKDD Explorations 12) find that this is unbiased and that the mean of the folds' F1 is
    not.

    Args:
        counts: int (k, k), one row per true class.
        class_names: names of the k classes.

    Returns:
        One row per class: class, support (samples of the class), predicted (samples predicted as the class), precision,
        recall, f1. A measure that is 0 / 0 is NaN.
    """
    hits, support, predicted = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return pd.DataFrame(
            {
                "class": list(class_names),
                "support": support,
                "predicted": predicted,
                "precision": hits / predicted,
                "recall": hits / support,
                "f1": 2 * hits / (support + predicted),
            }
        )


def accuracy_curves(histories: pd.DataFrame) -> pd.DataFrame:
    """Average the folds' accuracy over the epochs.

    Args:
        histories: one row per fold and epoch: fold, epoch, accuracy, clean_accuracy, val_accuracy.

    Returns:
        One row per epoch: epoch, folds, and each accuracy and its spread, as in accuracy, accuracy_spread. A spread is
        the sample standard deviation over the folds, 0 for one fold. Where early stopping has ended some folds, the
        mean is over the others; folds is their number.
    """
    epochs = histories.groupby("epoch")
    curves = pd.DataFrame({"folds": epochs["fold"].nunique()})
    for column in ("accuracy", "clean_accuracy", "val_accuracy"):
        curves[column] = epochs[column].mean()
        curves[f"{column}_spread"] = epochs[column].std().fillna(0.0)
    return curves.reset_index()
