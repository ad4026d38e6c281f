"""The held-out test: measures of the folds' models, alone and together, on images that no model was trained on."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fercv.data.sources import USAGES
from fercv.data.tables import HELD_OUT_METRICS
from fercv.evaluate.bootstrap import bootstrap_interval, exact
from fercv.evaluate.measures import fold_measures, losses
from fercv.workflow.hashing import derive_seed

MEASURES = ["accuracy", "balanced_accuracy", "log_loss"]


def score_held_out(
    predictions: pd.DataFrame, of_folds: np.ndarray, groups: np.ndarray, class_names: Sequence[str], seed: int
) -> pd.DataFrame:
    """Measure the predictions of the held-out rows, for each usage with and without the copies of training images.

    The intervals are those of `bootstrap_interval`, over groups of images. They say how far a figure may be off because
    the images are a sample. They take the trained models as they are. All models of an experiment get the same draws.

    Args:
        predictions: (n rows) label, usage, in_training, then the ensemble's probabilities under the classes' names.
        of_folds: float32 (folds, n, classes), what each fold's model says.
        groups: int (n,), the group of each row, which is drawn as a whole.
        class_names: names of the classes, in the order of the labels.
        seed: of the draws.

    Returns:
        The table that `HELD_OUT_METRICS` describes. It has no rows of images that there are not, and none of images
        without copies where no image has a copy.
    """
    tables = []
    for usage in USAGES:
        of_usage = (predictions["usage"] == usage).to_numpy()
        without_copies = of_usage & (predictions["in_training"] == 0).to_numpy()
        for images, chosen in (("all", of_usage), ("without_copies", without_copies)):
            if chosen.any() and (images == "all" or (chosen != of_usage).any()):
                table = _score(
                    predictions[chosen], of_folds[:, chosen], groups[chosen], class_names, derive_seed(seed, usage)
                )
                tables.append(table.assign(usage=usage, images=images))
    return pd.concat(tables)[list(HELD_OUT_METRICS)]


def _score(predictions, of_folds, groups, class_names, seed):
    """Measure some rows: all columns of the table but usage and images."""
    labels, names = predictions["label"].to_numpy(), list(class_names)
    folds = pd.DataFrame(
        fold_measures(pd.DataFrame(of_fold, columns=names).assign(label=labels), names) for of_fold in of_folds
    )[MEASURES]
    ensemble = pd.Series(fold_measures(predictions, names))[MEASURES]
    values = {"single": folds.mean(), "ensemble": ensemble, "difference": ensemble - folds.mean()}
    low, high = bootstrap_interval(
        lambda totals: _measures(totals, len(names), len(of_folds)),
        _summands(labels, of_folds, predictions[names].to_numpy()),
        groups,
        seed,
    )
    table = pd.DataFrame(
        [(kind, measure, of_kind[measure]) for kind, of_kind in values.items() for measure in MEASURES],
        columns=["predictions", "measure", "value"],
    )
    table = table.assign(low=low, high=high, folds=len(folds), rows=len(labels), groups=len(np.unique(groups)))
    single = table["predictions"] == "single"
    for column, over_folds in (("standard_deviation", folds.std()), ("minimum", folds.min()), ("maximum", folds.max())):
        table[column] = over_folds.reindex(table["measure"]).to_numpy()
        table.loc[~single, column] = np.nan
    return table


def _summands(labels, of_folds, ensemble):
    """What the measures are sums of, for each row.

    Returns:
        float64 (n, 3 k + 2) for k classes: 1 in the column of the row's class; there again, how many of the
        folds' models are right; there again, whether the ensemble is right; the mean loss of the folds' models; the
        ensemble's loss.
    """
    of_class = np.eye(ensemble.shape[1])[labels]
    right = (of_folds.argmax(axis=2) == labels).sum(axis=0)
    together = ensemble.argmax(axis=1) == labels
    mean_loss = np.mean([losses(labels, of_fold) for of_fold in of_folds], axis=0)
    columns = [of_class, of_class * right[:, None], of_class * together[:, None]]
    both = np.stack([mean_loss, losses(labels, ensemble)], axis=1)
    return np.concatenate([*columns, exact(both)], axis=1)


def _measures(totals, classes, folds):
    """Measures of sums of `_summands`: (draws, 9), those of single models, those of the ensemble, and differences."""
    images, right_of_folds, right = np.split(totals[:, : 3 * classes], 3, axis=1)
    losses_of_both = totals[:, 3 * classes :].T
    number, present = images.sum(axis=1), (images > 0).sum(axis=1)
    found = []
    for right_of, loss in zip((right_of_folds / folds, right), losses_of_both, strict=True):
        # A class without an image in a draw has no recall.
        recalls = np.divide(right_of, images, out=np.zeros_like(images), where=images > 0)
        found.append(np.stack([right_of.sum(axis=1) / number, recalls.sum(axis=1) / present, loss / number], axis=1))
    single, ensemble = found
    return np.concatenate([single, ensemble, ensemble - single], axis=1)
