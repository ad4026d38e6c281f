"""Pictures of filters and feature maps. Each function takes finished arrays and returns a Figure."""

import math

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure

from fercv.figures.drawing import (
    HEAT_MAP,
    STYLE,
    WIDTH,
    close_slack,
    draw_numbered_tiles,
    grey,
    own_scale,
    set_heading,
    set_note,
)


@style.context(STYLE)
def filters_figure(images, title, columns=None, numbers=None):
    """Grid of the images that activate filters, each on a grey scale from its own minimum to its own maximum.

    Args:
        images: float (n, h, w).
        title: heading of the figure, such as "Filters of layer block4_pool (# Ascent Epoch 200)".
        columns: number of columns; by default a square grid, at most 24 wide.
        numbers: the filters' indices in their layer, from 0; by default the first n.
    """
    number = len(images)
    columns = columns or min(24, math.ceil(math.sqrt(number)))
    width = float(np.clip(1.6 * columns, 6, WIDTH))
    figure = Figure(figsize=(width, 1.2 + 2.4 * math.ceil(number / columns)))
    axes = figure.add_subplot()
    numbers = range(number) if numbers is None else numbers
    draw_numbered_tiles(axes, own_scale(images), numbers, columns, "gray", width)
    set_note(axes, "Number: filter, from 0. Grey: each image from its own minimum to its maximum.")
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
    draw_numbered_tiles(axes, own_scale(np.moveaxis(maps, 2, 0)), range(channels), columns, HEAT_MAP, width)
    axes.set_title("Feature maps")
    axes.set_anchor("NW")
    set_note(axes, "Number: channel, from 0. Dark to bright: each map from its own minimum to its maximum.")
    set_heading(figure, title)
    close_slack(figure, given, axes)
    return figure
