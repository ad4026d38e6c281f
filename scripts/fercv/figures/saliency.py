"""Pictures of saliency. Each function takes finished arrays and tables and returns a Figure."""

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure

from fercv.figures.drawing import (
    BLUE,
    GREEN,
    GREY,
    HEAT_MAP,
    INK,
    LIGHT_GREY,
    PURPLE,
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
    wrapped,
)

SIGNED_MAP = "RdBu_r"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE)
MARKERS = "osD^"
# How the lines of the references look.
REFERENCES = {"random": (0, (1, 2)), "centre": (0, (5, 2))}
# Names of classes in one row of mean maps.
IN_A_ROW = 8


@style.context(STYLE)
def saliency_figure(
    originals, heat, masked, fold_mean, fold_deviation, agreement, captions, threshold, folds, method, title
):
    """One row for each image: the image, its saliency, the image with only its salient pixels, and all folds' saliency.

    Args:
        originals: (n, h, w), grey values as uint8, or as float in [0, 1].
        heat: float (n, h, w) in [0, 1].
        masked: as originals, every pixel whose heat is not above `threshold` set to the image's mean.
        fold_mean: float (n, h, w) in [0, 1], the mean heat over the models of all folds.
        fold_deviation: float (n, h, w) in [0, 1], its standard deviation, on one scale with the mean.
        agreement: (n,), mean rank correlation of the heat between two folds.
        captions: the n texts of `prediction_labels`.
        threshold: heat above which a pixel was kept, in [0, 1].
        folds: number of folds.
        method: name of the method.
        title: heading of the figure.
    """
    number, height, width = originals.shape
    figure = Figure(figsize=(WIDTH, 2 + 1.45 * number * height / width))
    panels = figure.subplots(1, 5)
    # Means are far below 1 where the folds differ.
    largest = max(float(fold_mean.max()), float(fold_deviation.max()), 1e-9)
    columns = [
        ("Original", grey(originals), "gray"),
        (f"{method},\nnormalized", heat, HEAT_MAP),
        (f"Above {threshold:g},\nothers: mean", grey(masked), "gray"),
        (f"Mean of {folds} folds,\n0 to {largest:.2f}", fold_mean / largest, HEAT_MAP),
        (f"Their spread,\n0 to {largest:.2f}", fold_deviation / largest, HEAT_MAP),
    ]
    _draw_columns(panels, columns, captions)
    panels[4].yaxis.tick_right()
    centres = panels[0].get_yticks()
    panels[4].set_yticks(centres, [f"folds\nagree:\n{value:.2f}" for value in agreement], fontsize=9)
    bar = figure.colorbar(panels[1].images[0], ax=panels, fraction=0.03, aspect=40, pad=0.02)
    bar.set_label("Saliency")
    bar.outline.set_visible(False)
    bar.ax.axhline(threshold, color="white", lw=2)
    set_heading(figure, title)
    close_slack(figure, panels[0])
    return figure


