"""Pictures of accuracy, confusion, calibration and comparison. Each takes finished tables and returns a Figure."""

import math
from typing import NamedTuple

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from fercv.figures.drawing import (
    BLUE,
    GREEN,
    GREY,
    INK,
    LIGHT_GREY,
    STYLE,
    VERMILLION,
    WIDTH,
    close_slack,
    draw_tiles,
    grey,
    label,
    set_heading,
    set_note,
    shortened,
)


class Series(NamedTuple):
    """How one column of a table is drawn, the same in every part of a picture."""

    column: str
    name: str
    colour: str
    marker: str
    line_style: object = "solid"


CURVES = (
    Series("accuracy", "training", VERMILLION, "s", (0, (5, 2))),
    Series("clean_accuracy", "clean training", GREEN, "^", (0, (4, 1.5, 1, 1.5))),
    Series("val_accuracy", "validation", BLUE, "o"),
)
MEASURES = (
    Series("accuracy", "Accuracy", BLUE, "o"),
    Series("balanced_accuracy", "Balanced accuracy", VERMILLION, "D"),
)
SHARE_MAP = "magma_r"
# Cells of more classes are too small for text.
TEXT_CLASSES = 24
CHANCE_LINE = {"zorder": 1, "color": INK, "lw": 1.2, "ls": (0, (1, 1.5))}
GAP_LINE = {"color": VERMILLION, "lw": 5, "alpha": 0.35}
# Points; a diamond looks larger than a circle of its size.
MARKER_SIZES = {"o": 7, "D": 6}


@style.context(STYLE)
def accuracy_figure(histories, curves, chance, title):
    """Accuracy in training and in validation over the epochs: mean over the folds, its spread, and every single fold.

    Args:
        histories: DataFrame with the columns fold, epoch (from 1), accuracy, clean_accuracy, val_accuracy; one row for
            a fold's epoch.
        curves: DataFrame with the same accuracies, epoch, folds, and accuracy_spread and the like; one row for an
            epoch: means over the folds that reached it, how many folds those are, and standard deviations (NaN where
            there is only one fold).
        chance: the accuracy of always naming the most frequent class.
        title: heading of the figure.
    """
    figure = Figure(figsize=(WIDTH, 5.2))
    axes = figure.add_subplot()
    curves = curves.sort_values("epoch")
    # With one epoch only, all series would stand on the same spot: they are drawn side by side.
    shifts = (-0.12, 0.0, 0.12) if len(curves) == 1 else (0.0, 0.0, 0.0)
    for series, shift in zip(CURVES, shifts, strict=True):
        # The folds and the spread of a third curve would hide those of the other two.
        alone = series.column == "clean_accuracy" and len(curves) > 1
        if not alone:
            _draw_single_folds(axes, histories, series, shift)
        _draw_mean_and_spread(axes, curves, series, shift, alone)
    _scale_accuracy_axes(axes, int(curves["epoch"].iloc[-1]))
    axes.axhline(chance, **CHANCE_LINE)
    _mark_final_values(axes, curves)
    _mark_early_stopping(axes, curves)
    set_heading(figure, title)
    handles = _accuracy_legend(curves)
    handles.append(Line2D([], [], label=f"always the most frequent class, {chance:.3f}", **CHANCE_LINE))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, columnspacing=1.4, handlelength=2.6)
    return figure


def _draw_single_folds(axes, histories, series, shift):
    """Draw each fold as a thin line, or as a dot beside the mean where it has one epoch."""
    for _, fold in histories.sort_values(["fold", "epoch"]).groupby("fold"):
        marker = "o" if len(fold) == 1 else ""
        epochs = fold["epoch"] + shift + 0.03 * (len(fold) == 1)
        axes.plot(epochs, fold[series.column], color=series.colour, alpha=0.25, lw=0.7, marker=marker, ms=4)


def _draw_mean_and_spread(axes, curves, series, shift, alone):
    """Draw the mean over the folds as a line within a band, or alone, or as a dot with a bar where it is one epoch."""
    epochs, mean = curves["epoch"].to_numpy(), curves[series.column].to_numpy()
    spread = _spread(curves, series).to_numpy()
    if len(epochs) == 1:
        axes.errorbar(epochs + shift, mean, spread, fmt="none", ecolor=series.colour, elinewidth=2, capsize=7)
    elif not alone:
        axes.fill_between(epochs, mean - spread, mean + spread, color=series.colour, alpha=0.22, lw=0)
    axes.plot(epochs + shift, mean, zorder=3, **_line_of(series, curves))


