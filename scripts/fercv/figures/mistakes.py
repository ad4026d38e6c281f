"""Contact sheets of mistakes and of suspicious labels. Each function takes finished arrays and returns a Figure."""

import math
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


class Mistakes(NamedTuple):
    """The mistakes of one true class that are shown.

    images: (k, h, w), grey values as uint8, or as float in [0, 1]; the most confident mistake first.
    predicted: the k predicted classes.
    probabilities: the k probabilities of the predicted classes.
    total: how many mistakes there are.
    """

    images: np.ndarray
    predicted: list
    probabilities: list
    total: int


@style.context(STYLE)
def misclassified_figure(rows, title, columns):
    """The most confident mistakes of each true class, with the predicted classes and their probabilities.

    Args:
        rows: {true class: Mistakes}, one row of the picture for each entry that has mistakes, in this order.
        title: heading of the figure.
        columns: how many images a row has room for.
    """
    shown = {name: mistakes for name, mistakes in rows.items() if mistakes.total}
    if not shown:
        figure = Figure(figsize=(WIDTH, 1.5))
        set_heading(figure, title)
        figure.text(0.5, 0.4, "No image is misclassified.", ha="center", va="center", color=GREY)
        return figure
    height, width = next(iter(shown.values())).images.shape[1:]
    sheet = np.full((len(shown) * columns, height, width), np.nan)
    for row, mistakes in enumerate(shown.values()):
        sheet[row * columns : row * columns + len(mistakes.images)] = grey(mistakes.images)
    figure = Figure(figsize=(WIDTH, 1.5 + len(shown) * (0.4 + 1.1 * height / width)))
    axes = figure.add_subplot()
    centres = draw_tiles(axes, sheet, columns, gap=0.08, colour_map="gray", headroom=0.36)
    for row, mistakes in enumerate(shown.values()):
        places = centres[row * columns :][: len(mistakes.images)]
        for (x, y), name, probability in zip(places, mistakes.predicted, mistakes.probabilities, strict=True):
            above = y - height / width / 2 - 0.04
            text = f"{shortened(name, 14)}\n{probability:.2f}"
            axes.text(x, above, text, ha="center", va="bottom", fontsize=7, in_layout=False)
    names = [f"{label(name, 18)}\n{mistakes.total:,} wrong" for name, mistakes in shown.items()]
    axes.set_yticks(centres[::columns, 1], names, fontsize=9)
    note = "Left: the true class. Above each image: the predicted class and its probability."
    others = len(rows) - len(shown)
    set_note(axes, f"{note} Classes without a mistake: {others}." if others else note)
    set_heading(figure, title)
    close_slack(figure, axes)
    return figure


@style.context(STYLE)
def label_issues_figure(images, issues, total, models, columns=8):
    """Contact sheet of the images whose labels are most suspicious.

    Args:
        images: (k, h, w), grey values as uint8, or as float in [0, 1]; the most suspicious one first.
        issues: DataFrame of k rows with the columns given, suggested (names of classes) and votes (how many models
            say so).
        total: how many issues there are.
        models: how many models were asked.
        columns: images in a row.
    """
    suspicious = "labels that at least one model finds suspicious" if models > 1 else "suspicious labels"
    heading = f"The {len(images)} most suspicious of {total:,} {suspicious}"
    if not total:
        figure = Figure(figsize=(WIDTH, 1.5))
        set_heading(figure, "Suspicious labels")
        figure.text(0.5, 0.4, "No label is suspicious.", ha="center", va="center", color=GREY)
        return figure
    height, width = images.shape[1:]
    rows = math.ceil(len(images) / columns)
    sheet = np.full((max(len(images), columns), height, width), np.nan)
    sheet[: len(images)] = grey(images)
    figure = Figure(figsize=(WIDTH, 1.2 + rows * (0.6 + 1.1 * height / width)))
    axes = figure.add_subplot()
    centres = draw_tiles(axes, sheet, columns, gap=0.08, colour_map="gray", headroom=0.52 if models > 1 else 0.36)
    for (x, y), issue in zip(centres, issues.itertuples(), strict=False):
        text = f"{shortened(issue.given, 16)}\n→ {shortened(issue.suggested, 14)}"
        text += f"\n{issue.votes} of {models} models" if models > 1 else ""
        place = (x, y - height / width / 2 - 0.04)
        axes.text(*place, text, ha="center", va="bottom", fontsize=7, in_layout=False)
    note = "Above each image: its label, and the class that is suggested"
    set_note(axes, f"{note}; how many models find the label suspicious." if models > 1 else f"{note}.")
    set_heading(figure, heading if total > len(images) else f"Suspicious labels: {total:,}")
    close_slack(figure, axes)
    return figure
