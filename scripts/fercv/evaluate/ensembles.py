"""Averages of two models: is the pair better than its members?"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from fercv.data.tables import COMPARISON
from fercv.evaluate.intervals import compare, holm
from fercv.evaluate.measures import fold_measures

MEASURES = ("accuracy", "balanced_accuracy", "log_loss")


def ensemble_name(model: str, other: str) -> str:
    """The name of the average of two models. No model has such a name."""
    return f"{model} + {other}"


def average_predictions(predictions: pd.DataFrame, others: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Average two models' probabilities of the images of one fold.

    Args:
        predictions: index, label and a probability for each class; a row for each image of the fold.
        others: those of the other model, of the same images, in any order.
        classes: names of the classes, in the order of the labels.

    Returns:
        Such a table in the order of the images' index.
    """
    first, second = (table.sort_values("index", ignore_index=True) for table in (predictions, others))
    if not first[["index", "label"]].equals(second[["index", "label"]]):
        raise ValueError("the models of an ensemble must predict the same images")
    names = list(classes)
    mean = (first[names].to_numpy(np.float64) + second[names].to_numpy(np.float64)) / 2
    return pd.concat([first[["index", "label"]], pd.DataFrame(mean, columns=names)], axis=1)


def compare_ensembles(
    predictions: Mapping[str, Mapping[str, pd.DataFrame]], folds: Mapping[str, str], classes: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure the average of each pair of models that have the same folds, and compare it with both of them.

    Nothing is fitted: the two models count the same. The images of a fold were in no training of the models that
    predict them, so the average is as honest as its members.

    Args:
        predictions: for each model, for each fold's name, index, label and the probabilities of the fold's images.
        folds: for each model which folds it has.
        classes: names of the classes, in the order of the labels.

    Returns:
        The columns of `intervals.compare`: for each pair and measure a row of the average, where `model` is its name
        and `versus` empty, and a row for the difference from each member. p_adjusted is adjusted for all of these, see
        `intervals.holm`. And a row for each average and fold: model, fold and the measures.
    """
    tables, of_folds = [], []
    for pair in combinations(predictions, 2):
        if folds[pair[0]] != folds[pair[1]]:
            continue
        name, metrics = ensemble_name(*pair), {}
        averages = {
            fold: average_predictions(predictions[pair[0]][fold], predictions[pair[1]][fold], classes)
            for fold in predictions[pair[0]]
        }
        for model, of_model in {name: averages, **{model: predictions[model] for model in pair}}.items():
            rows = [{"fold": fold} | fold_measures(table, classes) for fold, table in of_model.items()]
            metrics[model] = pd.DataFrame(rows)
        table = compare(metrics, MEASURES)
        tables.append(table[table["model"] == name])
        of_folds.append(metrics[name].assign(model=name))
    if not tables:
        return pd.DataFrame(columns=list(COMPARISON)), pd.DataFrame(columns=["model", "fold", *MEASURES])
    compared = pd.concat(tables, ignore_index=True)
    compared["p_adjusted"] = holm(compared["p_value"].to_numpy())
    return compared, pd.concat(of_folds, ignore_index=True)


def against_the_better(compared: pd.DataFrame, accuracy: Mapping[str, float]) -> pd.DataFrame:
    """The differences of each average from the member of the higher mean accuracy; of equal ones from the first.

    Args:
        compared: see `compare_ensembles`.
        accuracy: mean accuracy of each model.
    """
    differences = compared[compared["versus"] != ""]
    better = {name: max(members["versus"], key=accuracy.__getitem__) for name, members in differences.groupby("model")}
    return differences[differences["versus"] == differences["model"].map(better)]
