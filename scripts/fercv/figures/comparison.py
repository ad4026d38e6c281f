"""Pictures that compare models, and the cross-validation with held-out images. They take finished tables."""

import math

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fercv.figures.drawing import CHANCE_LINE, GREY, INK, LIGHT_GREY, STYLE, WIDTH, label, set_heading, shortened
from fercv.figures.intervals import (
    MEASURES,
    difference_legend,
    draw_interval,
    is_real,
    make_room_beside,
    measure_handles,
    p_value_in_words,
    write_beside,
    write_value,
)


@style.context(STYLE)
def comparison_figure(folds, summary, differences, chance, title="Comparison of the models", interval="95% interval"):
    """Models side by side: every fold, the mean and its interval; below, the paired differences between models.

    Args:
        folds: DataFrame with the columns model, fold, accuracy, balanced_accuracy.
        summary: DataFrame with the columns model, measure ("accuracy" or "balanced_accuracy"), mean, low, high.
            Models stand in the order of their first row. low and high may be NaN: no interval is drawn then.
        differences: DataFrame with the columns model, versus, measure, mean, low, high, p_adjusted; mean is model minus
            versus, paired over the folds. Drawn only where there are at least two models. Where p_adjusted is not below
            0.05, or NaN, the marker is hollow and the line thin.
        chance: for each of the two measures, what it is without looking at the images.
        title: heading of the figure.
        interval: what low and high are, for the legend.
    """
    models = list(dict.fromkeys(summary["model"]))
    pairs = list(dict.fromkeys(zip(differences["model"], differences["versus"], strict=True)))
    with_differences = len(models) >= 2 and bool(pairs)
    heights = [0.75 * len(models) + 0.6] + ([0.5 * len(pairs) + 0.6] if with_differences else [])
    figure = Figure(figsize=(WIDTH, sum(heights) + 1.3))
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights)
    first = None
    for column, series in enumerate(MEASURES):
        axes = figure.add_subplot(grid[0, column], sharex=first, sharey=first)
        axes.tick_params(axis="y", length=0, labelleft=column == 0)
        _draw_models(axes, series, models, folds, summary)
        axes.axvline(chance[series.column], **CHANCE_LINE)
        first = first or axes
    first.set_yticks(range(len(models)), [label(model, 22) for model in models], fontsize=10)
    first.set_ylim(len(models) - 0.45, -0.6)
    first.margins(x=0.08)
    if with_differences:
        _draw_differences(figure.add_subplot(grid[1, :]), pairs, differences)
    handles = _comparison_legend(chance, interval) + (difference_legend() if with_differences else [])
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    set_heading(figure, title)
    return figure


def _draw_models(axes, series, models, folds, summary):
    """Draw a measure of each model: every fold as a dot, and above them the mean and its interval."""
    for position, model in enumerate(models):
        values = folds.loc[folds["model"] == model].sort_values("fold")[series.column].to_numpy()
        heights = position + 0.2 + _offsets(len(values), 0.13)
        axes.scatter(values, heights, s=16, color=series.colour, alpha=0.45, lw=0)
        row = summary[(summary["model"] == model) & (summary["measure"] == series.column)].iloc[0]
        draw_interval(axes, row, position - 0.1, series)
        place = (row["mean"], position - 0.1)
        write_value(axes, place, f"{row['mean']:.3f}", series.colour, (0, 5), ha="center", va="bottom")
    axes.set_title(series.name)
    axes.grid(axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))


