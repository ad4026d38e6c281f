"""The one look of all pictures: style, headings, tiles, and saving.

pyplot is not used: without it, importing this module is quick, and no figure outlives its caller. A user's matplotlibrc
does not change the pictures. Figures are 9 inches wide where they can be: text then keeps its size on a page that
shows them about 900 pixels wide. These modules estimate nothing: means, spreads and intervals come in as tables.
"""

import math
import textwrap
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.image import AxesImage

DOTS_PER_INCH = 150
WIDTH = 9.0
# Okabe and Ito (2008), Color Universal Design: people with any common colour blindness can tell these colours apart.
BLUE = "#0072B2"
VERMILLION = "#D55E00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
INK = "#222222"
GREY = "#666666"
LIGHT_GREY = "#DDDDDD"
HEAT_MAP = "magma"
# What is reached without looking at the images.
CHANCE_LINE = {"zorder": 1, "color": INK, "lw": 1.2, "ls": (0, (1, 1.5))}
# What is left out of the files of vector graphics: dates and versions.
ANONYMOUS = {"svg": ["Date", "Creator"], "pdf": ["CreationDate", "Creator", "Producer"]}
STYLE = [
    "default",
    {
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "text.color": INK,
        # A dollar sign in the name of a class or model must not start a formula.
        "text.parse_math": False,
        "axes.edgecolor": GREY,
        "axes.labelcolor": INK,
        "axes.labelsize": 10,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": False,
        "grid.color": LIGHT_GREY,
        "grid.linewidth": 0.8,
        "xtick.color": GREY,
        "ytick.color": GREY,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
        "legend.fontsize": 9,
        "legend.frameon": False,
        "figure.facecolor": "white",
        "figure.titlesize": 12,
        "figure.titleweight": "bold",
        "figure.dpi": DOTS_PER_INCH,
        "figure.constrained_layout.use": True,
        "figure.constrained_layout.h_pad": 0.08,
        "figure.constrained_layout.w_pad": 0.08,
        "lines.solid_capstyle": "round",
        # A PDF holds its fonts, so its text stays text. An SVG does not: its text becomes shapes, since another font
        # would not fit into the picture.
        "pdf.fonttype": 42,
        "svg.fonttype": "path",
        "svg.hashsalt": "fer-crossval",
    },
]


@style.context(STYLE)
def save_figure(figure, path, *vector_graphics):
    """Write a figure; equal figures give equal bytes, as the files name neither date nor software.

    Args:
        figure: it may be changed, so save it last.
        path: of a PNG of 150 dots per inch.
        vector_graphics: paths of further files, whose formats their endings tell: .svg or .pdf.
    """
    figure.savefig(path, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    for further in vector_graphics:
        # The pixels of images stay what they are, whatever size the reader chooses. Viewers of PDF mix colours at the
        # edge of what is empty, so that is white.
        for image in figure.findobj(AxesImage):
            image.set_interpolation("none")
            image.set_cmap(image.get_cmap().with_extremes(bad=(1, 1, 1, 0)))
        ending = Path(further).suffix.removeprefix(".")
        figure.savefig(further, format=ending, dpi=DOTS_PER_INCH, metadata=dict.fromkeys(ANONYMOUS[ending]))


def set_heading(figure, text):
    """Set the heading of a figure, at its left, wrapped to its width."""
    figure.suptitle(wrapped(text, int(figure.get_figwidth() * 9)), x=0.01, ha="left")


def set_note(axes, text):
    """Set a note below a picture, which tells how to read it."""
    axes.set_xlabel(text, color=GREY, fontsize=9, labelpad=8)


def set_figure_note(figure, text):
    """Set a note below all pictures of a figure, at its left, wrapped to its width."""
    text = wrapped(text, int(figure.get_figwidth() * 15))
    figure.supxlabel(text, x=0.01, ha="left", color=GREY, fontsize=9)


def wrapped(text, width):
    """Text in lines of at most `width` characters, broken between words where that is possible."""
    return textwrap.fill(str(text), width, break_on_hyphens=False)


def shortened(name, length):
    """A name of at most `length` characters: a long one loses its middle, since long names often differ at the end."""
    if len(name) <= length:
        return name
    end = length // 3
    return f"{name[: length - end - 1]}…{name[-end:]}"


def label(name, width):
    """A name in about three lines of at most `width` characters."""
    return wrapped(shortened(name, 3 * width), width)


def grey(images):
    """Grey values in [0, 1]."""
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return images / 255
    if images.min() < 0 or images.max() > 1:
        raise ValueError(f"grey values from {images.min()} to {images.max()}: expected uint8, or float in [0, 1]")
    return images


def own_scale(images):
    """Each image stretched to [0, 1]; an image of one value becomes 0."""
    lowest = images.min(axis=(1, 2), keepdims=True)
    extent = images.max(axis=(1, 2), keepdims=True) - lowest
    return (images - lowest) / np.where(extent > 0, extent, 1)


def draw_tiles_with_texts(axes, images, texts, columns, colour_map, width):
    """Draw tiles, each with a short text above it, on a grid of `width` inches."""
    tile = width / columns
    font_size = float(np.clip(72 * tile / 7, 6, 9))
    centres = draw_tiles(axes, images, columns, gap=0.06, colour_map=colour_map, headroom=1.5 * font_size / 72 / tile)
    half = images.shape[1] / images.shape[2] / 2
    for text, (x, y) in zip(texts, centres, strict=True):
        axes.text(x, y - half - 0.03, text, ha="center", va="baseline", fontsize=font_size, in_layout=False)


def draw_tiles(axes, images, columns, gap, colour_map, headroom=0.0):
    """Draw images on a grid, as one picture in one axes: hundreds of axes would take minutes.

    Args:
        axes: where to draw; its unit becomes the width of a tile.
        images: float (n, h, w) in [0, 1]; NaN stays empty.
        columns: tiles in a row.
        gap: between two tiles, in widths of a tile.
        colour_map: name of matplotlib's colour map for 0 to 1.
        headroom: free space above each tile, in widths of a tile.

    Returns:
        The tiles' centres in data coordinates: float (n, 2), x and y.
    """
    number, height, width = images.shape
    columns = min(columns, number)
    rows = math.ceil(number / columns)
    # Small images are enlarged first, so that a gap can be narrower than one of their pixels.
    enlargement = math.ceil(96 / width)
    tile_height, tile_width = height * enlargement, width * enlargement
    between, above = round(gap * tile_width), round(headroom * tile_width)
    step_x, step_y = tile_width + between, tile_height + max(between, above)
    canvas = np.full((above + rows * step_y, columns * step_x), np.nan)
    centres = np.empty((number, 2))
    for index, image in enumerate(images):
        top, left = above + index // columns * step_y, index % columns * step_x
        canvas[top : top + tile_height, left : left + tile_width] = np.kron(image, np.ones((enlargement, enlargement)))
        centres[index] = (left + tile_width / 2, top + tile_height / 2)
    canvas = canvas[: canvas.shape[0] - (step_y - tile_height), : canvas.shape[1] - between]
    extent = (0, canvas.shape[1] / tile_width, canvas.shape[0] / tile_width, 0)
    axes.imshow(canvas, cmap=colour_map, vmin=0, vmax=1, extent=extent)
    axes.set(xticks=[], yticks=[])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return centres / tile_width


def close_slack(figure, *axes):
    """Make the figure lower by the height that its pictures leave unused, as their proportions are fixed."""
    figure.draw_without_rendering()
    slack = min(one.get_position(original=True).height - one.get_position().height for one in axes)
    figure.set_figheight(figure.get_figheight() * (1 - slack))