def _spread(curves, series):
    return curves[f"{series.column}_spread"].fillna(0.0)


def _line_of(series, curves):
    """How the mean of a series is drawn, in the picture and in its legend."""
    marker = series.marker if len(curves) <= 25 else ""
    return {"color": series.colour, "lw": 2, "ls": series.line_style, "marker": marker, "ms": 6, "mec": "white"}


def _scale_accuracy_axes(axes, last_epoch):
    # A little more than 1, so that a marker at 1 is not cut.
    axes.set_ylim(0, 1.02)
    axes.set_xlim(0.5, last_epoch + 0.5)
    axes.set_yticks(np.linspace(0, 1, 11))
    round_epochs = MaxNLocator(nbins=12, integer=True).tick_values(1, last_epoch)
    axes.set_xticks([1, *(epoch for epoch in round_epochs if 1 < epoch <= last_epoch)])
    axes.set_xlabel("Epoch")
    axes.set_ylabel("Accuracy")
    axes.grid(axis="y")


def _accuracy_legend(curves):
    folds = int(curves["folds"].max())
    mean_of = "one fold" if folds == 1 else f"mean of {folds} folds"
    handles = [Line2D([], [], label=f"{series.name}, {mean_of}", **_line_of(series, curves)) for series in CURVES]
    if folds == 1:
        return handles
    spread, single = "±1 standard deviation over the folds", "single folds"
    if len(curves) == 1:
        handles.append(Line2D([], [], color=GREY, lw=2, label=spread))
        handles.append(Line2D([], [], color=GREY, alpha=0.5, ls="", marker="o", ms=4, label=single))
    else:
        handles.append(Patch(color=GREY, alpha=0.3, lw=0, label=spread))
        handles.append(Line2D([], [], color=GREY, alpha=0.5, lw=0.8, label=single))
    return handles


def _mark_final_values(axes, curves):
    """Write the last values of all series at their ends, and move the texts apart where they would overlap."""
    # Here, because that takes longer than importing everything else.
    from scipy.optimize import isotonic_regression

    least_distance, margin = 0.13, 0.06
    last = curves.iloc[-1]
    ordered = sorted(CURVES, key=lambda series: last[series.column])
    offsets = least_distance * np.arange(len(ordered))
    # The smallest moves, in the sense of least squares, that leave the distances.
    heights = isotonic_regression([last[series.column] for series in ordered] - offsets).x
    heights = np.clip(heights, margin, 1 - margin - offsets[-1]) + offsets
    for height, series in zip(heights, ordered, strict=True):
        text = f"{series.name}\n{last[series.column]:.3f}"
        if curves["folds"].max() > 1:
            text += f" ± {_spread(curves, series).iloc[-1]:.3f}"
        axes.text(
            1.012, height, text, transform=axes.get_yaxis_transform(), color=series.colour, weight="bold", va="center",
            linespacing=1.3,
        )  # fmt: skip


def _mark_early_stopping(axes, curves):
    """Mark the last epoch that every fold reached, where some folds went on; `curves` is sorted by epoch."""
    folds = int(curves["folds"].max())
    complete = curves.loc[curves["folds"] == folds, "epoch"].max()
    if complete == curves["epoch"].max():
        return
    in_left_half = complete < curves["epoch"].mean()
    axes.axvline(complete, color=GREY, lw=1, ls="dotted")
    axes.annotate(
        f"all {folds} folds until here, {int(curves['folds'].iloc[-1])} at the end",
        (complete, 0.02),
        xytext=(4 if in_left_half else -4, 0),
        textcoords="offset points",
        ha="left" if in_left_half else "right",
        color=GREY,
        fontsize=9,
    )


