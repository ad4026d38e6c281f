from itertools import combinations, pairwise

import numpy as np
import pytest
from drawings import (
    EMOTIONS,
    VERY_LONG_NAMES,
    accuracy_tables,
    calibration_tables,
    comparison_tables,
    confusion_of,
    held_out_tables,
    mistakes_of,
    random_images,
    texts_of,
)
from matplotlib.colors import to_rgb

from fercv.figures import evaluate


def test_accuracy_says_final_means_and_what_the_band_is():
    texts = texts_of(evaluate.accuracy_figure(*accuracy_tables(3, 30), "Accuracy of cnn"))
    assert "validation\n0.610 ± 0.010" in texts
    assert "training\n0.510 ± 0.010" in texts
    assert "±1 standard deviation over the folds" in texts
    assert "validation, mean of 3 folds" in texts
    assert "1" in texts and "30" in texts


def test_accuracy_of_one_epoch_and_of_one_fold_shows_marks():
    for folds, epochs in ((4, 1), (1, 1)):
        axes = evaluate.accuracy_figure(*accuracy_tables(folds, epochs), "Accuracy").axes[0]
        marked = [line for line in axes.lines if line.get_marker() in ("o", "s")]
        assert len(marked) >= 2
        assert [label.get_text() for label in axes.get_xticklabels()] == ["1"]


def test_accuracy_of_one_fold_claims_no_spread():
    texts = texts_of(evaluate.accuracy_figure(*accuracy_tables(1, 5), "Accuracy"))
    assert "validation\n0.600" in texts
    assert not any("±" in text for text in texts)


def test_accuracy_tells_where_folds_stopped_early():
    histories, curves, chance = accuracy_tables(5, 6)
    curves.loc[curves["epoch"] > 4, "folds"] = 2
    texts = texts_of(evaluate.accuracy_figure(histories, curves, chance, "Accuracy"))
    assert "all 5 folds until here, 2 at the end" in texts


@pytest.mark.parametrize("final", [(0.99, 1.0, 0.995), (0.01, 0.02, 0.0), (0.6, 0.6, 0.6), (0.2, 0.9, 0.25)])
def test_final_accuracies_do_not_overlap(final):
    histories, curves, chance = accuracy_tables(2, 3)
    curves["accuracy"], curves["clean_accuracy"], curves["val_accuracy"] = final
    figure = evaluate.accuracy_figure(histories, curves, chance, "Accuracy")
    figure.draw_without_rendering()
    places = [
        next(text for text in figure.axes[0].texts if text.get_text().startswith(name)).get_window_extent()
        for name in ("training", "clean training", "validation")
    ]
    for (one, height), (other, other_height) in combinations(zip(places, final, strict=True), 2):
        assert not one.overlaps(other)
        assert height == other_height or (one.y0 > other.y0) == (height > other_height)
    assert all(figure.bbox.y0 < place.y0 and place.y1 < figure.bbox.y1 for place in places)


