"""Pictures of saliency. Each function takes finished arrays and tables and returns a Figure."""

import numpy as np
from matplotlib import style
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
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
    set_figure_note,
    set_heading,
    shortened,
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
    originals, heat, masked, fold_mean, fold_deviation, agreement, captions, threshold, folds, method, title, note
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
        note: what else is to know, after the explanation of the numbers.
    """
    number, height, width = originals.shape
    rows = 1.45 * number * height / width
    figure = Figure(figsize=(WIDTH, 2.9 + rows))
    grid = _grid_with_bars(figure, 5, rows)
    panels = [figure.add_subplot(grid[0, column]) for column in range(5)]
    # Means are far below 1 where the folds differ.
    largest = max(float(fold_mean.max()), float(fold_deviation.max()), 1e-9)
    columns = [
        ("Original", grey(originals), "gray"),
        (f"{method},\nnormalized", heat, HEAT_MAP),
        (f"Above {threshold:g},\nothers: mean", grey(masked), "gray"),
        (f"Mean of\n{folds} folds", fold_mean / largest, HEAT_MAP),
        ("Their standard\ndeviation", fold_deviation / largest, HEAT_MAP),
    ]
    _draw_columns(panels, columns, captions)
    panels[4].yaxis.tick_right()
    centres = panels[0].get_yticks()
    panels[4].set_yticks(centres, [f"agreement\n{value:.2f}" for value in agreement], fontsize=9)
    bar = _draw_bar(figure, figure.add_subplot(grid[1, 1]), HEAT_MAP, (0, 1), "saliency", ticks=(0, threshold, 1))
    bar.ax.axvline(threshold, color="white", lw=2)
    _draw_bar(figure, figure.add_subplot(grid[1, 3:]), HEAT_MAP, (0, largest), "saliency, mean and deviation")
    set_figure_note(
        figure,
        "Prob.: the probability that the model gives to the predicted class. Agreement: mean rank correlation between "
        "the maps of two folds; 1: the same order of pixels, 0: unrelated. Each single map is divided by its largest "
        f"value, before the mean, too. {note}",
    )
    set_heading(figure, title)
    close_slack(figure, panels[0])
    return figure


def _grid_with_bars(figure, columns, height):
    """A grid of two rows: pictures, `height` inches high, and their colour bars."""
    return figure.add_gridspec(2, columns, height_ratios=(height, 0.09))


def _draw_bar(figure, axes, colour_map, limits, name, ticks=None, orientation="horizontal"):
    """Draw the colour bar of pictures whose values were brought to [0, 1] before; return it."""
    bar = figure.colorbar(ScalarMappable(Normalize(*limits), colour_map), cax=axes, orientation=orientation)
    bar.set_label(name, fontsize=9)
    bar.set_ticks(limits if ticks is None else ticks)
    bar.ax.tick_params(length=2, labelsize=8)
    bar.formatter = "{x:.2g}"
    bar.outline.set_visible(False)
    if orientation == "horizontal":
        # The texts at the ends must not push other bars and columns away.
        first, *_, last = bar.ax.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")
    return bar


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
    last = 1 + 2 * len(methods)
    rows = (WIDTH - 1.5) / last * number * height / width
    figure = Figure(figsize=(WIDTH, 2.9 + rows))
    grid = _grid_with_bars(figure, last, rows)
    panels = [figure.add_subplot(grid[0, column]) for column in range(last)]
    names = [label(name, 12) for name in methods]
    columns = [("Original", grey(originals), "gray")]
    columns += [(f"{name}\nsigned", (maps + 1) / 2, SIGNED_MAP) for name, maps in zip(names, signed, strict=True)]
    columns += [(f"{name}\nheat", maps, HEAT_MAP) for name, maps in zip(names, heat, strict=True)]
    _draw_columns(panels, columns, captions, font_size=8)
    half = 1 + len(methods)
    ends = {-1: "against", 0: "0", 1: "for the class"}
    bar = _draw_bar(figure, figure.add_subplot(grid[1, 1:half]), SIGNED_MAP, (-1, 1), "signed", list(ends))
    bar.set_ticklabels(ends.values())
    _draw_bar(figure, figure.add_subplot(grid[1, half:]), HEAT_MAP, (0, 1), "heat")
    set_figure_note(
        figure,
        "Each map is divided by its largest absolute value. Signed: what speaks for and against the predicted class; "
        "with gradients, where a brighter pixel raises and lowers its score. Heat of Grad-CAM: what speaks for it.",
    )
    set_heading(figure, title)
    close_slack(figure, panels[0])
    return figure


def prediction_labels(true_names, predicted_names, probabilities):
    """Texts that say the true and the predicted class of images, whether these are equal, and the probability."""
    return [
        f"true: {shortened(true, 20)}\npredicted: {shortened(predicted, 20)}\n"
        f"{'✓ right' if true == predicted else '✗ wrong'}, prob. {probability:.2f}"
        for true, predicted, probability in zip(true_names, predicted_names, probabilities, strict=True)
    ]


def _draw_columns(panels, columns, captions, font_size=9):
    """Draw a column of images into each panel, with its name above, and a caption at the left of each row."""
    for axes, (name, images, colour_map) in zip(panels, columns, strict=True):
        centres = draw_tiles(axes, images, columns=1, gap=0.05, colour_map=colour_map)
        axes.set_title(name, loc="center", weight="normal", fontsize=9)
    panels[0].set_yticks(centres[:, 1], captions, fontsize=font_size, linespacing=1.3)
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
    rows = [("Mean image", faces * known, "gray", None)]
    rows += [
        (f"{name},\nin multiples of\nan even heat", of_method * known / top, HEAT_MAP, top)
        for name, of_method, top in zip(methods, means, largest, strict=True)
    ]
    tile = (WIDTH - 2.2) / in_a_row
    figure = Figure(figsize=(WIDTH, 1.2 + len(blocks) * (0.7 + len(rows) * (0.1 + tile * height / width))))
    grid = figure.subplots(len(blocks) * len(rows), 2, squeeze=False, width_ratios=(in_a_row * tile, 0.09))
    for block_number, block in enumerate(blocks):
        for row_number, (name, images, colour_map, top) in enumerate(rows):
            axes, bar = grid[block_number * len(rows) + row_number]
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
                bar.set_axis_off()
            else:
                # 1 is what every pixel would have if all had the same.
                ticks = (0, 1, top) if 1.2 < top < 12 else (0, top)
                _draw_bar(figure, bar, HEAT_MAP, (0, top), "", ticks, "vertical")
    set_figure_note(figure, "All correctly classified validation images of all folds. A row has one scale.")
    set_heading(figure, title)
    close_slack(figure, *grid[:, 0])
    return figure


@style.context(STYLE)
def checks_figure(checks, methods, results, class_names, title):
    """What the checks of saliency maps say: a verdict on each method, and the curves and values that it comes from.

    Args:
        checks: DataFrame of the columns method, check, measure, place, value, low, high and images, see
            M/saliency_checks.csv.
        methods: {name in the table: name to show}, at most four.
        results: for each method, what `fercv.visualize.verdicts.results_of` gives.
        class_names: the classes, in the order in which they are shown.
        title: heading of the figure.
    """
    looks = {
        method: {"color": colour, "marker": marker, "label": name}
        for (method, name), colour, marker in zip(methods.items(), COLOURS, MARKERS, strict=False)
    }
    with_parts = "parts_by_class" in set(checks["check"])
    ratios = [0.35 + 0.43 * len(methods), 2.6, 2.3, 1.9] + [2.2] * with_parts
    figure = Figure(figsize=(WIDTH, 1.9 + sum(ratios) * 1.08))
    grid = figure.add_gridspec(len(ratios), 2, height_ratios=ratios)
    _draw_verdicts(figure.add_subplot(grid[0, :]), results, looks)
    first = figure.add_subplot(grid[1, 0])
    _draw_randomization(first, checks, "rank_correlation", looks)
    _draw_other_images(first, checks, looks)
    first.set_title("Shuffled weights: lower is better")
    first.set_ylabel("rank correlation\nwith the real map")
    second = figure.add_subplot(grid[1, 1])
    _draw_randomization(second, checks, "structural_similarity", looks)
    second.set_ylabel("structural similarity\nto the real map")
    for column, (check, name) in enumerate({"deletion": "deleted", "insertion": "inserted"}.items()):
        axes = figure.add_subplot(grid[2, column])
        _draw_curves(axes, checks, check, looks)
        better = "lower" if check == "deletion" else "higher"
        axes.set_title(f"{check.capitalize()}: {better} is better")
        axes.set_xlabel(f"share of the pixels {name}, hottest first")
    axes = figure.add_subplot(grid[3, 0])
    _draw_masking(axes, checks, looks)
    axes.set_title("Masking: what the hot pixels alone show")
    axes = figure.add_subplot(grid[3, 1])
    _draw_folds(axes, checks, looks)
    axes.set_title("Folds: how alike their maps are")
    if with_parts:
        axes = figure.add_subplot(grid[4, :])
        _draw_parts(axes, checks, looks, class_names)
        axes.set_title("Parts of the face: the share of the heat in brows, eyes and mouth, by class")
    # The table above shows the colours and markers of the methods.
    handles, names = figure.axes[3].get_legend_handles_labels()
    figure.axes[3].legend(handles[len(looks) :], names[len(looks) :], loc="upper right", labelspacing=0.3)
    set_figure_note(figure, _how_to_read(checks))
    set_heading(figure, title)
    return figure


def _how_to_read(checks):
    """What the verdicts, the lines and the numbers of images are."""
    number = {check: int(checks.loc[checks["check"] == check, "images"].max()) for check in set(checks["check"])}
    return (
        "Passed: better than every reference, grey or black, by a mean difference whose 95 % interval leaves out zero. "
        "Beats chance: better than random pixels, but not than pixels from the centre outwards. Failed: neither. Below "
        "a verdict is the difference that decides it; the arrow says which side is good. Each image is compared with "
        "itself, so a difference can count although the lines overlap. Shuffled weights fail if the rank correlation "
        "at the end of the line exceeds that between the real maps of different images. Lines are 95 % intervals. "
        f"Images: {number['randomization']} with shuffled weights, {number['folds']} for the folds, "
        f"{number['masking']} for the others."
    )


VERDICTS = {"passed": "✓ passed", "partly": "beats chance", "failed": "✗ failed"}
CHECKS = {
    "randomization": "Shuffled\nweights ↓",
    "deletion": "Deletion ↓",
    "insertion": "Insertion ↑",
    "masking": "Masking ↑",
    "folds": "Folds ↑",
    "parts": "Parts of\nthe face ↑",
}


def _draw_verdicts(axes, results, looks):
    """A table: what each check says of each method."""
    checks = [check for check in CHECKS if any(check in of_method for of_method in results.values())]
    left, right = -0.75, max(len(checks), 1) - 0.5
    axes.set(xlim=(left, right), ylim=(len(looks) - 0.5, -0.5))
    axes.set_xticks(range(len(checks)), [CHECKS[check] for check in checks], fontsize=9, weight="bold")
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(looks)), [look["label"] for look in looks.values()])
    for row, (method, look) in enumerate(looks.items()):
        axes.plot(
            [left + 0.05, left + 0.2], [row, row], marker=look["marker"], color=look["color"], ms=5, markevery=[1]
        )
        for column, check in enumerate(checks):
            result = results[method].get(check)
            found = result.found if result else None
            axes.text(
                column,
                row - 0.18 if result else row,
                VERDICTS.get(found, "too few images"),
                color=INK if found in ("passed", "failed") else GREY,
                weight="bold" if found == "failed" else "normal",
                ha="center",
                va="center",
                fontsize=9,
            )
            if result:
                text = f"{result.difference:+.2f} ({result.low:+.2f} to {result.high:+.2f})"
                axes.text(column, row + 0.24, text, color=GREY, ha="center", va="center", fontsize=6.5)
    axes.hlines(np.arange(len(looks)) - 0.5, left, right, color=LIGHT_GREY, lw=0.8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


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


def _draw_other_images(axes, checks, looks):
    """Mark, to the right of the lines, how alike the real maps of different images are."""
    ticks, names = list(axes.get_xticks()), [text.get_text() for text in axes.get_xticklabels()]
    place = axes.get_lines()[0].get_xdata()[-1] + 2
    for method, look in looks.items():
        others = _rows(checks, "randomization", "rank_correlation_other_images", method)["value"]
        axes.plot([place] * len(others), others, look["marker"], color=look["color"], ms=5, mfc="none", clip_on=False)
    axes.set_xticks([*ticks, place], [*names, "other images"])


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


def _draw_parts(axes, checks, looks, class_names):
    known = set(_rows(checks, "parts_by_class", "heat")["place"])
    names = [name for name in class_names if name in known]
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
