"""The picture of what leaks are worth: the accuracy on grouped folds, on random ones, and the difference."""

from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fercv.figures.drawing import BLUE, INK, STYLE, VERMILLION, WIDTH, label, set_heading
from fercv.figures.intervals import Series, draw_interval, interval_handle, write_right_of

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
            in the order of their first row. low and high may be NaN: no interval is drawn then.
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
            is_difference = row["assignment"] == "difference"
            _draw(difference if is_difference else both, position, row, "{:+.3f}" if is_difference else "{:.3f}")
    both.set_yticks(range(len(lines)), names, fontsize=9)
    both.set_ylim(len(lines) - 0.4, -0.6)
    both.set_title("Accuracy")
    difference.set_title("Random minus grouped")
    for axes in (both, difference):
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.margins(x=0.25)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    handles = [interval_handle(series, f"{series.name}, 95 % interval") for series, _ in ASSIGNMENTS.values()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    set_heading(figure, "The same models on grouped and on random folds")
    return figure


def _draw(axes, position, row, form):
    """Draw a value and its interval, and write the value beside it."""
    series, offset = ASSIGNMENTS[row["assignment"]]
    row = row | {"mean": row["value"]}
    draw_interval(axes, row, position + offset, series)
    write_right_of(axes, row, position + offset, form.format(row["value"]), series.colour)
