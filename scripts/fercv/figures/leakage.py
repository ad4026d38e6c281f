"""The picture of what leaks are worth: the accuracy on grouped folds, on random ones, and the difference."""

import math

from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fercv.figures.drawing import BLUE, INK, STYLE, VERMILLION, WIDTH, label, set_heading
from fercv.figures.intervals import (
    Series,
    draw_interval,
    interval_handle,
    make_room_beside,
    write_beside,
    write_right_of,
)

# How each assignment is drawn, and its place beside the middle of the row.
ASSIGNMENTS = {
    "grouped": (Series("value", "copies and groups in one fold", BLUE, "o"), -0.16),
    "random": (Series("value", "random folds", VERMILLION, "D"), 0.16),
    "difference": (Series("value", "difference", INK, "o"), 0),
}
IMAGES = {"all": "all {:,} images", "with_copies": "{:,} with a copy", "without_copies": "{:,} without a copy"}


@style.context(STYLE)
def leakage_figure(table):
    """The accuracy of each pair of models on grouped and on random folds, and the difference, with 95 % intervals.

    Args:
        table: DataFrame with the columns model, random_model, images ("all", "with_copies" or "without_copies"),
            assignment ("grouped", "random" or "difference"), value, low, high, rows. Pairs and kinds of images stand
            in the order of their first row. low and high may be NaN: no interval is drawn then. The marker of a
            difference whose interval holds 0 is hollow.
    """
    lines = list(table.groupby(["model", "random_model", "images"], sort=False))
    figure = Figure(figsize=(WIDTH, 0.55 * len(lines) + 1.9))
    both, difference = figure.subplots(1, 2, sharey=True)
    difference.axvline(0, color=INK, lw=1.2)
    names = []
    for position, ((model, random_model, images), rows) in enumerate(lines):
        is_first = images == lines[0][0][2]
        if is_first and position:
            for axes in (both, difference):
                axes.axhline(position - 0.5, color="#999999", lw=0.8)
        text = IMAGES[images].format(rows["rows"].iloc[0])
        names.append(f"{label(f'{model}, {random_model}', 26)}\n{text}" if is_first else text)
        for row in rows.to_dict("records"):
            _draw(difference if row["assignment"] == "difference" else both, position, row)
    both.set_yticks(range(len(lines)), names, fontsize=9)
    both.set_ylim(len(lines) - 0.4, -0.6)
    both.set_title("Accuracy")
    difference.set_title("Random minus grouped")
    for axes in (both, difference):
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    both.margins(x=0.25)
    make_room_beside(difference, table.loc[table["assignment"] == "difference", "value"], 1.0)
    handles = [interval_handle(series, f"{series.name}, 95 % interval") for series, _ in ASSIGNMENTS.values()]
    hollow = interval_handle(ASSIGNMENTS["difference"][0], "difference whose interval holds 0")
    hollow.set(mfc="white", mec=INK, lw=1.2)
    figure.legend(handles=[*handles, hollow], loc="outside lower center", ncols=2)
    set_heading(figure, "The same models on grouped and on random folds")
    return figure


def _draw(axes, position, row):
    """Draw a value and its interval, and write the value beside it; of a difference, also the interval."""
    series, offset = ASSIGNMENTS[row["assignment"]]
    row, height = row | {"mean": row["value"]}, position + offset
    if row["assignment"] != "difference":
        draw_interval(axes, row, height, series)
        write_right_of(axes, row, height, f"{row['value']:.3f}", series.colour)
        return
    draw_interval(axes, row, height, series, certain=not row["low"] <= 0 <= row["high"])
    interval = "" if math.isnan(row["low"]) else f" ({row['low']:+.3f} to {row['high']:+.3f})"
    write_beside(axes, row, height, f"{row['value']:+.3f}{interval}", series.colour)
