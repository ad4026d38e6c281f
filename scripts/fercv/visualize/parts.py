"""Which feature maps light up on which parts of a face, where the parts are known."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd


def part_areas(masks: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """How many pixels of a part lie in each cell of a feature map.

    A map is laid over the image: its cells are as large as each other, to the pixel.

    Args:
        masks: bool (n, height, width), the pixels of a part in n images.
        rows: height of the map, at most that of the images.
        columns: width of the map, likewise.

    Returns:
        int64 (n, rows, columns).
    """
    height, width = masks.shape[1:]
    tops, lefts = (np.arange(cells) * size // cells for cells, size in ((rows, height), (columns, width)))
    return np.add.reduceat(np.add.reduceat(masks.astype(np.int64), tops, axis=1), lefts, axis=2)


def lighting_up(maps: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """How well each map tells a part of the face from the rest: the area under the ROC curve, over pixels.

    It is the probability that a map is brighter at a pixel of the part than at one elsewhere, in any of the images.
    0.5 is chance. 1: it is always brighter there; 0: always darker. Unlike the overlap that network dissection takes
    (Bau et al. 2017, arXiv:1704.05796), it needs no threshold.

    Args:
        maps: float (n, rows, columns, channels).
        masks: bool (n, height, width), the pixels of the part.

    Returns:
        float64 (channels,); NaN where no pixel is of the part, or all are.
    """
    _, rows, columns, channels = maps.shape
    inside = part_areas(masks, rows, columns).ravel()
    outside = part_areas(np.ones_like(masks), rows, columns).ravel() - inside
    if not inside.any() or not outside.any():
        return np.full(channels, np.nan)
    return np.array([_area_under_curve(values, inside, outside) for values in maps.reshape(-1, channels).T])


def _area_under_curve(values: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> float:
    """Area under the ROC curve of values that stand for several pixels each; equal values count half."""
    _, places = np.unique(values, return_inverse=True)
    within, without = (np.bincount(places, weights=areas) for areas in (inside, outside))
    darker = np.cumsum(without) - without / 2
    return float(within @ darker / (within.sum() * without.sum()))


def maps_table(maps: np.ndarray, masks: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Measure the maps of a layer.

    Args:
        maps: float (n, rows, columns, channels).
        masks: for each part of the face bool (n, height, width); nothing where the parts are not known.

    Returns:
        channel, standard_deviation (over all cells of all images), then `lighting_up` for each part.
    """
    channels = maps.shape[-1]
    spread = maps.reshape(-1, channels).astype(np.float64).std(axis=0)
    table = pd.DataFrame({"channel": np.arange(channels), "standard_deviation": spread})
    return table.assign(**{part: lighting_up(maps, mask) for part, mask in masks.items()})


def best_maps(table: pd.DataFrame, count: int) -> np.ndarray:
    """The channels to show: for each part of the face the map that lights up most on it.

    Where the parts are not known, these are `count` channels, those with the largest standard deviation first.

    Args:
        table: as `maps_table` returns it.
        count: how many channels to show where no part is known, at most all.
    """
    parts = table.columns[2:]
    if len(parts):
        return table[parts].to_numpy().argmax(axis=0)
    return np.argsort(-table["standard_deviation"].to_numpy(), kind="stable")[:count]


class CheckedMaps(NamedTuple):
    """Checks of the feature maps of a layer, with the weights as trained and with random ones.

    table: weights (trained or random), then as `maps_table`.
    channels: int64 (2, m), those to show, see `best_maps`; first of the trained weights.
    maps: float32 (2, m, images, rows, columns), the maps to show.
    """

    table: pd.DataFrame
    channels: np.ndarray
    maps: np.ndarray


def check_maps(
    trained: np.ndarray, random: np.ndarray, masks: Mapping[str, np.ndarray], shown: np.ndarray, count: int
) -> CheckedMaps:
    """Measure the maps of a layer, and choose some to show.

    Random weights are the control: what their maps do, too, is no result of the training (Adebayo et al. 2018,
    arXiv:1810.03292).

    Args:
        trained: float (n, rows, columns, channels), with the weights as trained.
        random: the same with random weights.
        masks: for each part of the face bool (n, height, width); nothing where the parts are not known.
        shown: int (images,), the numbers of the images to show.
        count: how many channels to show where no part is known, at most all.
    """
    tables = [maps_table(maps, masks) for maps in (trained, random)]
    channels = np.stack([best_maps(table, count) for table in tables])
    chosen = [maps[shown][..., some] for maps, some in zip((trained, random), channels, strict=True)]
    return CheckedMaps(
        pd.concat([table.assign(weights=name) for table, name in zip(tables, ("trained", "random"), strict=True)]),
        channels,
        np.moveaxis(np.stack(chosen), -1, 1),
    )
