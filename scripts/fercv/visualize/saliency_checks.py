"""Checks of saliency: what a method's maps say about a model, and what any picture of a face would say.

Each check compares a method with something that knows nothing of the model: shuffled weights, a random order of the
pixels, or a blob in the middle of the image. The rows that the functions return are those of M/saliency_checks.csv, see
`fercv.data.tables`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import ndimage, special

from fercv.data.tables import SALIENCY_CHECKS
from fercv.nets.models import predict
from fercv.visualize.saliency import Explained, Settings, heat_of, saliency_maps

# Shares of the pixels that are deleted or inserted. Curves bend most at their start.
SHARES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
# Two orders of pixels that know nothing of the model: random, and from the centre outwards.
REFERENCES = ("random", "centre")
# Images in a batch of predictions.
PREDICTED_TOGETHER = 64


class Values(NamedTuple):
    """One quantity of a check, for several images: method, check, measure and place as in M/saliency_checks.csv."""

    method: str
    check: str
    measure: str
    place: str
    values: np.ndarray


def rank_correlation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of the pixels of pairs of maps.

    Args:
        first: float (n, height, width).
        second: as `first`.

    Returns:
        float64 (n,), from -1 to 1; 0 where a map has one value only.
    """
    return (_unit_ranks(first) * _unit_ranks(second)).sum(axis=1)


def _unit_ranks(maps: np.ndarray) -> np.ndarray:
    """Ranks of each map's pixels, shifted and scaled to a vector of mean 0 and length 1; zeros for a map of one value.

    The correlation of two maps is the product of their vectors.
    """
    ranks = pd.DataFrame(maps.reshape(len(maps), -1)).rank(axis=1).to_numpy()
    ranks = ranks - ranks.mean(axis=1, keepdims=True)
    length = np.sqrt(np.square(ranks).sum(axis=1, keepdims=True))
    return np.divide(ranks, length, out=np.zeros_like(ranks), where=length > 0)


def structural_similarity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Structural similarity (SSIM) of pairs of heats: Wang et al. (2004, doi:10.1109/TIP.2003.819861).

    With the constants and the window of the paper: a Gaussian of 1.5 pixels, cut off after 5.

    Args:
        first: float (n, height, width), from 0 to 1.
        second: as `first`.

    Returns:
        float64 (n,), at most 1: the mean over the image.
    """

    def local_mean(images):
        return ndimage.gaussian_filter(images, 1.5, axes=(1, 2), radius=5)

    first, second = first.astype(np.float64), second.astype(np.float64)
    means = local_mean(first), local_mean(second)
    variances = [
        local_mean(np.square(image)) - np.square(mean) for image, mean in zip((first, second), means, strict=True)
    ]
    covariance = local_mean(first * second) - means[0] * means[1]
    luminance = (2 * means[0] * means[1] + 0.01**2) / (np.square(means[0]) + np.square(means[1]) + 0.01**2)
    structure = (2 * covariance + 0.03**2) / (variances[0] + variances[1] + 0.03**2)
    return (luminance * structure).mean(axis=(1, 2))


def shuffled_from_the_top(model, seed: int) -> Iterator[str]:
    """Shuffle the weights of a model, layer by layer from the scores down: the cascade of Adebayo et al. (2018).

    The paper (arXiv:1810.03292) draws new weights. Shuffling destroys as much, and keeps the size of the weights, so
    that scores stay in their range. Arrays of one size in a layer are shuffled alike: the mean and the variance of a
    channel stay together. A normalization is shuffled with the layer before it.

    Args:
        model: Keras model. Its weights are changed; when the iterator ends, they are as before.
        seed: of the order, 0 or more.

    Yields:
        The name of the layer that was shuffled, after each convolutional or dense layer.
    """
    before = model.get_weights()
    try:
        for number, layer in enumerate(reversed(model.layers)):
            weights = layer.get_weights()
            if not weights:
                continue
            orders = {
                array.size: np.random.default_rng([seed, number, array.size]).permutation(array.size)
                for array in weights
            }
            layer.set_weights([array.ravel()[orders[array.size]].reshape(array.shape) for array in weights])
            if max(array.ndim for array in weights) > 1:
                yield layer.name
    finally:
        model.set_weights(before)


def centre_heat(shape: tuple[int, int]) -> np.ndarray:
    """The heat of a blob in the middle of an image: a Gaussian of a quarter of its sides; float64, shape as given."""
    rows, columns = (np.linspace(-2, 2, size) for size in shape)
    return np.exp(-0.5 * (np.square(rows)[:, None] + np.square(columns)))


def hottest_first(heat: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Order the pixels of each image by their heat, equal ones at random.

    Args:
        heat: float (n, height, width).
        generator: of the order of equal pixels.

    Returns:
        int (n, height * width): positions in the flattened image.
    """
    flat = heat.reshape(len(heat), -1)
    ties = generator.permuted(np.tile(np.arange(flat.shape[1]), (len(flat), 1)), axis=1)
    return np.lexsort((ties, -flat), axis=1)