@style.context(STYLE)
def methods_figure(originals, signed, heat, methods, captions, title):
    """One row for each image: the image, and the signed map and the heat of each method.

    Args:
        originals: (n, h, w), grey values as uint8, or as float in [0, 1].
        signed: float (m, n, h, w) in [-1, 1].
        heat: float (m, n, h, w) in [0, 1].
        methods: the m names of the methods.
        captions: the n texts of `prediction_labels`.
        title: heading of the figure.
    """
    number, height, width = originals.shape
    panels_count = 1 + 2 * len(methods)
    figure = Figure(figsize=(WIDTH, 2 + (WIDTH - 1.5) / panels_count * number * height / width))
    panels = figure.subplots(1, panels_count)
    columns = [("Original", grey(originals), "gray")]
    for name, of_method, heat_of_method in zip(methods, signed, heat, strict=True):
        columns += [(f"{label(name, 12)}\nsigned", (of_method + 1) / 2, SIGNED_MAP), ("heat", heat_of_method, HEAT_MAP)]
    _draw_columns(panels, columns, captions)
    set_note(
        panels[panels_count // 2],
        "Signed: red speaks for the predicted class, blue against it, white is zero. Heat: dark 0 to bright 1.",
    )
    set_heading(figure, title)
    close_slack(figure, panels[0])
    return figure


def prediction_labels(true_names, predicted_names, probabilities):
    """Texts that say the true and the predicted class of images, and whether these are equal, with the probability."""
    return [
        f"true: {shortened(true, 20)}\npredicted: {shortened(predicted, 20)}\n"
        f"{'✓ right' if true == predicted else '✗ wrong'} ({probability:.2f})"
        for true, predicted, probability in zip(true_names, predicted_names, probabilities, strict=True)
    ]


def _draw_columns(panels, columns, captions):
    """Draw a column of images into each panel, with its name above, and a caption at the left of each row."""
    for axes, (name, images, colour_map) in zip(panels, columns, strict=True):
        centres = draw_tiles(axes, images, columns=1, gap=0.05, colour_map=colour_map)
        axes.set_title(name, loc="center", weight="normal", fontsize=9)
    panels[0].set_yticks(centres[:, 1], captions, fontsize=9, linespacing=1.4)
    for text, caption in zip(panels[0].get_yticklabels(), captions, strict=True):
        wrong = "✗" in caption
        text.set(color=VERMILLION if wrong else INK, weight="bold" if wrong else "normal")


@style.context(STYLE)
def means_figure(faces, means, methods, class_names, counts, title):
    """The mean image of each class, and below it the mean heat of each method.

    Args:
        faces: float (k, h, w) in [0, 1], the mean images.
        means: float (q, k, h, w), mean heat as a multiple of an even distribution.
        methods: the q names of the methods.
        class_names: the k classes.
        counts: (k,), the images of each class; a class without any stays empty.
        title: heading of the figure.
    """
    number, height, width = faces.shape
    in_a_row = min(IN_A_ROW, number)
    blocks = [slice(start, start + in_a_row) for start in range(0, number, in_a_row)]
    known = np.where(np.asarray(counts) > 0, 1.0, np.nan)[:, None, None]
    largest = [max(float(of_method.max()), 1e-9) for of_method in means]
    rows = [("Mean image", faces * known, "gray")]
    rows += [
        (f"{name}:\n0 to {top:.1f} times\nan even heat", of_method * known / top, HEAT_MAP)
        for name, of_method, top in zip(methods, means, largest, strict=True)
    ]
    tile = (WIDTH - 1.6) / in_a_row
    figure = Figure(figsize=(WIDTH, 1.2 + len(blocks) * (0.7 + len(rows) * (0.1 + tile * height / width))))
    grid = figure.subplots(len(blocks) * len(rows), 1, squeeze=False)[:, 0]
    for block_number, block in enumerate(blocks):
        for row_number, (name, images, colour_map) in enumerate(rows):
            axes = grid[block_number * len(rows) + row_number]
            shown = images[block]
            missing = np.full((in_a_row - len(shown), height, width), np.nan)
            centres = draw_tiles(axes, np.concatenate([shown, missing]), in_a_row, gap=0.05, colour_map=colour_map)
            axes.set_yticks([height / width / 2], [name], fontsize=9)
            if row_number == 0:
                texts = [
                    f"{label(class_name, 11)}\n{count:,} images"
                    for class_name, count in zip(class_names[block], counts[block], strict=True)
                ]
                axes.xaxis.tick_top()
                axes.set_xticks(centres[: len(texts), 0], texts, fontsize=9)
    set_note(
        grid[-1],
        "All correctly classified validation images of all folds. Dark: no heat; bright: the largest value of the row.",
    )
    set_heading(figure, title)
    close_slack(figure, *grid)
    return figure


@style.context(STYLE)
def checks_figure(checks, methods, verdicts, title):
    """What the checks of saliency maps say: curves, differences, and a verdict on each method.

    Args:
        checks: DataFrame of the columns method, check, measure, place, value, low and high, see M/saliency_checks.csv.
        methods: {name in the table: name to show}, at most four.
        verdicts: a text for each method.
        title: heading of the figure.
    """
    looks = {
        method: {"color": colour, "marker": marker, "label": name}
        for (method, name), colour, marker in zip(methods.items(), COLOURS, MARKERS, strict=False)
    }
    text = "\n".join(wrapped(verdict, 125) for verdict in verdicts)
    with_parts = "parts_by_class" in set(checks["check"])
    ratios = [2.6, 2.3, 1.9] + [2.2] * with_parts
    figure = Figure(figsize=(WIDTH, 1.8 + sum(ratios) * 1.08 + 0.19 * text.count("\n")))
    grid = figure.add_gridspec(len(ratios), 2, height_ratios=ratios)
    first = figure.add_subplot(grid[0, 0])
    _draw_randomization(first, checks, "rank_correlation", looks)
    first.set_title("Shuffled weights: lower is better")
    first.set_ylabel("rank correlation\nwith the real map")
    second = figure.add_subplot(grid[0, 1])
    _draw_randomization(second, checks, "structural_similarity", looks)
    second.set_ylabel("structural similarity\nto the real map")
    for column, (check, name) in enumerate({"deletion": "deleted", "insertion": "inserted"}.items()):
        axes = figure.add_subplot(grid[1, column])
        _draw_curves(axes, checks, check, looks)
        better = "lower" if check == "deletion" else "higher"
        axes.set_title(f"{check.capitalize()}: {better} is better")
        axes.set_xlabel(f"share of the pixels {name}, hottest first")
    axes = figure.add_subplot(grid[2, 0])
    _draw_masking(axes, checks, looks)
    axes.set_title("Masking: what the hot pixels alone show")
    axes = figure.add_subplot(grid[2, 1])
    _draw_folds(axes, checks, looks)
    axes.set_title("Folds: how alike their maps are")
    if with_parts:
        axes = figure.add_subplot(grid[3, :])
        _draw_parts(axes, checks, looks)
        axes.set_title("Parts of the face: the share of the heat in brows, eyes and mouth, by class")
    figure.supxlabel(text, x=0.01, ha="left", fontsize=9, linespacing=1.5)
    # In the panel beside it, where the curves leave room.
    figure.axes[1].legend(*first.get_legend_handles_labels(), loc="upper right", handlelength=1.4, labelspacing=0.3)
    handles, names = figure.axes[2].get_legend_handles_labels()
    figure.axes[2].legend(handles[len(looks) :], names[len(looks) :], loc="upper right", labelspacing=0.3)
    set_heading(figure, title)
    return figure


def _rows(checks, check, measure, method=None):
    chosen = checks[(checks["check"] == check) & (checks["measure"] == measure)]
    return chosen if method is None else chosen[chosen["method"] == method]


def _draw_randomization(axes, checks, measure, looks):
    for method, look in looks.items():
        rows = _rows(checks, "randomization", measure, method)
        # Before any layer is shuffled, the map is equal to itself.
        axes.plot(range(len(rows) + 1), [1, *rows["value"]], ms=3.5, lw=1.4, **look)
    names = ["none", *(shortened(name, 16) for name in rows["place"])]
    step = -(-len(names) // 24)
    axes.set_xticks(range(0, len(names), step), names[::step], rotation=90, fontsize=7)
    axes.set_ylim(min(-0.1, axes.get_ylim()[0]), 1.05)
    axes.axhline(0, color=LIGHT_GREY, lw=0.8, zorder=0)


def _draw_curves(axes, checks, check, looks):
    for method, look in looks.items():
        rows = _rows(checks, check, "probability", method)
        axes.plot(rows["place"].astype(float), rows["value"], ms=3.5, lw=1.4, **look)
    for reference, dashes in REFERENCES.items():
        rows = _rows(checks, check, "probability", reference)
        name = {"random": "random pixels", "centre": "from the centre outwards"}[reference]
        axes.plot(rows["place"].astype(float), rows["value"], color=GREY, ls=dashes, lw=1.6, label=name)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="probability of the class")


def _draw_masking(axes, checks, looks):
    markers = {"accuracy_random": ".", "accuracy_centre": "x"}
    for place, (method, look) in enumerate(looks.items()):
        own = _rows(checks, "masking", "accuracy", method)
        _draw_value(axes, own, place, look)
        for measure, marker in markers.items():
            axes.plot(_rows(checks, "masking", measure, method)["value"], [place], marker, color=GREY, ms=7)
    _name_rows(axes, looks)
    axes.set(
        xlim=(0, 1),
        xlabel="share of the images still right; grey: as many\npixels at random (dot), from the centre (cross)",
    )


def _draw_folds(axes, checks, looks):
    for place, (method, look) in enumerate(looks.items()):
        _draw_value(axes, _rows(checks, "folds", "rank_correlation", method), place, look)
        others = _rows(checks, "folds", "rank_correlation_other_images", method)
        axes.plot(others["value"], [place] * len(others), ".", color=GREY, ms=7)
    _name_rows(axes, looks)
    axes.set(
        xlim=(min(0, axes.get_xlim()[0]), 1),
        xlabel="rank correlation between two folds;\ngrey: between different images",
    )


def _draw_value(axes, row, place, look):
    """A value and its interval, on a line of its own."""
    axes.plot([row["low"].iloc[0], row["high"].iloc[0]], [place, place], color=look["color"], lw=2)
    axes.plot(row["value"], [place], look["marker"], color=look["color"], ms=6)


def _name_rows(axes, looks):
    axes.set_yticks(range(len(looks)), [look["label"] for look in looks.values()])
    axes.set(ylim=(len(looks) - 0.5, -0.5))


def _draw_parts(axes, checks, looks):
    names = list(dict.fromkeys(_rows(checks, "parts_by_class", "heat")["place"]))
    positions = {name: place for place, name in enumerate(names)}
    for number, (method, look) in enumerate(looks.items()):
        offset = 0.16 * (number - (len(looks) - 1) / 2)
        rows = _rows(checks, "parts_by_class", "heat", method)
        places = [positions[name] + offset for name in rows["place"]]
        axes.vlines(places, rows["low"], rows["high"], color=look["color"], lw=1.6)
        axes.plot(places, rows["value"], look["marker"], color=look["color"], ms=5)
    for measure, dashes in (("area", "-"), ("centre", REFERENCES["centre"])):
        rows = _rows(checks, "parts_by_class", measure, next(iter(looks)))
        places = np.array([positions[name] for name in rows["place"]])
        axes.hlines(
            rows["value"], places - 0.42, places + 0.42, color=INK if measure == "area" else GREY, ls=dashes, lw=1.4
        )
    axes.set_xticks(range(len(names)), [label(name, 12) for name in names])
    axes.set(ylim=(0, axes.get_ylim()[1]), xlim=(-0.6, len(names) - 0.4), ylabel="share of the heat")
    axes.set_xlabel("full line: share of the area; dashed line: a blob in the centre")
