import base64
import io
import os
import re
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from drawings import DRAWINGS, random_images
from helpers import REPOSITORY
from PIL import Image

from fercv.figures import data, drawing


def png_of(figure):
    file = io.BytesIO()
    drawing.save_figure(figure, file)
    return file.getvalue()


@pytest.mark.parametrize("name", DRAWINGS)
def test_nothing_is_cut_off(name):
    figure = DRAWINGS[name]()
    figure.draw_without_rendering()
    width, height = figure.get_size_inches()
    drawn = figure.get_tightbbox()
    assert width <= 9
    assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height


@pytest.mark.parametrize("name", ["samples", "accuracy", "comparison", "saliency, one image"])
def test_equal_input_gives_equal_bytes_whatever_the_users_matplotlibrc(name):
    first = png_of(DRAWINGS[name]())
    users = {"font.size": 20, "lines.linewidth": 9, "savefig.facecolor": "red", "savefig.dpi": 30, "image.cmap": "jet"}
    with matplotlib.rc_context(users):
        second = png_of(DRAWINGS[name]())
    assert first == second


def test_saved_picture_has_150_dots_per_inch_and_no_metadata(tmp_path):
    figure = DRAWINGS["accuracy"]()
    drawing.save_figure(figure, tmp_path / "accuracy.png")
    with Image.open(tmp_path / "accuracy.png") as picture:
        assert picture.format == "PNG"
        assert picture.size == tuple(np.rint(figure.get_size_inches() * 150))
        assert set(picture.info) <= {"dpi"}


@pytest.fixture
def saved(tmp_path):
    """A function that saves a figure, and returns the bytes of its PNG, SVG and PDF."""

    def save(figure):
        paths = [tmp_path / f"picture.{ending}" for ending in ("png", "svg", "pdf")]
        drawing.save_figure(figure, *paths)
        return [path.read_bytes() for path in paths]

    return save


@pytest.mark.parametrize("name", ["accuracy", "saliency, one image"])
def test_vector_graphics_of_equal_figures_have_equal_bytes_and_leave_the_png_as_it_is(name, saved):
    first = saved(DRAWINGS[name]())
    with matplotlib.rc_context({"svg.hashsalt": "mine", "svg.fonttype": "none", "pdf.fonttype": 3}):
        assert saved(DRAWINGS[name]()) == first
    png, svg, pdf = first
    assert png == png_of(DRAWINGS[name]())
    assert b"<dc:date>" not in svg and b"Matplotlib v" not in svg
    assert not re.search(rb"/(CreationDate|Producer|Creator)\b", pdf)


def test_text_of_a_pdf_stays_text_and_that_of_an_svg_needs_no_font(saved):
    _, svg, pdf = saved(DRAWINGS["accuracy"]())
    assert b"<text" not in svg and b"font-family" not in svg
    assert b"/Subtype /Type0" in pdf and b"/FontFile2" in pdf  # TrueType
    assert b"/Subtype /Type3" not in pdf


def test_vector_graphics_hold_the_pixels_of_images_as_they_are(saved):
    black_and_white = np.uint8(255) * (random_images(5) > 127)
    _, svg, pdf = saved(data.samples_figure({"a": black_and_white}, "Samples"))
    (shown,) = re.findall(rb'<image[^>]*xlink:href="data:image/png;base64,([^"]*)"[^>]*image-rendering:pixelated', svg)
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown))))
    black, white, empty = (0, 0, 0, 255), (255, 255, 255, 255), (255, 255, 255, 0)
    assert set(map(tuple, shown.reshape(-1, 4).tolist())) == {black, white, empty}
    sizes = [{int(size) for size in re.findall(rb"/%s (\d+)" % side, pdf)} for side in (b"Height", b"Width")]
    assert sizes == [{size} for size in shown.shape[:2]]


def test_grey_values_beyond_one_are_refused():
    with pytest.raises(ValueError, match=r"255\.0: expected uint8, or float in \[0, 1\]"):
        data.samples_figure({"a": np.full((1, 4, 4), 255.0)}, "Samples")


def test_import_stays_light():
    program = "import sys, fercv.figures.data, fercv.figures.comparison, fercv.figures.visualize; print(*sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "scripts")}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    loaded = set(done.stdout.split())
    assert "matplotlib.figure" in loaded
    assert not loaded & {"matplotlib.pyplot", "tensorflow", "keras", "sklearn", "scipy"}


def test_a_long_name_keeps_its_beginning_and_its_end():
    assert drawing.shortened("angry", 5) == "angry"
    assert drawing.shortened("an expression of name 12", 12) == "an expr… 12"[:7] + "…e 12"
    names = {drawing.shortened(f"{'long' * 20}{number:03d}", 16) for number in range(64)}
    assert len(names) == 64 and max(map(len, names)) == 16
