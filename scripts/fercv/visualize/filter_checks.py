"""Checks of the images that gradient ascent finds: other methods, other starts, and measures that need no eye."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from fercv.nets.models import find_layer
from fercv.visualize.filters import ascend_filters, centred, noise_images, unit_rms
from fercv.visualize.layers import layer_outputs, outputs_model
from fercv.visualize.robust_ascent import ascend_robustly, spatial_frequencies

STARTS = ("noise", "grey", "mean_face")
# Each found image, and last the real image that excites the filter most: (method, start).
KINDS = (*(("plain", start) for start in STARTS), *(("robust", start) for start in STARTS), ("real", ""))


class Standing(NamedTuple):
    """How a filter's activation on an image stands among its activations on real images.

    percentile: percentage of the real images whose activation is not higher.
    deviations: distance from the mean over the real images, in their standard deviations; 0 where these are 0.
    """

    percentile: np.ndarray
    deviations: np.ndarray


def standing(activations: np.ndarray, real: np.ndarray) -> Standing:
    """Compare activations with those on real images, filter by filter.

    Args:
        activations: float (n,), one for each filter.
        real: float (images, n), of the same filters.

    Returns:
        Both float64 (n,).
    """
    real = np.asarray(real, np.float64)
    deviation = real.std(axis=0)
    distance = activations - real.mean(axis=0)
    return Standing(
        100 * (real <= activations).mean(axis=0),
        np.divide(distance, deviation, out=np.zeros(len(distance)), where=deviation > 0),
    )


def match_filters(activations: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find for each filter of a model the filter of another model that does the most similar thing.

    Two trainings give the filters of a layer in different orders. So a filter is matched with the one whose activations
    on the same images correlate most with its own (Li et al. 2016, "Convergent learning", arXiv:1511.07543).

    Args:
        activations: float (images, n), of some filters of the model.
        others: float (images, m), of all filters of the same layer of the other model.

    Returns:
        The number of the other filter, int64 (n,).
    """
    return (_unit(activations).T @ _unit(others)).argmax(axis=1)


