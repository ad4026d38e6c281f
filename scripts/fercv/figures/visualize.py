"""Pictures of filters and feature maps. Each function takes finished arrays and returns a Figure."""

import math

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure

from fercv.figures.drawing import (
    HEAT_MAP,
    INK,
    STYLE,
    WIDTH,
    close_slack,
    draw_tiles,
    draw_tiles_with_texts,
    grey,
    own_scale,
    set_figure_note,
    set_heading,
    wrapped,
)

# In more columns, the texts above the tiles have room for their numbers only.
MOST_WITH_VALUES = 8


@style.context(STYLE)
def filters_figure(images, title, numbers, activations, total, columns=None):
    """Grid of the images that activate filters, each on a grey scale from its own minimum to its own maximum.

    Args:
        images: float (n, h, w).
        title: heading of the figure.
        numbers: the n filters' indices in their layer, from 0.
        activations: (n, 2), the mean activation of each filter on the image at the start of the ascent, and at its end.
        total: how many filters the layer has.
        columns: number of columns; by default a square grid, at most 24 wide.
    """
    number = len(images)
    columns = columns or min(24, math.ceil(math.sqrt(number)))
    width = float(np.clip(1.6 * columns, 6, WIDTH))
    figure = Figure(figsize=(width, 1.2 + 2.4 * math.ceil(number / columns)))
    axes = figure.add_subplot()
    note = f"{number} of the layer's {total} filters. Grey: each image from its minimum to its maximum. Number: filter"
    if columns <= MOST_WITH_VALUES:
        texts = [
            f"{index}: {_two_digits(start)} → {_two_digits(end)}"
            for index, (start, end) in zip(numbers, activations, strict=True)
        ]
        note += ", and its mean activation on the noise at the start → on this image."
    else:
        texts, note = list(map(str, numbers)), f"{note}."
    note += " What such images are worth: filter_checks.png."
    draw_tiles_with_texts(axes, own_scale(images), texts, columns, "gray", width)
    set_figure_note(figure, note)
    set_heading(figure, title)
    close_slack(figure, axes)
    return figure


@style.context(STYLE)
def feature_maps_figure(image, maps, title):
    """An image and its feature maps in a layer, each on a scale from its own minimum to its own maximum.

    Args:
        image: (h, w), grey values as uint8, or as float in [0, 1].
        maps: float (rows, columns, channels), one sample's activations.
        title: heading of the figure.
    """
    channels = maps.shape[2]
    columns = min(22, math.ceil(math.sqrt(channels)))
    width = WIDTH * 0.78
    figure = Figure(figsize=(WIDTH, 1.6 + 2.0 * math.ceil(channels / columns)))
    given, axes = figure.subplots(1, 2, width_ratios=(1, 4))
    given.imshow(grey(image), cmap="gray", vmin=0, vmax=1)
    given.set_title("Given image")
    given.set(xticks=[], yticks=[], anchor="N")
    given.spines[:].set_visible(False)
    note = f"All {channels} channels. Dark to bright: each map from its own minimum to its maximum. Number: channel"
    if columns <= MOST_WITH_VALUES:
        texts = [f"{channel}: up to {_two_digits(maps[..., channel].max())}" for channel in range(channels)]
        note += ", and the largest value of its map."
    else:
        texts, note = list(map(str, range(channels))), f"{note}."
    note += " What maps are worth: feature_map_checks.png."
    draw_tiles_with_texts(axes, own_scale(np.moveaxis(maps, 2, 0)), texts, columns, HEAT_MAP, width)
    axes.set_title("Feature maps")
    axes.set_anchor("NW")
    set_figure_note(figure, note)
    set_heading(figure, title)
    close_slack(figure, given, axes)
    return figure


