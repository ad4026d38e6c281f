from itertools import combinations

import pytest
from drawings import accuracy_tables, texts_of

from fercv.figures.accuracy import accuracy_figure


def test_accuracy_says_final_means_and_what_the_band_is():
    texts = texts_of(accuracy_figure(*accuracy_tables(3, 30), "Accuracy of cnn"))
    assert "validation\n0.610 ± 0.010" in texts
    assert "training\n0.510 ± 0.010" in texts
    assert "±1 standard deviation over the folds" in texts
    assert "validation, mean of 3 folds" in texts
    assert "1" in texts and "30" in texts


def test_accuracy_of_one_epoch_and_of_one_fold_shows_marks():
    for folds, epochs in ((4, 1), (1, 1)):
        axes = accuracy_figure(*accuracy_tables(folds, epochs), "Accuracy").axes[0]
        marked = [line for line in axes.lines if line.get_marker() in ("o", "s")]
        assert len(marked) >= 2
        assert [label.get_text() for label in axes.get_xticklabels()] == ["1"]


def test_accuracy_of_one_fold_claims_no_spread():
    texts = texts_of(accuracy_figure(*accuracy_tables(1, 5), "Accuracy"))
    assert "validation\n0.600" in texts
    assert not any("±" in text for text in texts)


def test_accuracy_tells_where_folds_stopped_early():
    histories, curves, chance = accuracy_tables(5, 6)
    curves.loc[curves["epoch"] > 4, "folds"] = 2
    texts = texts_of(accuracy_figure(histories, curves, chance, "Accuracy"))
    assert "all 5 folds until here, 2 at the end" in texts


def test_with_early_stopping_the_final_means_are_those_of_the_kept_epochs():
    histories, curves, chance = accuracy_tables(3, 6, kept=[4, 2, 3])
    histories.loc[histories["kept"] == 1, "val_accuracy"] += 0.1
    figure = accuracy_figure(histories, curves, chance, "Accuracy")
    assert "validation\n0.710 ± 0.010" in texts_of(figure)
    bars = next(line for line in figure.axes[0].lines if line.get_marker() == "|")
    assert list(bars.get_xdata()) == [4, 2, 3]
    assert list(bars.get_ydata()) == pytest.approx([0.7, 0.71, 0.72])
    assert "epochs that the folds keep" in texts_of(figure)


def test_where_each_fold_keeps_its_last_epoch_no_epoch_is_marked():
    assert "epochs that the folds keep" not in texts_of(accuracy_figure(*accuracy_tables(3, 6), "Accuracy"))


@pytest.mark.parametrize("final", [(0.99, 1.0, 0.995), (0.01, 0.02, 0.0), (0.6, 0.6, 0.6), (0.2, 0.9, 0.25)])
def test_final_accuracies_do_not_overlap(final):
    histories, curves, chance = accuracy_tables(2, 3)
    for table in (histories, curves):
        table["accuracy"], table["clean_accuracy"], table["val_accuracy"] = final
    figure = accuracy_figure(histories, curves, chance, "Accuracy")
    figure.draw_without_rendering()
    places = [
        next(text for text in figure.axes[0].texts if text.get_text().startswith(name)).get_window_extent()
        for name in ("training", "clean training", "validation")
    ]
    for (one, height), (other, other_height) in combinations(zip(places, final, strict=True), 2):
        assert not one.overlaps(other)
        assert height == other_height or (one.y0 > other.y0) == (height > other_height)
    assert all(figure.bbox.y0 < place.y0 and place.y1 < figure.bbox.y1 for place in places)


def test_the_level_of_chance_is_drawn_and_named():
    figure = accuracy_figure(*accuracy_tables(3, 5), "Accuracy")
    assert any(list(line.get_ydata()) == [0.25, 0.25] for line in figure.axes[0].lines)
    assert "always the most frequent class, 0.250" in texts_of(figure)
