"""Label issues: labels that are probably wrong, found by confident learning from the out-of-fold predictions.

Every training image was predicted by a model that did not see it. If this model gives the image's label a low
probability, either the model is wrong or the label. Confident learning (Northcutt, Jiang & Chuang 2021, "Confident
learning: estimating uncertainty in dataset labels", JAIR 70) estimates how many labels are wrong. It takes into account
that a model is more confident of some classes than of others. The package cleanlab does it.

An issue is a reason to look at an image, and no proof. A weak model has many, most of which are its own mistakes.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fercv.data.tables import LABEL_ISSUES, LABEL_RANKING

# cleanlab is imported where it is used, because that takes longer than importing everything else here.


def find_label_issues(predictions: pd.DataFrame, sources: Sequence[str], class_names: Sequence[str]) -> pd.DataFrame:
    """List the images whose labels are probably wrong, the most suspicious one first.

    Confident learning says how many these are. They are those whose labels get the lowest probabilities (cleanlab's
    `low_self_confidence`). On the demo's faces, whose wrong labels are known, this was better than cleanlab's other
    filters, in precision and in recall. An image whose label is also the most probable class is left out.

    Args:
        predictions: out-of-fold, one row per image, each class at least once: index, label (int), and a probability for
            each class, under the class's name.
        sources: the source of each image, by its index.
        class_names: names of the classes, in the order of the labels.

    Returns:
        The table that `LABEL_ISSUES` describes. It may have no rows.
    """
    import cleanlab.filter

    labels, probabilities = _arrays(predictions, class_names)
    rows, suggested = np.arange(len(labels)), probabilities.argmax(axis=1)
    # One job: more would start processes, which takes longer than the work.
    flagged = cleanlab.filter.find_label_issues(labels, probabilities, filter_by="low_self_confidence", n_jobs=1)
    index, names = predictions["index"].to_numpy(), np.array(class_names, dtype=object)
    issues = pd.DataFrame(
        {
            "index": index,
            "sample": np.array(sources, dtype=object)[index],
            "given": names[labels],
            "suggested": names[suggested],
            "given_probability": probabilities[rows, labels],
            "suggested_probability": probabilities[rows, suggested],
        },
        columns=list(LABEL_ISSUES),
    )
    issues = issues[flagged & (suggested != labels)]
    return issues.sort_values(["given_probability", "index"], ignore_index=True)


def rank_label_issues(
    issues: Mapping[str, pd.DataFrame], predictions: Mapping[str, pd.DataFrame], class_names: Sequence[str]
) -> pd.DataFrame:
    """List the images that are an issue of at least one model, the most suspicious one first.

    `quality` is a weighted mean, over all models, of the probability that they give to the label: the lower, the more
    suspicious. The weights are those with which the models' mean prediction has the lowest log loss (cleanlab's
    `log_loss_search`), so a weak model counts little. On the demo's faces, votes that count alike found the wrong
    labels far worse than the best model alone.

    Args:
        issues: for each model, what `find_label_issues` returned.
        predictions: for each model, the same images' predictions, as `find_label_issues` takes them.
        class_names: names of the classes, in the order of the labels.

    Returns:
        The table that `LABEL_RANKING` describes. After its columns, there is a column `suggested_by_<model>` for each
        model: the class that it suggests, or an empty text where the image is no issue of this model.
    """
    tables = [table.sort_values("index") for table in predictions.values()]
    quality = pd.Series(_quality(tables, class_names), index=tables[0]["index"])
    by_image = {model: table.set_index("index") for model, table in issues.items()}
    pooled = pd.concat(by_image.values()).sort_values("suggested_probability", ascending=False, kind="stable")
    # The class that most models suggest; if equally many suggest two, the more probable one.
    votes = pooled.groupby(["index", "suggested"], sort=False).size().sort_values(ascending=False, kind="stable")
    suggested = votes.reset_index().drop_duplicates("index").set_index("index")["suggested"]
    first = pooled[~pooled.index.duplicated()].sort_index()
    ranking = first[["sample", "given"]].assign(
        suggested=suggested, votes=pooled.index.value_counts(), quality=quality.reindex(first.index)
    )
    for model, table in by_image.items():
        ranking[f"suggested_by_{model}"] = table["suggested"].reindex(ranking.index, fill_value="")
    ranking = ranking.rename_axis("index").reset_index().sort_values(["quality", "index"], ignore_index=True)
    return ranking[[*LABEL_RANKING, *ranking.columns.drop(list(LABEL_RANKING))]]


def _quality(predictions: Sequence[pd.DataFrame], class_names: Sequence[str]) -> np.ndarray:
    """The weighted mean of the labels' probabilities over the models, which all have the same rows: float64 (n,)."""
    import cleanlab.rank

    arrays = [_arrays(table, class_names) for table in predictions]
    labels = arrays[0][0]
    if len(arrays) == 1:
        return cleanlab.rank.get_label_quality_scores(labels, arrays[0][1], method="self_confidence")
    return cleanlab.rank.get_label_quality_ensemble_scores(
        labels,
        [probabilities for _, probabilities in arrays],
        method="self_confidence",
        weight_ensemble_members_by="log_loss_search",
        # cleanlab's own values go up to 200. If all models are very wrong, all weights would then be 0.
        log_loss_search_T_values=[0.0001, 0.001, 0.01, 0.1, 1.0, 10.0],
        verbose=False,
    )


def _arrays(predictions: pd.DataFrame, class_names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Labels int64 (n,) and probabilities float64 (n, classes). The latter sum to 1, which cleanlab expects."""
    probabilities = predictions[list(class_names)].to_numpy(dtype=np.float64)
    return predictions["label"].to_numpy(), probabilities / probabilities.sum(axis=1, keepdims=True)