@style.context(STYLE)
def filter_checks_figure(groups, row_names, title, note):
    """A row for each filter: the images that ascents have found, and real images that excite it most.

    Args:
        groups: of each group of columns its heading, the names of its columns, the images as float (columns, rows, h,
            w), each on a grey scale from its own minimum to its own maximum, the texts above them (columns, rows), and
            the lines of a text below all of them.
        row_names: the names of the rows.
        title: heading of the figure.
        note: how to read it.
    """
    height, width = groups[0][2].shape[2:]
    rows = len(row_names)
    figure = Figure(figsize=(WIDTH, 3 + 1.3 * rows * height / width))
    all_axes = figure.subplots(1, len(groups), width_ratios=[len(names) for _, names, *_ in groups])
    for axes, (heading, names, images, texts, below) in zip(all_axes, groups, strict=True):
        columns = len(names)
        tiles = own_scale(np.swapaxes(images, 0, 1).reshape(-1, height, width))
        centres = draw_tiles(axes, tiles, columns, gap=0.06, colour_map="gray", headroom=0.2)
        _set_texts(axes, centres, np.swapaxes(texts, 0, 1).ravel(), height / width)
        axes.set_xticks(centres[:columns, 0], names)
        axes.xaxis.tick_top()
        axes.set_title(wrapped(heading, 11 * columns), loc="center")
        axes.set_xlabel("\n".join(wrapped(line, 13 * columns) for line in below), fontsize=9)
        if axes is all_axes[0]:
            axes.set_yticks(centres[::columns, 1], row_names)
    set_heading(figure, title)
    set_figure_note(figure, note)
    close_slack(figure, *all_axes)
    return figure


@style.context(STYLE)
def feature_map_checks_figure(images, image_names, groups, title, note):
    """A row for each image: the image, and some of its feature maps in several layers.

    Args:
        images: (n, h, w), grey values as uint8, or as float in [0, 1].
        image_names: the names of the n rows.
        groups: of each group of columns its heading, the names of its maps, at most 3, and the maps as float (maps, n,
            rows, columns). Four groups stand in a row. All maps of a group are on one scale, from the lowest to the
            highest value.
        title: heading of the figure.
        note: how to read it.
    """
    number, height, width = images.shape
    in_a_row = min(4, len(groups))
    columns = [1, *[3] * in_a_row]
    rows = max(1, math.ceil(len(groups) / 4))
    figure = Figure(figsize=(WIDTH, 1.5 + rows * (1 + number * height / width * WIDTH / (sum(columns) + 1))))
    all_axes = figure.subplots(rows, len(columns), width_ratios=columns, squeeze=False)
    for axes in all_axes[:, 0]:
        centres = draw_tiles(axes, grey(images), 1, gap=0.06, colour_map="gray")
        axes.set_yticks(centres[:, 1], image_names)
        axes.set_title("Image", loc="center")
    for axes, (heading, names, maps) in zip(all_axes[:, 1:].flat, groups, strict=False):
        tiles = np.swapaxes(maps, 0, 1).reshape(-1, *maps.shape[2:])
        extent = tiles.max() - tiles.min()
        tiles = (tiles - tiles.min()) / (extent if extent > 0 else 1)
        centres = draw_tiles(axes, tiles, len(names), gap=0.06, colour_map=HEAT_MAP)
        axes.set_xticks(centres[: len(names), 0], names, fontsize=7)
        axes.xaxis.tick_top()
        axes.set_title(heading, loc="center")
    for axes in all_axes[:, 1:].flat[len(groups) :]:
        axes.set_axis_off()
    set_heading(figure, title)
    set_figure_note(figure, note)
    close_slack(figure, *all_axes[0, : 1 + len(groups)])
    return figure


def _two_digits(number):
    """A number with two digits that count, but none after the second decimal place, and without an exponent."""
    return np.format_float_positional(round(float(number), 2) + 0.0, precision=2, fractional=False, trim="-")


def _set_texts(axes, centres, texts, proportion):
    """Write a small text above each tile; `proportion` is the tiles' height by their width."""
    for text, (x, y) in zip(texts, centres, strict=True):
        place = y - proportion / 2 - 0.03
        axes.text(x, place, text, ha="center", va="baseline", fontsize=6.5, color=INK, in_layout=False)