@style.context(STYLE)
def confusion_figure(counts, class_names, title):
    """Confusion matrix, coloured by the share of the true class; percent and count in each cell.

    Args:
        counts: int array (k, k), rows are true classes, columns predicted ones. A row may be empty.
        class_names: the k names, in the order of the rows.
        title: heading of the figure.
    """
    counts = np.asarray(counts)
    totals = counts.sum(axis=1)
    shares = np.divide(counts, totals[:, None], out=np.full(counts.shape, np.nan), where=totals[:, None] > 0)
    width = min(WIDTH, 4.6 + 0.85 * len(class_names))
    figure = Figure(figsize=(width, 1.4 * width))
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap=SHARE_MAP, vmin=0, vmax=1)
    _draw_cell_borders(axes, len(class_names))
    _name_classes(axes, class_names, totals)
    if len(class_names) <= TEXT_CLASSES:
        _write_cells(axes, image, shares, counts)
    bar = figure.colorbar(image, ax=axes, shrink=0.7, aspect=28, pad=0.03)
    bar.set_label("Share of the true class")
    bar.outline.set_visible(False)
    bar.set_ticks(np.linspace(0, 1, 6), labels=[f"{percent}%" for percent in range(0, 101, 20)])
    set_heading(figure, title)
    close_slack(figure, axes)
    return figure


def _draw_cell_borders(axes, classes):
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5 if classes <= TEXT_CLASSES else 0.4)
    axes.tick_params(which="both", length=0)


