import itertools

import numpy as np
import pytest
from drawings import VERY_LONG_NAMES, random_images, saliency_checks_of, saliency_means_of, saliency_of, texts_of

from fercv.figures import saliency


def test_saliency_names_classes_and_marks_wrong_ones_in_words():
    figure = saliency_of(2)
    panels = figure.axes[:5]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == [
        "true: angry\npredicted: angry\n✓ right, prob. 0.54",
        "true: disgust\npredicted: fear\n✗ wrong, prob. 0.54",
    ]
    assert [panel.get_title() for panel in panels] == [
        "Original",
        "Gradient,\nnormalized",
        "Above 0.5,\nothers: mean",
        "Mean of\n20 folds",
        "Their standard\ndeviation",
    ]


def test_each_scale_of_saliency_has_a_bar_below_its_columns():
    figure = saliency_of(2)
    figure.draw_without_rendering()
    own, of_folds = figure.axes[5:]
    assert (own.get_xlabel(), own.get_xlim()) == ("saliency", (0, 1))
    assert of_folds.get_xlabel() == "saliency, mean and deviation"
    assert of_folds.get_xlim() == pytest.approx((0, random_images(2).max() / 255 / 3))
    places = [axes.get_window_extent() for axes in figure.axes]
    assert places[0].x1 < places[5].x0 and places[5].x1 < places[2].x0
    assert places[2].x1 < places[6].x0 < places[3].x1 and places[4].x0 < places[6].x1


def test_saliency_colours_go_from_zero_to_one_whatever_the_heat():
    images = random_images(1)
    heat = np.full(images.shape, 0.3)
    figure = saliency.saliency_figure(
        images, heat, images, heat, heat, [1.0], ["a"], 0.5, 20, "Gradient", "Saliency", ""
    )
    drawn = figure.axes[1].images[0]
    assert drawn.get_clim() == (0, 1)
    assert drawn.get_array().min() == drawn.get_array().max() == pytest.approx(0.3)
    assert figure.axes[5].get_xlim() == (0, 1)


def test_long_names_leave_room_for_the_images_and_apart_headings():
    figure = saliency_of(4, VERY_LONG_NAMES)
    figure.draw_without_rendering()
    panels = figure.axes[:5]
    width = figure.get_size_inches()[0] * figure.dpi
    assert all(panel.get_window_extent().width > width / 12 for panel in panels)
    headings = [panel.title.get_window_extent() for panel in panels]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(headings))


def test_agreement_of_the_folds_stands_beside_each_image():
    assert [text.get_text() for text in saliency_of(2).axes[4].get_yticklabels()] == ["agreement\n0.42"] * 2


def test_signed_maps_are_white_where_they_are_zero():
    images = random_images(1)
    signed = np.zeros((1, *images.shape))
    signed[0, 0, 0, :2] = -1, 1
    figure = saliency.methods_figure(images, signed, np.abs(signed), ["Gradient"], ["a"], "Methods")
    drawn = figure.axes[1].images[0]
    red, green, blue, _ = drawn.cmap(drawn.norm(drawn.get_array()[-1, -1]))
    assert min(red, green, blue) > 0.95
    first, second = (drawn.cmap(drawn.norm(drawn.get_array()[0, 8 * place])) for place in (0, 1))
    assert first[2] > first[0] and second[0] > second[2]


def test_mean_maps_of_all_classes_have_one_scale():
    faces = random_images(2) / 255
    means = np.stack([np.full(faces.shape[1:], 1.5), np.full(faces.shape[1:], 3.0)])[None]
    figure = saliency.means_figure(faces, means, ["Gradient"], ["a", "b"], [7, 1000], "Means")
    drawn = figure.axes[2].images[0].get_array()
    assert set(np.unique(drawn.compressed())) == {0.5, 1.0}
    said = texts_of(figure)
    assert "Gradient,\nin multiples of\nan even heat" in said
    assert figure.axes[3].get_ylim() == (0, 3)
    assert {"a\n7 images", "b\n1,000 images"} <= set(said)


def test_a_class_without_images_stays_empty():
    first = saliency_means_of(["a", "b"]).axes[2].images[0].get_array()
    assert first[:, : first.shape[1] // 3].mask.all() and not first[:, -first.shape[1] // 3 :].mask.any()


def test_the_picture_of_the_checks_says_the_verdicts_and_marks_methods_and_references():
    figure = saliency_checks_of(2)
    said = texts_of(figure)
    # In each row of the table: shuffled weights, deletion, insertion, masking, folds, parts.
    written = [text.get_text() for text in figure.axes[0].texts]
    verdicts = [text for text in written if "(" not in text]
    assert verdicts[:6] == ["✓ passed", "beats chance", "✗ failed", "✓ passed", "✗ failed", "beats chance"]
    assert verdicts[10] == "too few images"
    assert written[1] == "-0.12 (-0.23 to +0.01)"
    # The hollow markers are the correlations between maps of different images, apart from the lines.
    lines = figure.axes[1].get_lines()
    assert [line.get_markerfacecolor() for line in lines].count("none") == 2
    assert figure.axes[1].get_xticklabels()[-1].get_text() == "other images"
    assert {"Gradient", "SmoothGrad", "random pixels", "from the centre outwards"} <= set(said)
    assert any("Images: 40 with shuffled weights" in text.replace("\n", " ") for text in said)
    curves = figure.axes[3].get_lines()
    assert len(curves) == 4
    # `get_linestyle` calls all dashes of one's own "--".
    assert len({(line.get_color(), str(line._dash_pattern)) for line in curves}) == 4


@pytest.mark.parametrize(("classes", "panels"), [(["a", "b"], 8), ([], 7)])
def test_parts_are_drawn_where_they_are_known(classes, panels):
    assert len(saliency_checks_of(3, 4, classes).axes) == panels
