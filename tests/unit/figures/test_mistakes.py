from itertools import pairwise

import pytest
from drawings import EMOTIONS, VERY_LONG_NAMES, label_issues_of, mistakes_of, random_images, texts_of

from fercv.figures.mistakes import Mistakes, misclassified_figure


def test_mistakes_stand_in_the_row_of_their_true_class():
    rows = {
        "angry": Mistakes(random_images(2), ["sad", "fear"], [0.98, 0.5], 17),
        "happy": Mistakes(random_images(0), [], [], 0),
        "sad": Mistakes(random_images(1), ["happy"], [0.7], 1),
    }
    figure = misclassified_figure(rows, "Mistakes", 8)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["sad\n0.98", "fear\n0.50", "happy\n0.70"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["angry\n17 wrong", "sad\n1 wrong"]
    assert "Classes without a mistake: 1." in axes.get_xlabel()
    figure.draw_without_rendering()
    first, second, last = (text.get_window_extent() for text in axes.texts)
    assert not first.overlaps(second) and last.y1 < first.y0


def test_a_model_without_mistakes_is_told():
    assert "No image is misclassified." in texts_of(mistakes_of(EMOTIONS[:1]))


@pytest.mark.parametrize("names", [EMOTIONS, VERY_LONG_NAMES[:9]])
def test_names_above_mistakes_do_not_overlap(names):
    figure = mistakes_of(names)
    figure.draw_without_rendering()
    extents = [text.get_window_extent() for text in figure.axes[0].texts[:7]]
    assert not any(first.overlaps(second) for first, second in pairwise(extents))


def test_suspicious_labels_stand_above_their_images_with_suggestion_and_votes():
    figure = label_issues_of(10, EMOTIONS)
    assert figure.get_suptitle() == "The 10 most suspicious of 300 labels that at least one model finds suspicious"
    above = [text.get_text() for text in figure.axes[0].texts]
    assert len(above) == 10
    assert above[:2] == ["angry\n→ disgust\n1 of 3 models", "disgust\n→ fear\n2 of 3 models"]


def test_one_model_has_no_votes():
    figure = label_issues_of(2, EMOTIONS, models=1)
    assert [text.get_text() for text in figure.axes[0].texts] == ["angry\n→ disgust", "disgust\n→ fear"]
    assert "how many models" not in figure.axes[0].get_xlabel()


def test_it_is_told_that_no_label_is_suspicious():
    assert "No label is suspicious." in texts_of(label_issues_of(0))


@pytest.mark.parametrize("names", [EMOTIONS, VERY_LONG_NAMES[:9]])
def test_the_texts_of_suspicious_labels_overlap_neither_each_other_nor_images(names):
    figure = label_issues_of(16, names)
    figure.draw_without_rendering()
    extents = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not any(first.overlaps(second) for first, second in pairwise(extents[:8]))
    tops = [text.get_position()[1] for text in figure.axes[0].texts]
    bottom_of_first_row = figure.axes[0].transData.transform((0, tops[0] + 1.04))[1]
    assert extents[8].y1 <= bottom_of_first_row
