"""Pictures of the data. Each function takes finished arrays and returns a Figure."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure

from fercv.figures.drawing import (
    GREY,
    STYLE,
    WIDTH,
    close_slack,
    draw_tiles,
    grey,
    label,
    set_heading,
    set_note,
    shortened,
)

# Images side by side in a row of `audit_figure`.
TILES = 8


@style.context(STYLE)
def samples_figure(rows, title, show_names=True, note=""):
    """Contact sheet of images.

    Args:
        rows: {class name: array (k, h, w)}, one row of the sheet for each entry, in this order; grey values as uint8,
            or as float in [0, 1]. The number of images may differ from row to row; h and w may not.
        title: heading of the figure.
        show_names: False leaves the class names out, for a reader who is to guess them.
        note: how to read the picture, below it.
    """
    columns = max(len(images) for images in rows.values())
    height, width = next(iter(rows.values())).shape[1:]
    sheet = np.full((len(rows) * columns, height, width), np.nan)
    for row, images in enumerate(rows.values()):
        sheet[row * columns : row * columns + len(images)] = grey(images)
    figure = Figure(figsize=(WIDTH, 1.2 + 1.6 * len(rows) * height / width))
    axes = figure.add_subplot()
    centres = draw_tiles(axes, sheet, columns, gap=0.04, colour_map="gray")
    if show_names:
        axes.set_yticks(centres[::columns, 1], [label(name, 18) for name in rows], fontsize=10)
    set_note(axes, note)
    set_heading(figure, title)
    close_slack(figure, axes)
    return figure


class ImageGroup(NamedTuple):
    """Images that belong together.

    heading: what they have in common.
    images: (k, h, w), k at most TILES; grey values as uint8, or as float in [0, 1].
    labels: the k names of their classes.
    indices: their k row numbers.
    """

    heading: str
    images: np.ndarray
    labels: Sequence[str]
    indices: Sequence[int]


@style.context(STYLE)
def audit_figure(sections, title, proportion=1.0):
    """Groups of images side by side, each image with its label and its index.

    Args:
        sections: {heading: list of ImageGroup}; a section without groups says so.
        title: heading of the figure.
        proportion: height of an image divided by its width.
    """
    rows = {heading: _packed(groups) for heading, groups in sections.items()}
    heights = [0.3 + (len(packed) * (0.5 + 1.05 * proportion) if packed else 0.2) for packed in rows.values()]
    figure = Figure(figsize=(WIDTH, 0.9 + sum(heights)))
    panels = figure.subplots(len(rows), height_ratios=heights, squeeze=False)[:, 0]
    for axes, (heading, packed) in zip(panels, rows.items(), strict=True):
        axes.set_title(heading, pad=4)
        if packed:
            _draw_groups(axes, packed)
        else:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            axes.text(0, 0.5, "none", color=GREY, transform=axes.transAxes, va="center")
    set_note(panels[-1], "Above each image: the label and the index in samples.csv.")
    set_heading(figure, title)
    drawn = [axes for axes, packed in zip(panels, rows.values(), strict=True) if packed]
    if drawn:
        close_slack(figure, *drawn)
    return figure


def _packed(groups):
    """Rows of at most TILES places: lists of (group, its first place). A group stays whole, an empty place ends it."""
    rows, used = [], TILES
    for group in groups:
        if used + len(group.images) > TILES:
            rows.append([])
            used = 0
        rows[-1].append((group, used))
        used += len(group.images) + 1
    return rows


def _draw_groups(axes, rows):
    height, width = rows[0][0][0].images.shape[1:]
    sheet = np.full((len(rows) * TILES, height, width), np.nan)
    places = [(group, number * TILES + place) for number, row in enumerate(rows) for group, place in row]
    for group, place in places:
        sheet[place : place + len(group.images)] = grey(group.images)
    centres = draw_tiles(axes, sheet, TILES, gap=0.06, colour_map="gray", headroom=0.46)
    above = centres - [0, height / width / 2 + 0.03]
    font = {"va": "bottom", "fontsize": 7, "in_layout": False}
    for group, place in places:
        axes.text(*above[place] - [0.5, 0.25], group.heading, ha="left", weight="bold", **font)
        for (x, y), name, index in zip(above[place:], group.labels, group.indices, strict=False):
            axes.text(x, y, f"{shortened(name, 14)}\n{index}", ha="center", **font)
