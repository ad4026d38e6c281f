"""The picture of a confusion matrix. The function takes the finished matrix and returns a Figure."""

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure

from fercv.figures.drawing import GREY, STYLE, WIDTH, close_slack, label, set_heading, shortened

SHARE_MAP = "magma_r"
# Cells of more classes are too small for text.
TEXT_CLASSES = 24


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