def with_pixels(images: np.ndarray, orders: np.ndarray, counts: np.ndarray, deleted: bool) -> np.ndarray:
    """Delete the first pixels of an order from each image, or keep these alone. Deleted ones get the image's mean.

    Args:
        images: uint8 (n, height, width).
        orders: int (n, height * width), as from `hottest_first`.
        counts: int (n,), how many pixels are the first ones.
        deleted: whether these are deleted; if not, all others are.

    Returns:
        uint8 (n, height, width).
    """
    first = np.empty(orders.shape, dtype=bool)
    np.put_along_axis(first, orders, np.arange(orders.shape[1]) < np.reshape(counts, (-1, 1)), axis=1)
    first = first.reshape(images.shape)
    means = np.rint(images.mean(axis=(1, 2), keepdims=True)).astype(np.uint8)
    return np.where(first == deleted, means, images)


def deletion_and_insertion(
    predict_images: Callable, images: np.ndarray, classes: np.ndarray, orders: np.ndarray
) -> np.ndarray:
    """The probability of a class while pixels are deleted or inserted: Petsiuk et al. (2018, RISE, arXiv:1806.07421).

    Args:
        predict_images: function of images uint8 (m, height, width) that returns probabilities (m, classes).
        images: uint8 (n, height, width).
        classes: int (n,), the class of each image whose probability is meant.
        orders: int (o, n, height * width), as from `hottest_first`: several orders of each image.

    Returns:
        float64 (2, o, n, len(SHARES)): deletion, insertion.
    """
    number, pixels = len(images), orders.shape[2]
    counts = np.rint(np.array(SHARES) * pixels).astype(int)
    # With nothing and with everything deleted, all orders give the same.
    variants = [images, with_pixels(images, orders[0], np.full(number, pixels), True)]
    variants += [
        with_pixels(images, order, np.full(number, count), deleted)
        for deleted in (True, False)
        for order in orders
        for count in counts[1:-1]
    ]
    probabilities = predict_images(np.concatenate(variants))
    of_class = probabilities[np.arange(len(probabilities)), np.tile(classes, len(variants))]
    complete, empty, *between = of_class.reshape(-1, number)
    curves = np.empty((2, len(orders), number, len(SHARES)))
    curves[..., 1:-1] = np.moveaxis(np.reshape(between, (2, len(orders), -1, number)), 2, 3)
    for curve, first, last in zip(curves, (complete, empty), (empty, complete), strict=True):
        curve[..., 0], curve[..., -1] = first, last
    return curves