def _name_classes(axes, class_names, totals):
    """Write the names beside rows and columns; those of the columns slanted where they would overlap."""
    classes = len(class_names)
    many = classes > 10
    size = float(np.clip(200 / classes, 5.5, 8 if many else 10))
    names = [shortened(name, 16) if many else label(name, 18) for name in class_names]
    columns, slant = names, {}
    if max(len(line) for name in names for line in name.splitlines()) * classes > 70:
        columns = [shortened(name, 16 if many else 24) for name in class_names]
        slant = {"rotation": 90, "va": "center"} if many else {"rotation": 45}
        slant |= {"ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(classes), columns, fontsize=size, **slant)
    separator = "  " if many else "\n"
    rows = [f"{name}{separator}n = {total:,}" for name, total in zip(names, totals, strict=True)]
    axes.set_yticks(range(classes), rows, fontsize=size)
    axes.set_xlabel("Predicted class", weight="bold", labelpad=8)
    axes.set_ylabel("True class", weight="bold", labelpad=8)


def _write_cells(axes, image, shares, counts):
    """Write the share and the count into each cell, in a colour that stands out from the cell's."""
    classes = len(shares)
    percent_size = float(np.clip(80 / classes, 7, 12))
    count_size = max(5.5, percent_size * 0.72)
    # Small cells have room for the digits only.
    sign, grouping = ("", "d") if classes > 12 else ("%", ",d")
    for row, column in np.ndindex(shares.shape):
        share = shares[row, column]
        if np.isnan(share):
            axes.text(column, row, "no data", ha="center", va="center", color=GREY, fontsize=count_size)
            continue
        percent = "<1" if 0 < share < 0.005 else f"{100 * share:.0f}"
        cell = {"ha": "center", "color": _text_colour(image.to_rgba(share))}
        axes.text(column, row + 0.04, f"{percent}{sign}", va="bottom", fontsize=percent_size, **cell)
        axes.text(column, row + 0.08, f"{counts[row, column]:{grouping}}", va="top", fontsize=count_size, **cell)


def _text_colour(rgba):
    """Black or white, whichever has the higher contrast on `rgba` (WCAG 2.2, relative luminance)."""
    channels = np.asarray(rgba[:3])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    return "black" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "white"


@style.context(STYLE)
def calibration_figure(bins, error, title):
    """Reliability diagram: accuracy against confidence in each bin; below it, the number of images in each bin.

    Args:
        bins: DataFrame with the columns from, to, images, confidence, accuracy, low, high; one row for a bin of
            confidences. confidence and accuracy are NaN in an empty bin; where low and high are NaN, no interval is
            drawn.
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
    axes.plot(filled["confidence"], filled["accuracy"], "o", color=BLUE, ms=7, mec="white")
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
    dot = {"color": BLUE, "marker": "o", "ms": 7, "mec": "white", "lw": 1.6}
    handles = [
        Line2D([], [], label="images of a bin, 95% interval", **dot),
        Line2D([], [], label="accuracy equals confidence", **CHANCE_LINE),
        Line2D([], [], label="difference", **GAP_LINE),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, columnspacing=1.4)
    set_heading(figure, title)
    return figure


def _error_in_words(error):
    text = f"{error['value']:.3f}"
    if math.isnan(error["chance"]):
        return text
    return f"{text} (95% interval {error['low']:.3f} to {error['high']:.3f})\nChance alone gives {error['chance']:.3f}"


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
        _draw_interval(axes, row, position - 0.1, series)
        place = (row["mean"], position - 0.1)
        _write_value(axes, place, f"{row['mean']:.3f}", series.colour, (0, 5), ha="center", va="bottom")
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
            _draw_interval(axes, row, position + offset, series, certain=is_real(row["p_adjusted"]))
            # The value stands on the side away from zero, so that the line at zero does not cross it.
            side, end = (6, "high") if row["mean"] >= 0 else (-6, "low")
            place = (row["mean"] if math.isnan(row[end]) else row[end], position + offset)
            alignment = {"ha": "left" if side > 0 else "right", "va": "center"}
            text = f"{row['mean']:+.3f}{p_value_in_words(row['p_adjusted'])}"
            _write_value(axes, place, text, series.colour, (side, 0), **alignment)
    axes.set_yticks(
        range(len(pairs)), [f"{shortened(model, 22)}\nminus {shortened(versus, 22)}" for model, versus in pairs]
    )
    axes.set_ylim(len(pairs) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_title("Paired differences over the same folds")
    axes.set_xlabel("Difference (right of zero: the model named first is better)")
    axes.grid(axis="x")
    # Room for the values that stand beside the longest intervals.
    left, right = axes.get_xlim()
    room = 0.25 * (right - left)
    axes.set_xlim(left - room * (differences["mean"] < 0).any(), right + room * (differences["mean"] >= 0).any())


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


def _comparison_legend(chance, interval):
    handles = [Line2D([], [], color=GREY, ls="", marker="o", ms=4, alpha=0.6, label="one fold")]
    handles += _measure_handles(f"mean, {interval}")
    levels = f"{chance['accuracy']:.3f}, {chance['balanced_accuracy']:.3f} balanced"
    handles.append(Line2D([], [], label=f"always the most frequent class: {levels}", **CHANCE_LINE))
    return handles


def _measure_handles(text):
    """What the legend says of the marker and the line of each measure."""
    return [
        Line2D(
            [],
            [],
            color=colour,
            lw=2.4,
            marker=marker,
            ms=MARKER_SIZES[marker],
            mec="white",
            label=f"{name.lower()}: {text}",
        )
        for _, name, colour, marker, _ in MEASURES
    ]


def _offsets(number, reach):
    """`number` offsets between -reach and reach, neighbours far apart so that equal values do not hide each other."""
    golden_ratio = (math.sqrt(5) - 1) / 2
    return reach * (2 * np.mod((np.arange(number) + 0.5) * golden_ratio, 1.0) - 1)


def _draw_interval(axes, row, position, series, certain=True):
    if math.isfinite(row["low"]) and math.isfinite(row["high"]):
        axes.plot([row["low"], row["high"]], [position, position], color=series.colour, lw=2.4 if certain else 1.2)
    edge = {"mec": "white"} if certain else {"mfc": "white"}
    axes.plot(row["mean"], position, series.marker, color=series.colour, ms=MARKER_SIZES[series.marker], **edge)


def _write_value(axes, place, text, colour, offset, **alignment):
    # A white edge keeps the digits readable where a line passes behind them.
    edge = [withStroke(linewidth=3, foreground="white")]
    font = {"color": colour, "fontsize": 9, "weight": "bold", "path_effects": edge}
    axes.annotate(text, place, offset, textcoords="offset points", **font, **alignment)


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
            _draw_interval(axes, row.rename({"value": "mean"}), position, series)
            place = (row["value"], position)
            _write_value(axes, place, f"{row['value']:.3f}", series.colour, (0, 5), ha="center", va="bottom")
        for border in borders:
            axes.axhline(border, color=LIGHT_GREY, lw=0.8)
        axes.set_title(series.name)
        axes.grid(axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
        first = first or axes
    first.set_yticks(range(len(lines)), [name for name, _ in lines], fontsize=9)
    first.set_ylim(len(lines) - 0.5, -0.75)
    first.margins(x=0.1)
    handles = _measure_handles("95 % interval")
    handles.append(Line2D([], [], label="lowest to highest fold", **_range_line(GREY)))
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    set_heading(figure, title)
    return figure


def _range_line(colour):
    """How the range of the folds is drawn, in the picture and in its legend."""
    return {"color": colour, "lw": 1, "alpha": 0.55, "marker": "|", "ms": 6}


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
    heading = f"The {len(images)} most suspicious of {total:,} suspicious labels"
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