def test_confusion_writes_shares_of_the_row_and_counts():
    figure = evaluate.confusion_figure(np.array([[1500, 500, 0], [1, 998, 1], [0, 0, 0]]), ["a", "b", "c"], "Confusion")
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
    axes = evaluate.confusion_figure(counts, [str(number) for number in range(21)], "Confusion").axes[0]
    for text in axes.texts:
        column, row = (round(coordinate) for coordinate in text.get_position())
        background = axes.images[0].to_rgba(counts[row, column] / 100)[:3]
        light, dark = sorted((luminance(background), luminance(text.get_color())), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_comparison_draws_every_fold_mean_and_interval():
    folds, summary, differences, chance = comparison_tables(["cnn", "fc"])
    figure = evaluate.comparison_figure(folds, summary, differences, chance)
    accuracy, balanced, paired = figure.axes
    drawn = [collection.get_offsets()[:, 0].tolist() for collection in accuracy.collections]
    assert drawn == [folds.loc[folds["model"] == model, "accuracy"].tolist() for model in ("cnn", "fc")]
    assert [text.get_text() for text in accuracy.texts] == ["0.720", "0.670"]
    assert [text.get_text() for text in balanced.texts] == ["0.600", "0.550"]
    assert [label.get_text() for label in accuracy.get_yticklabels()] == ["cnn", "fc"]
    np.testing.assert_allclose(accuracy.lines[0].get_xdata(), [0.69, 0.75])
    assert [text.get_text() for text in paired.texts] == ["+0.050, p < 0.001", "+0.050, p = 0.062"]
    assert [label.get_text() for label in paired.get_yticklabels()] == ["cnn\nminus fc"]
    assert any(np.array_equal(line.get_xdata(), [0, 0]) for line in paired.lines)
    np.testing.assert_allclose(paired.lines[1].get_xdata(), [0.02, 0.08])


def test_comparison_of_one_model_has_no_differences():
    assert len(evaluate.comparison_figure(*comparison_tables(["cnn"])).axes) == 2


def test_comparison_keeps_every_dot_inside_its_panel_and_apart_from_equal_ones():
    axes = evaluate.comparison_figure(*comparison_tables(["cnn", "fc"])).axes[1]
    dots = axes.collections[0].get_offsets()
    assert len(np.unique(dots[:, 0].round(6))) == 1
    assert len(np.unique(dots[:, 1])) == len(dots)
    assert axes.get_xlim()[0] < dots[0, 0] < axes.get_xlim()[1]


def test_comparison_tells_real_differences_from_those_that_may_be_chance():
    folds, summary, differences, chance = comparison_tables(["cnn", "fc"])
    differences["p_adjusted"] = [0.0499, 0.05]
    figure = evaluate.comparison_figure(folds, summary, differences, chance)
    fills = [line.get_markerfacecolor() for line in figure.axes[2].lines if len(line.get_xdata()) == 1]
    assert fills == [evaluate.BLUE, "white"]
    texts = texts_of(figure)
    assert {"difference: adjusted p < 0.05 (Holm)", "difference that may be chance"} <= set(texts)
    differences["p_adjusted"] = np.nan
    paired = evaluate.comparison_figure(folds, summary, differences, chance).axes[2]
    assert [text.get_text() for text in paired.texts] == ["+0.050", "+0.050"]
    assert {line.get_markerfacecolor() for line in paired.lines if len(line.get_xdata()) == 1} == {"white"}


def test_the_reliability_diagram_shows_bins_that_have_images():
    bins, error = calibration_tables()
    figure = evaluate.calibration_figure(bins, error, "Calibration of cnn")
    reliability, histogram = figure.axes
    (dots,) = (line for line in reliability.lines if line.get_marker() == "o")
    np.testing.assert_allclose(dots.get_xdata(), [0.3, 0.5, 0.9])
    np.testing.assert_allclose(dots.get_ydata(), [0.25, 0.45, 0.85])
    assert [bar.get_height() for bar in histogram.patches] == [0, 3, 40, 0, 57]
    texts = texts_of(figure)
    assert "Expected calibration error: 0.050 (95% interval 0.012 to 0.083)\nChance alone gives 0.020" in texts
    figure = evaluate.calibration_figure(bins, error.where(error.index == "value"), "Calibration of cnn")
    assert "Expected calibration error: 0.050" in texts_of(figure)


def test_the_level_of_chance_is_drawn_and_named():
    figure = evaluate.accuracy_figure(*accuracy_tables(3, 5), "Accuracy")
    assert any(list(line.get_ydata()) == [0.25, 0.25] for line in figure.axes[0].lines)
    assert "always the most frequent class, 0.250" in texts_of(figure)
    figure = evaluate.comparison_figure(*comparison_tables(["cnn", "fc"]))
    for axes, level in zip(figure.axes, (0.25, 1 / 7), strict=False):
        assert any(list(line.get_xdata()) == [level, level] for line in axes.lines)
        assert axes.get_xlim()[0] < level
    assert "always the most frequent class: 0.250, 0.143 balanced" in texts_of(figure)


def test_held_out_images_stand_below_the_cross_validation():
    figure = evaluate.held_out_figure(*held_out_tables(), "cnn")
    accuracy, balanced = figure.axes
    assert [label.get_text().replace("\n", " ") for label in accuracy.get_yticklabels()] == [
        "cross-validation, each fold's own images",
        *("PublicTest, single models, 1,200 images", "PublicTest, ensemble, 1,200 images"),
        *("PublicTest, single models, 1,100 without copies", "PublicTest, ensemble, 1,100 without copies"),
        *("PrivateTest, single models, 1,200 images", "PrivateTest, ensemble, 1,200 images"),
        *("PrivateTest, single models, 1,100 without copies", "PrivateTest, ensemble, 1,100 without copies"),
    ]
    assert [text.get_text() for text in accuracy.texts] == ["0.700", *["0.650", "0.720"] * 4]
    assert [text.get_text() for text in balanced.texts] == ["0.600", *["0.650", "0.720"] * 4]
    drawn = [list(line.get_xdata()) for line in accuracy.lines if list(line.get_ydata()) == [1, 1]]
    np.testing.assert_allclose(drawn, [[0.5, 0.75], [0.62, 0.68]])


def test_of_held_out_images_no_interval_and_no_copies_are_claimed_that_there_are_not():
    accuracy = evaluate.held_out_figure(*held_out_tables(("Test",), False, False), "fc").axes[0]
    assert [label.get_text().split(",")[0] for label in accuracy.get_yticklabels()] == [
        "cross-validation",
        "Test",
        "Test",
    ]
    assert [list(line.get_xdata()) for line in accuracy.lines if list(line.get_ydata()) == [2, 2]] == []


@pytest.mark.parametrize("mean", [-0.117, -0.004, 0.0, 0.004, 0.117])
@pytest.mark.parametrize("reach", [0.01, 0.2, np.nan])
def test_the_line_at_zero_crosses_no_value(mean, reach):
    folds, summary, differences, chance = comparison_tables(["cnn", "fc", "fc_dropout"])
    differences.loc[:1, ["mean", "low", "high"]] = mean, mean - reach, mean + reach
    figure = evaluate.comparison_figure(folds, summary, differences, chance)
    figure.draw_without_rendering()
    axes = figure.axes[2]
    zero = axes.transData.transform((0, 0))[0]
    for text in axes.texts:
        extent = text.get_window_extent()
        assert not extent.x0 < zero < extent.x1
        assert axes.bbox.x0 <= extent.x0 and extent.x1 <= axes.bbox.x1


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


def test_mistakes_stand_in_the_row_of_their_true_class():
    rows = {
        "angry": evaluate.Mistakes(random_images(2), ["sad", "fear"], [0.98, 0.5], 17),
        "happy": evaluate.Mistakes(random_images(0), [], [], 0),
        "sad": evaluate.Mistakes(random_images(1), ["happy"], [0.7], 1),
    }
    figure = evaluate.misclassified_figure(rows, "Mistakes", 8)
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
