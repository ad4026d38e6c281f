import io
import os
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from drawings import DRAWINGS
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


def test_grey_values_beyond_one_are_refused():
    with pytest.raises(ValueError, match=r"255\.0: expected uint8, or float in \[0, 1\]"):
        data.samples_figure({"a": np.full((1, 4, 4), 255.0)}, "Samples")


def test_import_stays_light():
    program = "import sys, fercv.figures.data, fercv.figures.evaluate, fercv.figures.visualize; print(*sys.modules)"
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