def correlations(activations: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Correlation of columns of equal numbers, float (images, n) both: float64 (n,); 0 for constant columns."""
    return (_unit(activations) * _unit(others)).sum(axis=0).clip(-1, 1)


def _unit(activations: np.ndarray) -> np.ndarray:
    """Columns centred and scaled to length 1; a constant one becomes zeros."""
    values = np.asarray(activations, np.float64)
    values = values - values.mean(axis=0)
    lengths = np.linalg.norm(values, axis=0)
    # A column of one value leaves rounding errors.
    constant = lengths <= 1e-12 * np.linalg.norm(activations, axis=0)
    return np.where(constant, 0, values / np.where(constant, 1, lengths))


def high_frequency_share(images: np.ndarray) -> np.ndarray:
    """Share of an image's energy in waves shorter than 4 pixels: more than 0.25 periods per pixel, half of Nyquist's.

    White noise has 0.81 of its energy there, a photograph little.

    Args:
        images: float (n, height, width).

    Returns:
        float64 (n,), from 0 to 1; the mean of an image counts for nothing, and an image of one grey gives 0.
    """
    energies = np.abs(np.fft.fft2(images - images.mean(axis=(1, 2), keepdims=True))) ** 2
    total = energies.sum(axis=(1, 2))
    high = energies[:, spatial_frequencies(*images.shape[1:]) > 0.25].sum(axis=1)
    return np.divide(high, total, out=np.zeros(len(images)), where=total > 0).clip(max=1)


def correlation_with(image: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Pearson's correlation of the pixels of one image (height, width) with those of each image (n, height, width).

    Returns:
        float64 (n,); 0 for an image of one grey.
    """
    return correlations(images.reshape(len(images), -1).T, image.reshape(-1, 1))


def ascend_from_all_starts(
    model, layer_name: str, filters: np.ndarray, mean_face: np.ndarray, plain: Mapping, robust: Mapping, seed: int
) -> np.ndarray:
    """Ascend filters by both methods, from each start.

    Args:
        model: Keras model of inputs (height, width, 1) or of as many pixels in one row.
        layer_name: the layer; of a final softmax the logits are ascended.
        filters: int (n,), channels or units of the layer.
        mean_face: float32 (height, width), standardized.
        plain: steps, step_size and batch_size of `filters.ascend_filters`.
        robust: steps, step_size, distortion and batch_size of `robust_ascent.ascend_robustly`.
        seed: seed of the noise and of the distortions, 0 or more.

    Returns:
        float32 (kinds, n, height, width), standardized, in the order of KINDS without the last.
    """
    shape = (len(filters), *mean_face.shape)
    noise = unit_rms(centred(noise_images(seed, filters, mean_face.shape)))
    starts = np.concatenate([noise, np.zeros(shape, np.float32), np.broadcast_to(mean_face, shape)])
    repeated = np.tile(filters, len(STARTS))
    plainly = ascend_filters(model, layer_name, repeated, image_shape=shape[1:], seed=seed, starts=starts, **plain)
    robustly = ascend_robustly(model, layer_name, repeated, starts, seed=seed, **robust)
    return np.concatenate([plainly.images, robustly.images]).reshape(-1, *shape)


class Activations(NamedTuple):
    """Activations of all filters of a layer of one model.

    real: float (images, filters of the layer), on real images.
    found: float (kinds, n, filters of the layer), on images of n filters, in the order of KINDS.
    """

    real: np.ndarray
    found: np.ndarray


def filters_table(
    filters: np.ndarray, images: np.ndarray, own: Activations, other: Activations, mean_face: np.ndarray, aligned: bool
) -> pd.DataFrame:
    """Measure the images of some filters of a layer.

    Args:
        filters: int (n,), the filters.
        images: float32 (kinds, n, height, width), in the order of KINDS.
        own: activations of the model in which the filters were ascended.
        other: activations of another model.
        mean_face: float32 (height, width).
        aligned: whether filter i of both models means the same, as class i does. Otherwise they are matched.

    Returns:
        The table FILTER_CHECKS of `fercv.data.tables` without the layer, filter by filter.
    """
    columns = np.arange(len(filters))
    matched = filters if aligned else match_filters(own.real[:, filters], other.real)
    match = correlations(own.real[:, filters], other.real[:, matched])
    parts = []
    for (method, start), shown, found, elsewhere in zip(KINDS, images, own.found, other.found, strict=True):
        activation = found[columns, filters]
        here = standing(activation, own.real[:, filters])
        there = standing(elsewhere[columns, matched], other.real[:, matched])
        part = {
            "filter": filters,
            "method": method,
            "start": start,
            "activation": activation,
            "percentile": here.percentile,
            "deviations": here.deviations,
            "other_filter": matched,
            "match": match,
            "other_percentile": there.percentile,
            "other_deviations": there.deviations,
            "high_frequency": high_frequency_share(shown),
            "mean_face": correlation_with(mean_face, shown),
        }
        parts.append(pd.DataFrame(part))
    return pd.concat(parts).sort_values("filter", kind="stable", ignore_index=True)


class CheckedFilters(NamedTuple):
    """Checks of the filters of several layers.

    table: the table FILTER_CHECKS of `fercv.data.tables`.
    images: float32 (kinds, n, height, width), in the order of KINDS without the last; n filters of all layers.
    exciting: int64 (n, m), the real images that excite each filter most, as numbers among those given.
    maps: for each layer the maps of the first real images, see `layers.LayerOutputs`.
    """

    table: pd.DataFrame
    images: np.ndarray
    exciting: np.ndarray
    maps: list


def check_filters(
    model,
    other,
    layer_names: Sequence[str],
    real: np.ndarray,
    *,
    count: int,
    exciting: int,
    mapped: int,
    plain: Mapping,
    robust: Mapping,
    seeds: Sequence[int],
    batch_size: int,
) -> CheckedFilters:
    """Ascend filters of several layers from all starts, and measure what was found.

    Args:
        model: Keras model of inputs (height, width, 1) or of as many pixels in one row, which ends in a softmax.
        other: a model of the same architecture that was trained on other images.
        layer_names: the layers; all units of the last layer of the model, the classes, are checked.
        real: float32 (images, height, width), real images, standardized.
        count: how many filters of each other layer are checked, the first ones.
        exciting: how many real images are found for each filter.
        mapped: of how many real images, the first ones, the maps are kept.
        plain: as for `ascend_from_all_starts`.
        robust: as for `ascend_from_all_starts`.
        seeds: for each layer the seed of noise and distortions.
        batch_size: how many images are computed together at most, where no gradient is needed.

    Raises:
        InputError: a model has no such layer.
    """
    last = model.layers[-1].name
    numbers = [find_layer(model, name).output.shape[-1] for name in layer_names]
    filters = [
        np.arange(number if name == last else min(count, number))
        for name, number in zip(layer_names, numbers, strict=True)
    ]
    (mean_face,) = unit_rms(centred(real.mean(axis=0, keepdims=True)))
    found = [
        ascend_from_all_starts(model, name, chosen, mean_face, plain, robust, seed)
        for name, chosen, seed in zip(layer_names, filters, seeds, strict=True)
    ]
    # All images go through all layers: a pass for each layer would take longer.
    images = np.concatenate([real, *(kind for kinds in found for kind in kinds)])
    own = layer_outputs(outputs_model(model, layer_names), images, mapped, batch_size)
    others = layer_outputs(outputs_model(other, layer_names), images, 0, batch_size)
    tables, strongest, start = [], [], len(real)
    for name, chosen, kinds, *outputs in zip(layer_names, filters, found, own, others, strict=True):
        places = slice(start, start + kinds.shape[0] * len(chosen))
        order = np.argsort(-outputs[0].activations[: len(real), chosen], axis=0, kind="stable")
        most = order[:exciting].T
        activations = [_of_kinds(output.activations, len(real), places, most[:, 0]) for output in outputs]
        shown = np.concatenate([kinds, real[np.newaxis, most[:, 0]]])
        table = filters_table(chosen, shown, *activations, mean_face, aligned=name == last)
        table.insert(0, "layer", name)
        tables.append(table)
        strongest.append(most)
        start = places.stop
    return CheckedFilters(
        pd.concat(tables, ignore_index=True),
        np.concatenate(found, axis=1),
        np.concatenate(strongest),
        [output.maps for output in own],
    )


def _of_kinds(activations: np.ndarray, real: int, places: slice, most: np.ndarray) -> Activations:
    """Take from activations on real images, then on others, those of a layer's images and of the most exciting ones."""
    found = activations[places].reshape(-1, len(most), activations.shape[1])
    return Activations(activations[:real], np.concatenate([found, activations[np.newaxis, most]]))
