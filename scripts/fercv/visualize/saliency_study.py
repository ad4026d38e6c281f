"""What the models of all folds look at: maps of some images, mean maps of each class, and the checks of both."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from fercv.data.preprocessing import standardize
from fercv.visualize.saliency import (
    Explained,
    Settings,
    explain,
    heat_of,
    possible_methods,
    relative_heat,
    saliency_maps,
    sums_by_class,
)
from fercv.visualize.saliency_checks import Values, check_folds, check_images, check_parts, check_weights, summarize


class Plan(NamedTuple):
    """What is computed, see the block `saliency` of config.yaml.

    shown: rows of the images whose maps are shown, int (n,).
    shown_classes: their classes, int (n,): those that the model of the fold `fold` predicts.
    fold: the fold whose model is shown, and whose weights are shuffled.
    methods, mean_methods: of single images, and of the mean maps.
    checked: how many images of each fold are checked.
    threshold: heat above which a pixel is kept.
    grad_cam_layer: see `explain`.
    settings: of the maps.
    """

    shown: np.ndarray
    shown_classes: np.ndarray
    fold: int
    methods: Sequence[str]
    mean_methods: Sequence[str]
    checked: int
    threshold: float
    grad_cam_layer: str | None
    settings: Settings


class Study(NamedTuple):
    """The maps and the checks of a model.

    maps: signed maps of the images shown, by the model of the fold shown: {method: float32 (n, height, width)}.
    fold_heats: their heat by the models of all folds: {method: float32 (folds, n, height, width)}.
    agreement: mean rank correlation of these heats between two folds: {method: float64 (n,)}.
    means: mean heat of each class, as a multiple of an even distribution: {method: float64 (classes, height, width)}.
    mean_faces: float64 (classes, height, width), the mean of the images, from 0 to 255.
    mean_images: int (classes,), their number: all that are classified correctly. Where it is 0, the means are zeros.
    checks: the table M/saliency_checks.csv.
    """

    maps: dict[str, np.ndarray]
    fold_heats: dict[str, np.ndarray]
    agreement: dict[str, np.ndarray]
    means: dict[str, np.ndarray]
    mean_faces: np.ndarray
    mean_images: np.ndarray
    checks: pd.DataFrame


def study_folds(
    models: Iterable,
    predictions: Sequence[pd.DataFrame],
    images: np.ndarray,
    classes: Sequence[str],
    masks: Mapping[str, np.ndarray],
    plan: Plan,
) -> Study:
    """Compute the maps of all folds, one model after the other.

    Args:
        models: the folds' models; one may be the same object as the one before, with other weights.
        predictions: of each fold its validation images: index, label and predicted, all int.
        images: uint8 (N, height, width); may be memory-mapped.
        classes: names of the classes.
        masks: the pixels of each part of the face, bool (N, height, width); empty where they are not known.
        plan: see `Plan`.
    """
    explained, maps, values = None, {}, []
    heats, means = {}, {}
    faces, counts = np.zeros((len(classes), *images.shape[1:])), np.zeros(len(classes), dtype=np.int64)
    shown = standardize(images[plan.shown])
    for fold, (model, rows) in enumerate(zip(models, predictions, strict=True)):
        # A model that only got other weights keeps its compiled functions.
        if explained is None or explained.model is not model:
            explained = explain(model, plan.grad_cam_layer)
            methods = possible_methods(explained, plan.methods) or ["gradient"]
        for method in methods:
            of_fold = saliency_maps(method, explained, shown, plan.shown_classes, plan.settings)
            heats.setdefault(method, []).append(heat_of(method, of_fold))
            if fold == plan.fold:
                maps[method] = of_fold
        if fold == plan.fold:
            values += check_weights(explained, methods, shown, plan.shown_classes, plan.settings)
        right = rows[rows["predicted"] == rows["label"]]
        values += _check_some(explained, methods, images, classes, masks, right, fold, plan)
        faces += sums_by_class(images[right["index"]], right["label"].to_numpy(), len(classes))
        counts += np.bincount(right["label"], minlength=len(classes))
        for method in possible_methods(explained, plan.mean_methods):
            sums = _sums_of_heat(method, explained, images, right, len(classes), plan.settings)
            means[method] = means.get(method, 0) + sums
    heats = {method: np.stack(of_folds) for method, of_folds in heats.items()}
    agreement = {}
    for method, of_folds in heats.items():
        agreement[method], rows = check_folds(method, of_folds)
        values += rows
    divisor = np.maximum(counts, 1)[:, None, None]
    means = {method: sums / divisor for method, sums in means.items()}
    return Study(maps, heats, agreement, means, faces / divisor, counts, summarize(values))


def choose_checked(rows: pd.DataFrame, number: int, fold: int, classes: int) -> pd.DataFrame:
    """Choose some rows of a fold, of as many classes as possible; over the folds, all classes get their turn.

    Args:
        rows: index and label.
        number: how many are chosen, or all if there are fewer.
        fold: number of the fold, from 0.
        classes: number of classes.
    """
    turn, place = rows.groupby("label").cumcount(), (rows["label"] - fold * number) % classes
    return rows.assign(turn=turn, place=place).sort_values(["turn", "place"]).head(number)[list(rows.columns)]


def _check_some(explained: Explained, methods, images, classes, masks, right, fold, plan: Plan) -> list[Values]:
    """The checks of a few images that the model of a fold classifies correctly."""
    checked = choose_checked(right, plan.checked, fold, len(classes))
    if checked.empty:
        return []
    index, labels = checked["index"].to_numpy(), checked["label"].to_numpy()
    standardized = standardize(images[index])
    heats = {
        method: heat_of(method, saliency_maps(method, explained, standardized, labels, plan.settings))
        for method in methods
    }
    of_images = {part: mask[index] for part, mask in masks.items()}
    values = check_images(explained.model, heats, images[index], labels, plan.threshold, [plan.settings.seed, fold])
    return values + (check_parts(heats, labels, classes, of_images) if masks else [])


def _sums_of_heat(method, explained: Explained, images, rows: pd.DataFrame, classes: int, settings: Settings):
    """The sum of the images' relative heat, by class: float64 (classes, height, width)."""
    sums = np.zeros((classes, *images.shape[1:]))
    for start in range(0, len(rows), settings.batch_size):
        batch = rows.iloc[start : start + settings.batch_size]
        labels = batch["label"].to_numpy()
        maps = saliency_maps(method, explained, standardize(images[batch["index"]]), labels, settings)
        sums += sums_by_class(relative_heat(heat_of(method, maps)), labels, classes)
    return sums
