"""Pictures of the settings in which models differ. Each function takes finished tables and returns a Figure."""

import json
import math

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fercv.figures.accuracy import CURVES
from fercv.figures.drawing import BLUE, GREEN, GREY, INK, STYLE, VERMILLION, WIDTH, label, set_heading, wrapped
from fercv.figures.intervals import (
    Series,
    difference_legend,
    draw_interval,
    interval_handle,
    is_real,
    p_value_in_words,
    write_right_of,
)

# As in the picture of the accuracy over the epochs.
ACCURACIES = tuple(curve._replace(column=curve.name.replace(" ", "_")) for curve in CURVES)
EFFECTS = (
    Series("validation", "validation accuracy", BLUE, "o"),
    Series("validation_minus_training", "validation minus training accuracy", VERMILLION, "s"),
    Series("validation_minus_clean_training", "validation minus clean training accuracy", GREEN, "^"),
)
# How far the markers of one row stand apart, in rows.
STEP = 0.22


@style.context(STYLE)
def effects_figure(factors, effects, names, title):
    """The accuracies of each model beside its settings; below, what each setting does on average.

    Args:
        factors: DataFrame with the columns model, measure, mean, low, high, and one for each factor: the setting, as
            JSON. low and high may be NaN: no interval is drawn then.
        effects: DataFrame with the columns architecture, factor, before, after, measure, mean, low, high, p_adjusted;
            maybe empty. Where p_adjusted is not below 0.05, or NaN, the marker is hollow and the line thin.
        names: the factors, in the order in which they are drawn.
        title: heading of the figure.
    """
    models = list(dict.fromkeys(factors["model"]))
    changed = effects.drop_duplicates(["architecture", "factor"])
    heights = [0.65 * len(models) + 0.5] + ([0.62 * len(changed) + 0.5] if len(changed) else [])
    figure = Figure(figsize=(WIDTH, sum(heights) + 2.0))
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    axes = figure.add_subplot(grid[0])
    settings = factors.drop_duplicates("model").set_index("model")[list(names)]
    _draw_rows(axes, [factors[factors["model"] == model] for model in models], ACCURACIES)
    _name_rows(axes, [f"{label(model, 34)}\n{wrapped(_settings(settings.loc[model]), 34)}" for model in models])
    axes.set_title("Accuracy after the last epoch")
    if len(changed):
        axes = figure.add_subplot(grid[1])
        rows = [table for _, table in effects.groupby(["architecture", "factor"], sort=False)]
        _draw_rows(axes, rows, EFFECTS, tested=True)
        _name_rows(axes, [_change(row, effects["architecture"].nunique() > 1) for _, row in changed.iterrows()])
        axes.axvline(0, color=INK, lw=1.2, zorder=1)
        axes.set_title("What a setting changes, on average over models alike in all else")
    handles = _handles(ACCURACIES, "")
    if len(changed):
        handles += [*_handles(EFFECTS, "change of "), *difference_legend()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2 if len(changed) else 1)
    set_heading(figure, title)
    return figure


def _draw_rows(axes, tables, series, tested=False):
    """Draw one row for each table: the mean and the interval of each measure, side by side from top to bottom.

    What is tested are differences: the value has a sign and a p-value, and the marker is hollow if it may be chance.
    """
    for place, table in enumerate(tables):
        rows = table.set_index("measure")
        for number, one in enumerate(series):
            height, row = place + STEP * (number - 1), rows.loc[one.column]
            draw_interval(axes, row, height, one, certain=not tested or is_real(row["p_adjusted"]))
            text = f"{row['mean']:+.3f}{p_value_in_words(row['p_adjusted'])}" if tested else f"{row['mean']:.3f}"
            write_right_of(axes, row, height, text, one.colour)
    axes.set_ylim(len(tables) - 0.45, -0.55)
    axes.grid(axis="x")
    axes.margins(x=0.08)
    if tested:
        # Room for the p-value beside the longest interval.
        left, right = axes.get_xlim()
        axes.set_xlim(left, right + 0.12 * (right - left))


def _name_rows(axes, names):
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.tick_params(axis="y", length=0)


def _change(row, with_architecture):
    """What changes from which level to which, such as `dropout, 0 → 0.5`."""
    of = f" of {row['architecture']}" if with_architecture else ""
    return f"{label(row['factor'] + of, 30)}\n{_level(row['before'])} → {_level(row['after'])}"


def _level(level):
    """How a setting, given as JSON, is written in a picture."""
    value = json.loads(level)
    if isinstance(value, bool):
        return "on" if value else "off"
    return value if isinstance(value, str) else f"{value:g}"


def _settings(levels):
    """The settings of a model in words, such as `augmentation, no dropout, width 0.5`."""
    written = {"true": "{}", "false": "no {}"}
    return ", ".join(written.get(level, f"{{}} {_level(level)}").format(name) for name, level in levels.items())


def _handles(series, prefix):
    return [interval_handle(one, f"{prefix}{one.name}, 95% interval") for one in series]


@style.context(STYLE)
def curves_figure(factors, factor, architectures, title):
    """Accuracy in training and validation against a setting that is a number, with the other models as lines.

    Args:
        factors: DataFrame with the columns model, measure, mean, low, high, and one named `factor`: the setting, as
            JSON. low and high may be NaN: no interval is drawn then.
        factor: name of the setting.
        architectures: the architecture of each model. The models of the one that most models have make up the curves.
        title: heading of the figure.
    """
    kinds = factors["model"].map(architectures)
    main = kinds.value_counts().idxmax()
    figure = Figure(figsize=(WIDTH, 5.2))
    axes = figure.add_subplot()
    curve = factors[kinds == main].assign(value=lambda table: table[factor].map(json.loads)).sort_values("value")
    handles = []
    for measure, name, colour, marker, _ in ACCURACIES:
        rows = curve[curve["measure"] == measure]
        reach = np.abs(rows[["low", "high"]].to_numpy().T - rows["mean"].to_numpy())
        axes.errorbar(rows["value"], rows["mean"], reach, color=colour, marker=marker, ms=6, mec="white", capsize=3)
        handles.append(Line2D([], [], color=colour, marker=marker, ms=6, mec="white", label=f"{main}: {name}"))
    for model, rows in factors[kinds != main].groupby("model", sort=False):
        row = rows.set_index("measure").loc["validation"]
        axes.axhline(row["mean"], color=GREY, lw=1.6, ls="dashed")
        if math.isfinite(row["low"]):
            axes.axhspan(row["low"], row["high"], color=GREY, alpha=0.18, lw=0)
        handles.append(
            Line2D([], [], color=GREY, lw=1.6, ls="dashed", label=f"{label(model, 22)}: validation, {row['mean']:.3f}")
        )
    axes.set_xlabel(factor)
    axes.set_ylabel("Accuracy after the last epoch")
    axes.set_ylim(0, 1.02)
    axes.set_xticks(curve["value"].unique())
    axes.grid(axis="y")
    set_heading(figure, title)
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure
