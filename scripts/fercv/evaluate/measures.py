"""Measures of predictions: of one fold, of each class over all folds, and over the epochs of training."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fercv.workflow.errors import InputError


def confusion_counts(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count true against predicted classes.

    Args:
        labels: int (n,), true classes, 0 to classes - 1.
        predicted: int (n,), predicted classes.
        classes: how many classes there are.

    Returns:
        int64 (classes, classes), one row per true class, one column per predicted class.
    """
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(labels, predicted, labels=np.arange(classes)).astype(np.int64)


def log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Average the cross-entropy of the true classes: minus the natural logarithm of their probabilities.

    This is scikit-learn's `log_loss` on float32 numbers: every probability is first brought into the range from
    1.2e-7, float32's epsilon, to 1 - 1.2e-7. A probability of 0 therefore costs 15.9 nats.

    Args:
        labels: int (n,), true classes, 0 to classes - 1.
        probabilities: (n, classes); they are converted to float32.

    Returns:
        Nats per sample; NaN where a probability is NaN or infinite, which scikit-learn would refuse.
    """
    from sklearn.metrics import log_loss as mean_cross_entropy

    probabilities = np.asarray(probabilities, dtype=np.float32)
    if not np.isfinite(probabilities).all():
        return float("nan")
    return float(mean_cross_entropy(labels, probabilities, labels=np.arange(probabilities.shape[1])))


def fold_measures(predictions: pd.DataFrame, class_names: Sequence[str]) -> dict[str, float]:
    """Measure one fold's predictions.

    The predicted class is the most probable one, the first on a tie.

    Args:
        predictions: one row per sample: index, label (int), then one probability per class in the order of class_names.
        class_names: names of the classes.

    Returns:
        accuracy; balanced_accuracy, the mean recall of the classes present in the fold; macro_f1, the mean F1 of the
        classes present or predicted in the fold; log_loss, see `log_loss`; n, the number of samples.

    Raises:
        InputError: the number of probability columns is not that of the classes.
    """
    from sklearn.metrics import f1_score

    labels = predictions["label"].to_numpy()
    probabilities = predictions.iloc[:, 2:].to_numpy(dtype=np.float32)
    if probabilities.shape[1] != len(class_names):
        raise InputError(
            f"predictions: {probabilities.shape[1]} probability columns found, expected {len(class_names)}, one per "
            "class: predict again with the present class names"
        )
    predicted = probabilities.argmax(axis=1)
    counts = confusion_counts(labels, predicted, len(class_names))
    support = counts.sum(axis=1)
    present = support > 0
    return {
        "accuracy": float(np.mean(predicted == labels)),
        "balanced_accuracy": float(np.mean(counts.diagonal()[present] / support[present])),
        "macro_f1": float(f1_score(labels, predicted, average="macro", zero_division=0)),
        "log_loss": log_loss(labels, probabilities),
        "n": len(labels),
    }


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
        histories: one row per fold and epoch: fold, epoch, accuracy, val_accuracy.

    Returns:
        One row per epoch: epoch, folds, accuracy, accuracy_spread, val_accuracy, val_accuracy_spread. A spread is the
        sample standard deviation over the folds, 0 for one fold. Where early stopping has ended some folds, the mean is
        over the others; folds is their number.
    """
    epochs = histories.groupby("epoch")
    curves = pd.DataFrame({"folds": epochs["fold"].nunique()})
    for column in ("accuracy", "val_accuracy"):
        curves[column] = epochs[column].mean()
        curves[f"{column}_spread"] = epochs[column].std().fillna(0.0)
    return curves.reset_index()
