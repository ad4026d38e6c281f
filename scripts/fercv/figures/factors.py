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
    make_room_beside,
    p_value_in_words,
    write_beside,
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
    """The accuracies of each model beside its settings; below, what each setting does, and each two of them together.

    Args:
        factors: DataFrame with the columns model, measure, mean, low, high, and one for each factor: the setting, as
            JSON. low and high may be NaN: no interval is drawn then.
        effects: DataFrame with the columns architecture, factor, before, after, measure, mean, low, high, p_adjusted;
            maybe empty. Where p_adjusted is not below 0.05, or NaN, the marker is hollow and the line thin.
        names: the factors, in the order in which they are drawn.
        title: heading of the figure.
    """
    models = list(dict.fromkeys(factors["model"]))
    alone = effects["before"] != ""
    tested = [
        ("What a setting changes, on average over models alike in all else", effects[alone]),
        ("How much more the first setting changes where the second is on, or larger", effects[~alone]),
    ]
    tested = [(text, list(table.groupby(["architecture", "factor"], sort=False))) for text, table in tested]
    tested = [(text, rows) for text, rows in tested if rows]
    heights = [0.65 * len(models) + 0.5, *(0.62 * len(rows) + 0.5 for _, rows in tested)]
    figure = Figure(figsize=(WIDTH, sum(heights) + 2.0))
    first, *others = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    settings = factors.drop_duplicates("model").set_index("model")[list(names)]
    _draw_rows(first, [factors[factors["model"] == model] for model in models], ACCURACIES)
    _name_rows(first, [f"{label(model, 34)}\n{wrapped(_settings(settings.loc[model]), 34)}" for model in models])
    first.set_title("Accuracy of the trained models")
    for axes, (text, rows) in zip(others, tested, strict=True):
        _draw_rows(axes, [table for _, table in rows], EFFECTS, tested=True)
        several = effects["architecture"].nunique() > 1
        _name_rows(axes, [_change(table.iloc[0], several) for _, table in rows])
        axes.axvline(0, color=INK, lw=1.2, zorder=1)
        axes.set_title(text)
    handles = _handles(ACCURACIES, "")
    if tested:
        # Each column of the legend is filled from top to bottom.
        real, chance = difference_legend()
        handles += [real, *_handles(EFFECTS, "change of "), chance]
    figure.legend(handles=handles, loc="outside lower center", ncols=2 if tested else 1)
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
            if tested:
                text = f"{row['mean']:+.3f}{p_value_in_words(row['p_adjusted'])}"
                write_beside(axes, row, height, text, one.colour)
            else:
                write_right_of(axes, row, height, f"{row['mean']:.3f}", one.colour)
    axes.set_ylim(len(tables) - 0.45, -0.55)
    axes.grid(axis="x")
    axes.margins(x=0.08)
    if tested:
        shown = [one.column for one in series]
        means = [row["mean"] for table in tables for _, row in table.iterrows() if row["measure"] in shown]
        make_room_beside(axes, np.array(means), 0.3)


def _name_rows(axes, names):
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.tick_params(axis="y", length=0)


def _change(row, with_architecture):
    """What changes from which level to which, such as `dropout, 0 → 0.5`, or which two settings interact."""
    of = f" of {row['architecture']}" if with_architecture else ""
    if row["before"] == "":
        return wrapped(row["factor"] + of, 34)
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
    line = {"color": GREY, "lw": 1.6, "ls": "dashed"}
    handles, interval = [], ", 95% interval" if factors["low"].notna().any() else ""
    for measure, name, colour, marker, _ in ACCURACIES:
        rows = curve[curve["measure"] == measure]
        reach = np.abs(rows[["low", "high"]].to_numpy().T - rows["mean"].to_numpy())
        axes.errorbar(rows["value"], rows["mean"], reach, color=colour, marker=marker, ms=6, mec="white", capsize=3)
        handles.append(
            Line2D([], [], color=colour, marker=marker, ms=6, mec="white", label=f"{main}: {name}{interval}")
        )
    for model, rows in factors[kinds != main].groupby("model", sort=False):
        row = rows.set_index("measure").loc["validation"]
        axes.axhline(row["mean"], **line)
        if math.isfinite(row["low"]):
            axes.axhspan(row["low"], row["high"], color=GREY, alpha=0.18, lw=0)
        text = f"{label(model, 22)}: validation, {row['mean']:.3f}{interval}"
        handles.append(Line2D([], [], **line, label=text))
    axes.set_xlabel(factor)
    axes.set_ylabel("Accuracy of the trained models")
    axes.set_ylim(0, 1.02)
    places = curve["value"].unique()
    axes.set_xticks(places, [f"{place:g}" for place in places])
    axes.grid(axis="y")
    set_heading(figure, title)
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure
