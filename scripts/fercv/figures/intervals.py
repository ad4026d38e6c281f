"""What pictures of measures with intervals have in common: how a mean, its interval and its p-value are drawn."""

import math
from typing import NamedTuple

from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from fercv.figures.drawing import BLUE, GREY, VERMILLION


class Series(NamedTuple):
    """How one column of a table is drawn, the same in every part of a picture."""

    column: str
    name: str
    colour: str
    marker: str
    line_style: object = "solid"


MEASURES = (
    Series("accuracy", "Accuracy", BLUE, "o"),
    Series("balanced_accuracy", "Balanced accuracy", VERMILLION, "D"),
)
# Points; a diamond looks larger than a circle of its size.
MARKER_SIZES = {"o": 7, "D": 6, "s": 6, "^": 6}


def draw_interval(axes, row, position, series, certain=True):
    """Draw the mean of a row and its interval, if it has one; hollow and thin where the mean may be chance.

    Args:
        axes: where to.
        row: mean, low and high.
        position: the height.
        series: the Series of the measure.
        certain: whether the mean is surely not chance.
    """
    if math.isfinite(row["low"]) and math.isfinite(row["high"]):
        axes.plot([row["low"], row["high"]], [position, position], color=series.colour, lw=2.4 if certain else 1.2)
    edge = {"mec": "white"} if certain else {"mfc": "white"}
    axes.plot(row["mean"], position, series.marker, color=series.colour, ms=MARKER_SIZES[series.marker], **edge)


def write_value(axes, place, text, colour, offset, **alignment):
    """Write a text beside a place, `offset` points away."""
    # A white edge keeps the digits readable where a line passes behind them.
    edge = [withStroke(linewidth=3, foreground="white")]
    font = {"color": colour, "fontsize": 9, "weight": "bold", "path_effects": edge}
    axes.annotate(text, place, offset, textcoords="offset points", **font, **alignment)


def write_right_of(axes, row, position, text, colour):
    """Write a text to the right of what `draw_interval` draws of a row."""
    end = row["mean"] if math.isnan(row["high"]) else row["high"]
    write_value(axes, (end, position), text, colour, (6, 0), ha="left", va="center")


def write_beside(axes, row, position, text, colour):
    """Write a text beside a difference, on the side away from zero, so that the line at zero does not cross it."""
    side, end = (6, "high") if row["mean"] >= 0 else (-6, "low")
    place = (row["mean"] if math.isnan(row[end]) else row[end], position)
    write_value(axes, place, text, colour, (side, 0), ha="left" if side > 0 else "right", va="center")


def make_room_beside(axes, means, share):
    """Widen the axes by a share on each side on which `write_beside` has written."""
    left, right = axes.get_xlim()
    room = share * (right - left)
    axes.set_xlim(left - room * bool((means < 0).any()), right + room * bool((means >= 0).any()))


def interval_handle(series, text):
    """What the legend says of the marker and the line that `draw_interval` draws."""
    marker = {"marker": series.marker, "ms": MARKER_SIZES[series.marker], "mec": "white"}
    return Line2D([], [], color=series.colour, lw=2.4, label=text, **marker)


def measure_handles(text):
    """What the legend says of the marker and the line of each measure."""
    return [interval_handle(series, f"{series.name.lower()}: {text}") for series in MEASURES]


def is_real(p_adjusted):
    """Whether a difference is beyond what chance gives; p_adjusted may be NaN."""
    return p_adjusted < 0.05


def p_value_in_words(p_adjusted):
    """The p-value as it stands beside a difference; nothing where it is NaN."""
    if math.isnan(p_adjusted):
        return ""
    return ", p < 0.001" if p_adjusted < 0.001 else f", p = {p_adjusted:.3f}"


def difference_legend():
    """What the legend says of full and of hollow markers."""
    full = {"color": GREY, "marker": "o", "ms": 7}
    return [
        Line2D([], [], lw=2.4, mec="white", label="difference: adjusted p < 0.05 (Holm)", **full),
        Line2D([], [], lw=1.2, mfc="white", label="difference that may be chance", **full),
    ]
