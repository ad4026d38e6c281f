"""Pictures of the data. Each function takes finished arrays and returns a Figure."""

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure

from fercv.figures.drawing import STYLE, WIDTH, close_slack, draw_tiles, grey, label, set_heading, set_note


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
