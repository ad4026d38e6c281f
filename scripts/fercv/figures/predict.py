"""The picture of images whose labels are unknown, with what the models say of them."""

from pathlib import PurePosixPath

from matplotlib import style
from matplotlib.figure import Figure

from fercv.figures.drawing import STYLE, WIDTH, close_slack, draw_tiles, grey, set_heading, set_note, shortened


@style.context(STYLE)
def new_images_figure(images, table, total, model, folds, columns=8):
    """Contact sheet of images with their names, the predicted class, its probability, and how many folds' models agree.

    Args:
        images: (k, h, w), grey values as uint8, or as float in [0, 1].
        table: DataFrame of k rows with the columns source, predicted, confidence and agreement.
        total: how many images there are.
        model: its name.
        folds: number of folds.
        columns: images in a row.
    """
    height, width = images.shape[1:]
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(WIDTH, 1.4 + rows * 1.12 * (height / width + 0.52)))
    axes = figure.add_subplot()
    centres = draw_tiles(axes, grey(images), columns, gap=0.08, colour_map="gray", headroom=0.52)
    for (x, y), row in zip(centres, table.to_dict("records"), strict=True):
        text = (
            f"{shortened(PurePosixPath(row['source']).name, 16)}\n{shortened(row['predicted'], 14)}\n"
            f"{row['confidence']:.2f}, {round(row['agreement'] * folds)} of {folds}"
        )
        axes.text(x, y - height / width / 2 - 0.04, text, ha="center", va="bottom", fontsize=7, in_layout=False)
    shown = f"the first {len(images)} of {total:,} images" if len(images) < total else f"{total:,} images"
    set_heading(figure, f"What {model} says of {shown}")
    set_note(
        axes, "Above each image: its name; the predicted class; its probability, how many folds' models predict it."
    )
    close_slack(figure, axes)
    return figure