def check_images(
    model,
    heats: Mapping[str, np.ndarray],
    images: np.ndarray,
    labels: np.ndarray,
    threshold: float,
    seed: int | Sequence[int],
) -> list[Values]:
    """Check by the predictions what the heat says: are the hot pixels those that the model needs?

    - deletion, insertion: the probability of the class, by shares of the pixels; `area` is the area below this curve,
      `minus_random` and `minus_centre` the differences of areas to the references.
    - masking: whether the model names the class if only the pixels above the threshold are kept (`accuracy`), or as
      many random or central pixels (`accuracy_random`, `accuracy_centre`); the differences; `kept` is the share of the
      pixels.

    Args:
        model: Keras model.
        heats: of each method, as from `heat_of`, (n, height, width).
        images: uint8 (n, height, width), of which the model classifies each correctly.
        labels: int (n,), the classes.
        threshold: heat above which a pixel is kept, see `saliency.mask_image`.
        seed: of the random orders.
    """
    generator = np.random.default_rng(seed)
    orders = {method: hottest_first(heat, generator) for method, heat in heats.items()}
    orders["random"] = hottest_first(np.zeros(images.shape), generator)
    orders["centre"] = hottest_first(np.broadcast_to(centre_heat(images.shape[1:]), images.shape), generator)

    def predict_images(shown):
        return predict(model, shown, np.arange(len(shown)), PREDICTED_TOGETHER)

    counts = {method: (heat > threshold).sum(axis=(1, 2)) for method, heat in heats.items()}
    return [
        *_check_curves(predict_images, images, labels, orders),
        *_check_masking(predict_images, images, labels, orders, counts),
    ]


def _check_curves(predict_images, images, labels, orders):
    rows = []
    curves = deletion_and_insertion(predict_images, images, labels, np.stack(list(orders.values())))
    for check, of_check in zip(("deletion", "insertion"), curves, strict=True):
        areas = dict(zip(orders, np.trapezoid(of_check, SHARES, axis=2), strict=True))
        for method, curve in zip(orders, of_check, strict=True):
            for share, values in zip(SHARES, curve.T, strict=True):
                rows.append(Values(method, check, "probability", f"{share:g}", values))
            rows.append(Values(method, check, "area", "", areas[method]))
            if method not in REFERENCES:
                rows += _differences(method, check, "", areas[method], {name: areas[name] for name in REFERENCES})
    return rows


def _check_masking(predict_images, images, labels, orders, counts):
    rows = []
    for method, count in counts.items():
        kept = [with_pixels(images, orders[name], count, deleted=False) for name in (method, *REFERENCES)]
        named = predict_images(np.concatenate(kept)).argmax(axis=1).reshape(len(kept), -1)
        own, *others = (named == labels).astype(np.float64)
        references = dict(zip(REFERENCES, others, strict=True))
        rows.append(Values(method, "masking", "accuracy", "", own))
        rows += [Values(method, "masking", f"accuracy_{name}", "", values) for name, values in references.items()]
        rows += _differences(method, "masking", "", own, references)
        rows.append(Values(method, "masking", "kept", "", count / orders[method].shape[1]))
    return rows


def check_parts(
    heats: Mapping[str, np.ndarray], labels: np.ndarray, classes: Sequence[str], masks: Mapping[str, np.ndarray]
) -> list[Values]:
    """Measure how much of the heat is inside parts of the face: the rows of the checks `parts` and `parts_by_class`.

    `heat` is the share of the heat, `area` that of the area, `centre` that of the heat of a centred blob. `minus_area`
    and `minus_centre` are the differences to the latter two. The place `all` stands for all parts together.

    Args:
        heats: of each method, as from `heat_of`, (n, height, width).
        labels: int (n,), the classes.
        classes: names of all classes.
        masks: the pixels of each part, bool (n, height, width).
    """
    masks = {"all": np.any(list(masks.values()), axis=0), **masks}
    rows = []
    for method, heat in heats.items():
        centre = np.broadcast_to(centre_heat(heat.shape[1:]), heat.shape)
        for part, mask in masks.items():
            share, area, of_centre = _share_inside(heat, mask), mask.mean(axis=(1, 2)), _share_inside(centre, mask)
            measured = {"heat": share, "area": area, "centre": of_centre}
            rows += [Values(method, "parts", measure, part, values) for measure, values in measured.items()]
            rows += _differences(method, "parts", part, share, {"area": area, "centre": of_centre})
            if part == "all":
                rows += [
                    Values(method, "parts_by_class", measure, classes[label], values[labels == label])
                    for label in np.unique(labels)
                    for measure, values in measured.items()
                ]
    return rows


def _differences(method, check, place, values, references):
    """What the values of a method exceed each reference by."""
    return [Values(method, check, f"minus_{name}", place, values - other) for name, other in references.items()]


