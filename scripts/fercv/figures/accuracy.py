"""The picture of the accuracy over the epochs. The function takes finished tables and returns a Figure."""

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from fercv.figures.drawing import BLUE, CHANCE_LINE, GREEN, GREY, INK, STYLE, VERMILLION, WIDTH, set_heading
from fercv.figures.intervals import Series

CURVES = (
    Series("accuracy", "training", VERMILLION, "s", (0, (5, 2))),
    Series("clean_accuracy", "clean training", GREEN, "^", (0, (4, 1.5, 1, 1.5))),
    Series("val_accuracy", "validation", BLUE, "o"),
)


@style.context(STYLE)
def accuracy_figure(histories, curves, chance, title):
    """Accuracy in training and in validation over the epochs: mean over the folds, its spread, and every single fold.

    Args:
        histories: DataFrame with the columns fold, epoch (from 1), accuracy, clean_accuracy, val_accuracy, and kept: 1
            for the epoch whose weights the fold's model has, and 0 for the others; one row for a fold's epoch.
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
    kept = histories[histories["kept"] == 1]
    keeps_earlier = (kept["epoch"] < kept["fold"].map(histories.groupby("fold")["epoch"].max())).any()
    _write_final_values(axes, kept)
    _mark_where_folds_end(axes, curves)
    set_heading(figure, title)
    handles = _accuracy_legend(curves)
    if keeps_earlier:
        handles.append(_draw_kept_epochs(axes, kept))
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


def _draw_kept_epochs(axes, kept):
    """Draw a bar for each fold at the epoch whose weights its model has; return the bars' entry for the legend."""
    bars = {"color": INK, "ls": "", "marker": "|", "ms": 13, "mew": 1.5}
    axes.plot(kept["epoch"], kept["val_accuracy"], zorder=4, **bars)
    return Line2D([], [], label="epochs that the folds keep", **bars)


def _write_final_values(axes, kept):
    """Write the accuracies of the folds' models at the right, and move the texts apart where they would overlap."""
    # Here, because that takes longer than importing everything else.
    from scipy.optimize import isotonic_regression

    least_distance, margin = 0.13, 0.06
    mean, spread = kept.mean(numeric_only=True), kept.std(numeric_only=True)
    ordered = sorted(CURVES, key=lambda series: mean[series.column])
    offsets = least_distance * np.arange(len(ordered))
    # The smallest moves, in the sense of least squares, that leave the distances.
    heights = isotonic_regression([mean[series.column] for series in ordered] - offsets).x
    heights = np.clip(heights, margin, 1 - margin - offsets[-1]) + offsets
    for height, series in zip(heights, ordered, strict=True):
        text = f"{series.name}\n{mean[series.column]:.3f}"
        if len(kept) > 1:
            text += f" ± {spread[series.column]:.3f}"
        axes.text(
            1.012, height, text, transform=axes.get_yaxis_transform(), color=series.colour, weight="bold", va="center",
            linespacing=1.3,
        )  # fmt: skip


def _mark_where_folds_end(axes, curves):
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