def _draw_differences(axes, pairs, differences):
    """Draw the mean difference of each pair of models, its interval and its p-value, in both measures."""
    axes.axvline(0, color=INK, lw=1.2)
    for offset, series in zip((-0.18, 0.18), MEASURES, strict=True):
        for position, (model, versus) in enumerate(pairs):
            chosen = (differences["model"] == model) & (differences["versus"] == versus)
            row = differences[chosen & (differences["measure"] == series.column)].iloc[0]
            draw_interval(axes, row, position + offset, series, certain=is_real(row["p_adjusted"]))
            text = f"{row['mean']:+.3f}{p_value_in_words(row['p_adjusted'])}"
            write_beside(axes, row, position + offset, text, series.colour)
    axes.set_yticks(
        range(len(pairs)), [f"{shortened(model, 22)}\nminus {shortened(versus, 22)}" for model, versus in pairs]
    )
    axes.set_ylim(len(pairs) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_title("Paired differences over the same folds")
    axes.set_xlabel("Difference (right of zero: the model named first is better)")
    axes.grid(axis="x")
    make_room_beside(axes, differences["mean"], 0.25)


def _comparison_legend(chance, interval):
    handles = [Line2D([], [], color=GREY, ls="", marker="o", ms=4, alpha=0.6, label="one fold")]
    handles += measure_handles(f"mean, {interval}")
    levels = f"{chance['accuracy']:.3f}, {chance['balanced_accuracy']:.3f} balanced"
    handles.append(Line2D([], [], label=f"always the most frequent class: {levels}", **CHANCE_LINE))
    return handles


def _offsets(number, reach):
    """`number` offsets between -reach and reach, neighbours far apart so that equal values do not hide each other."""
    golden_ratio = (math.sqrt(5) - 1) / 2
    return reach * (2 * np.mod((np.arange(number) + 0.5) * golden_ratio, 1.0) - 1)


@style.context(STYLE)
def held_out_figure(summary, metrics, title):
    """Accuracy and balanced accuracy of the cross-validation and, below it, of each set of held-out images.

    A line of its own each: the folds' models, with their mean, its interval and their range, and the ensemble.

    Args:
        summary: DataFrame with the columns measure, mean, low, high, minimum, maximum: the cross-validation.
        metrics: DataFrame with the columns usage, images ("all" or "without_copies"), predictions ("single",
            "ensemble"; others are not drawn), measure, value, low, high, minimum, maximum, rows. Sets of images stand
            in the order of their first row. low and high may be NaN: no interval is drawn then.
        title: heading of the figure.
    """
    lines = [("cross-validation,\neach fold's own images", summary.rename(columns={"mean": "value"}))]
    borders = []
    for (usage, images), of_set in metrics.groupby(["usage", "images"], sort=False):
        borders.append(len(lines) - 0.5)
        rows = f"{of_set['rows'].iloc[0]:,} {'images' if images == 'all' else 'without copies'}"
        for predictions, name in (("single", "single models"), ("ensemble", "ensemble")):
            lines.append((f"{usage}, {name},\n{rows}", of_set[of_set["predictions"] == predictions]))
    figure = Figure(figsize=(WIDTH, 0.52 * len(lines) + 1.9))
    first = None
    for column, series in enumerate(MEASURES):
        axes = figure.add_subplot(1, 2, column + 1, sharex=first, sharey=first)
        axes.tick_params(axis="y", length=0, labelleft=column == 0)
        for position, (_, table) in enumerate(lines):
            row = table[table["measure"] == series.column].iloc[0]
            if math.isfinite(row["minimum"]):
                axes.plot([row["minimum"], row["maximum"]], [position, position], **_range_line(series.colour))
            draw_interval(axes, row.rename({"value": "mean"}), position, series)
            place = (row["value"], position)
            write_value(axes, place, f"{row['value']:.3f}", series.colour, (0, 5), ha="center", va="bottom")
        for border in borders:
            axes.axhline(border, color=LIGHT_GREY, lw=0.8)
        axes.set_title(series.name)
        axes.grid(axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
        first = first or axes
    first.set_yticks(range(len(lines)), [name for name, _ in lines], fontsize=9)
    first.set_ylim(len(lines) - 0.5, -0.75)
    first.margins(x=0.1)
    handles = measure_handles("95 % interval")
    handles.append(Line2D([], [], label="lowest to highest fold", **_range_line(GREY)))
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    set_heading(figure, title)
    return figure


def _range_line(colour):
    """How the range of the folds is drawn, in the picture and in its legend."""
    return {"color": colour, "lw": 1, "alpha": 0.55, "marker": "|", "ms": 6}
