"""The picture of the calibration. The function takes finished tables and returns a Figure."""

import math

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fercv.figures.drawing import BLUE, CHANCE_LINE, GREY, STYLE, VERMILLION, set_heading

DOT = {"color": BLUE, "marker": "o", "ms": 7, "mec": "white"}
HOLLOW_DOT = DOT | {"mfc": "white", "mec": BLUE}
GAP_LINE = {"color": VERMILLION, "lw": 5, "alpha": 0.35}


@style.context(STYLE)
def calibration_figure(bins, error, title):
    """Reliability diagram: accuracy against confidence in each bin; below it, the number of images in each bin.

    Args:
        bins: DataFrame with the columns from, to, images, confidence, accuracy, low, high; one row for a bin of
            confidences. confidence and accuracy are NaN in an empty bin; where low and high are NaN, no interval is
            drawn, and the dot is hollow.
        error: value, low, high and chance of the expected calibration error. All but value may be NaN.
        title: heading of the figure.
    """
    figure = Figure(figsize=(6.4, 7.4))
    grid = figure.add_gridspec(2, 1, height_ratios=[3.4, 1])
    axes = figure.add_subplot(grid[0])
    filled = bins[bins["images"] > 0]
    axes.plot([0, 1], [0, 1], **CHANCE_LINE)
    axes.vlines(filled["confidence"], filled["confidence"], filled["accuracy"], **GAP_LINE)
    axes.vlines(filled["confidence"], filled["low"], filled["high"], color=BLUE, lw=1.6)
    has_interval = filled["low"].notna()
    for rows, edge in ((filled[has_interval], DOT), (filled[~has_interval], HOLLOW_DOT)):
        axes.plot(rows["confidence"], rows["accuracy"], ls="", **edge)
    corner = {"color": GREY, "fontsize": 9, "transform": axes.transAxes}
    axes.text(0.02, 0.98, "underconfident: right more often than it claims", ha="left", va="top", **corner)
    axes.text(0.98, 0.02, "overconfident: right less often than it claims", ha="right", va="bottom", **corner)
    axes.set_title(f"Expected calibration error: {_error_in_words(error)}")
    axes.set_xlim(0, 1)
    # The two texts stand beyond the accuracies, so that no bin crosses them.
    axes.set_ylim(-0.09, 1.09)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_ylabel("Accuracy")
    axes.grid()
    below = figure.add_subplot(grid[1], sharex=axes)
    below.bar(bins["from"], bins["images"], bins["to"] - bins["from"], align="edge", color=BLUE, alpha=0.45, ec="white")
    axes.tick_params(labelbottom=False)
    below.set_xlabel("Confidence: the probability of the predicted class")
    below.set_ylabel("Images")
    below.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    below.grid(axis="y")
    handles = [
        Line2D([], [], lw=1.6, label="images of a bin, 95% interval", **DOT),
        Line2D([], [], label="accuracy equals confidence", **CHANCE_LINE),
        Line2D([], [], label="difference", **GAP_LINE),
    ]
    if not has_interval.all():
        handles.append(Line2D([], [], ls="", label="bin without an interval", **HOLLOW_DOT))
    figure.legend(handles=handles, loc="outside lower center", ncols=3 if has_interval.all() else 2, columnspacing=1.4)
    set_heading(figure, title)
    return figure


def _error_in_words(error):
    text = f"{error['value']:.3f}"
    if math.isnan(error["chance"]):
        return text
    return f"{text} (95% interval {error['low']:.3f} to {error['high']:.3f})\nChance alone gives {error['chance']:.3f}"