def _share_inside(heat, mask):
    """The share of each image's heat inside a mask; the mask's share of the area for an image without any heat."""
    total = heat.sum(axis=(1, 2), dtype=np.float64)
    inside = (heat * mask).sum(axis=(1, 2), dtype=np.float64)
    return np.divide(inside, total, out=mask.mean(axis=(1, 2)), where=total > 0)


def check_weights(
    explained: Explained,
    methods: Sequence[str],
    images: np.ndarray,
    classes: np.ndarray,
    settings: Settings,
) -> list[Values]:
    """Compare the heat of images with that of the same model after its weights were shuffled, layer by layer.

    The rows are those of the check `randomization`: rank_correlation and structural_similarity, by the last layer that
    was shuffled. `rank_correlation_other_images` is that between the heats of different images by the real model, and
    `minus_other_images` what the correlation after the last layer exceeds it by.

    Args:
        explained: what `explain` returns; its weights are restored.
        methods: those of `possible_methods`.
        images: float32 (n, height, width, 1), standardized.
        classes: int (n,).
        settings: of the maps; its seed is also that of the shuffling.
    """

    def heat(method):
        return heat_of(method, saliency_maps(method, explained, images, classes, settings))

    real = {method: heat(method) for method in methods}
    rows = []
    for layer in shuffled_from_the_top(explained.model, settings.seed):
        for method in methods:
            shuffled = heat(method)
            for measure in (rank_correlation, structural_similarity):
                rows.append(Values(method, "randomization", measure.__name__, layer, measure(real[method], shuffled)))
    if len(images) > 1:
        for method in methods:
            vectors = _unit_ranks(real[method])
            others = ((vectors @ vectors.T).sum(axis=1) - np.square(vectors).sum(axis=1)) / (len(images) - 1)
            rows.append(Values(method, "randomization", "rank_correlation_other_images", "", others))
            last = [row.values for row in rows if row[:3] == (method, "randomization", "rank_correlation")][-1]
            rows += _differences(method, "randomization", "", last, {"other_images": others})
    return rows


def check_folds(method: str, heats: np.ndarray) -> tuple[np.ndarray, list[Values]]:
    """Measure how alike the heats are that the models of several folds give for one image.

    Args:
        method: that made the heats.
        heats: float (folds, n, height, width).

    Returns:
        The mean rank correlation between two folds of each image, float64 (n,), and the rows of the check `folds`:
        `rank_correlation`, these numbers, and `rank_correlation_other_images`, the same between the image in a fold and
        the other images in another fold. The latter says how much of the agreement is the same for all images.
    """
    folds, number = heats.shape[:2]
    vectors = np.stack([_unit_ranks(of_fold) for of_fold in heats])
    # Correlations, and their sums over all pairs of two folds: (n, n).
    products = np.tensordot(vectors, vectors, axes=(2, 2))
    sums = (products.sum(axis=(0, 2)) - np.einsum("fifj->ij", products)) / (folds * (folds - 1))
    same = np.diagonal(sums)
    rows = [Values(method, "folds", "rank_correlation", "", same)]
    if number > 1:
        others = (sums.sum(axis=1) - same) / (number - 1)
        rows.append(Values(method, "folds", "rank_correlation_other_images", "", others))
        rows += _differences(method, "folds", "", same, {"other_images": others})
    return same, rows


def summarize(rows: Sequence[Values]) -> pd.DataFrame:
    """The table M/saliency_checks.csv: mean and 95 % interval of each quantity over the images.

    Rows of one quantity may come in several parts, those of several folds. The interval is Student's, and missing with
    one image.
    """
    parts = {}
    for row in rows:
        parts.setdefault(row[:-1], []).append(row.values)
    return pd.DataFrame(
        [(*quantity, *_mean_and_interval(np.concatenate(values))) for quantity, values in parts.items()],
        columns=list(SALIENCY_CHECKS),
    )


def _mean_and_interval(values: np.ndarray) -> tuple[float, float, float, int]:
    number, mean = len(values), float(values.mean())
    reach = float(special.stdtrit(number - 1, 0.975) * values.std(ddof=1) / number**0.5) if number > 1 else np.nan
    return mean, mean - reach, mean + reach, number
