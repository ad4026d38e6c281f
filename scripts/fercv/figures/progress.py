"""The picture of a run that has not ended: the accuracy of every fold so far."""

import math

from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fercv.figures.drawing import BLUE, GREY, STYLE, VERMILLION, WIDTH, label, set_heading

COLUMNS = 3


@style.context(STYLE)
def progress_figure(histories, numbers, experiment):
    """Validation accuracy over the epochs, a line for each fold, and a picture for each model.

    Args:
        histories: DataFrame with the columns model, fold, epoch (from 1), val_accuracy, is_done; one row for a fold's
            epoch.
        numbers: how many folds each model has, also those that have not begun: {model: number}.
        experiment: its name, for the heading.
    """
    columns = min(COLUMNS, len(numbers))
    rows = math.ceil(len(numbers) / columns)
    figure = Figure(figsize=(WIDTH, 2.9 * rows + 0.9))
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes in grid[len(numbers) :]:
        axes.set_visible(False)
    for axes, (model, number) in zip(grid, numbers.items(), strict=False):
        of_model = histories[histories["model"] == model]
        for (_, is_done), fold in of_model.groupby(["fold", "is_done"]):
            colour = BLUE if is_done else VERMILLION
            axes.plot(fold["epoch"], fold["val_accuracy"], color=colour, lw=1.2, alpha=0.7, marker="o", ms=2.5)
        done = of_model.loc[of_model["is_done"], "fold"].nunique()
        axes.set_title(f"{label(model, 24)}\n{done} of {number} folds done")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.grid(axis="y")
        if of_model.empty:
            axes.text(0.5, 0.5, "not begun", transform=axes.transAxes, ha="center", color=GREY)
            axes.set_xticks([])
    grid[0].set_ylim(0, 1.02)
    for axes in grid[::columns]:
        axes.set_ylabel("Validation accuracy")
    for axes in grid[max(0, len(numbers) - columns) : len(numbers)]:
        axes.set_xlabel("Epoch")
    handles = [
        Line2D([], [], color=BLUE, marker="o", ms=2.5, label="fold that is done"),
        Line2D([], [], color=VERMILLION, marker="o", ms=2.5, label="fold in training"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    set_heading(figure, f"{experiment}: every fold so far")
    return figure
