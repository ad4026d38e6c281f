"""What leaks are worth: the accuracy of the same model on folds that keep groups together, and on random ones."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fercv.data.tables import LEAKAGE
from fercv.evaluate.bootstrap import bootstrap_interval
from fercv.workflow.hashing import derive_seed

ASSIGNMENTS = ("grouped", "random", "difference")


def measure_leakage(
    right: Mapping[str, np.ndarray],
    pairs: Sequence[Sequence[str]],
    has_copy: np.ndarray,
    clusters: np.ndarray,
    seed: int,
) -> pd.DataFrame:
    """Compare the accuracy of models on random folds with that of the same models on grouped folds.

    Both predict each image once, by the fold's model that was not trained on it. So the difference is paired by image.
    The intervals are those of `bootstrap_interval`, over groups of images. They take the trained models as they are,
    and say how far a figure may be off because the images are a sample.

    Args:
        right: for each model, bool (n,): whether its prediction of each image is right.
        pairs: of models: the one on grouped folds, the one on random folds.
        has_copy: bool (n,), whether an exact copy of the image is among the other images.
        clusters: int (n,), the group of each image.
        seed: of the draws.

    Returns:
        The table that `LEAKAGE` describes. It has no rows of images that there are not.
    """
    models = list(right)
    answers = np.stack([np.ones(len(clusters)), *right.values()], axis=1)

    def accuracies(totals):
        """What stands in `value` for each pair and assignment: (draws, 3 * pairs)."""
        of_model = dict(zip(models, (totals[:, 1:] / totals[:, :1]).T, strict=True))
        columns = [(of_model[one], of_model[other], of_model[other] - of_model[one]) for one, other in pairs]
        return np.stack([column for three in columns for column in three], axis=1)

    tables = []
    for images, chosen in (("all", np.ones_like(has_copy)), ("with_copies", has_copy), ("without_copies", ~has_copy)):
        if not chosen.any():
            continue
        names = [(*pair, images, assignment) for pair in pairs for assignment in ASSIGNMENTS]
        table = pd.DataFrame(names, columns=["model", "random_model", "images", "assignment"])
        table["value"] = accuracies(answers[chosen].sum(axis=0, keepdims=True))[0]
        table["low"], table["high"] = bootstrap_interval(
            accuracies, answers[chosen], clusters[chosen], derive_seed(seed, images)
        )
        tables.append(table.assign(rows=chosen.sum(), groups=len(np.unique(clusters[chosen]))))
    of_pairs = pd.concat(tables).groupby(["model", "random_model"], sort=False)
    return pd.concat(table for _, table in of_pairs)[list(LEAKAGE)]
