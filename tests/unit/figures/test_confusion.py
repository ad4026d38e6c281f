from itertools import pairwise

import numpy as np
import pytest
from drawings import VERY_LONG_NAMES, confusion_of, texts_of
from matplotlib.colors import to_rgb

from fercv.figures.confusion import confusion_figure


def test_confusion_writes_shares_of_the_row_and_counts():
    figure = confusion_figure(np.array([[1500, 500, 0], [1, 998, 1], [0, 0, 0]]), ["a", "b", "c"], "Confusion")
    cells = [text.get_text() for text in figure.axes[0].texts]
    assert cells == [
        *("75%", "1,500", "25%", "500", "0%", "0"),
        *("<1%", "1", "100%", "998", "<1%", "1"),
        *("no data", "no data", "no data"),
    ]
    texts = texts_of(figure)
    assert {"True class", "Predicted class", "Share of the true class", "a\nn = 2,000", "c\nn = 0", "a", "b"} <= set(
        texts
    )
    assert figure.axes[0].images[0].get_clim() == (0, 1)


def test_confusion_text_stands_out_from_every_colour():
    def luminance(colour):
        channels = np.array(to_rgb(colour))
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return linear @ (0.2126, 0.7152, 0.0722)

    counts = np.zeros((21, 21), dtype=int)
    counts[:, 0] = np.arange(0, 101, 5)
    counts[:, 1] = 100 - counts[:, 0]
    axes = confusion_figure(counts, [str(number) for number in range(21)], "Confusion").axes[0]
    for text in axes.texts:
        column, row = (round(coordinate) for coordinate in text.get_position())
        background = axes.images[0].to_rgba(counts[row, column] / 100)[:3]
        light, dark = sorted((luminance(background), luminance(text.get_color())), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


@pytest.mark.parametrize("names", [VERY_LONG_NAMES, [f"class {number}" for number in range(64)]])
def test_a_confusion_matrix_of_64_classes_is_large_and_its_names_stand_apart(names):
    figure = confusion_of(names)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    assert axes.get_position().width > 0.4
    for labels, side in ((axes.get_yticklabels(), "y"), (axes.get_xticklabels(), "x")):
        extents = [label.get_window_extent() for label in labels]
        assert len({label.get_text() for label in labels}) == 64
        places = sorted((getattr(extent, f"{side}0"), getattr(extent, f"{side}1")) for extent in extents)
        # A text's extent has some room above the letters.
        overlap = max(end - start for (_, end), (start, _) in pairwise(places))
        assert overlap < 0.25 * (places[0][1] - places[0][0])
