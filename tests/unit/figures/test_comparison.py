import numpy as np
import pytest
from drawings import comparison_tables, held_out_tables, texts_of

from fercv.figures.comparison import comparison_figure, held_out_figure
from fercv.figures.drawing import BLUE


def test_comparison_draws_every_fold_mean_and_interval():
    folds, summary, differences, chance = comparison_tables(["cnn", "fc"])
    figure = comparison_figure(folds, summary, differences, chance)
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
    assert len(comparison_figure(*comparison_tables(["cnn"])).axes) == 2


def test_comparison_keeps_every_dot_inside_its_panel_and_apart_from_equal_ones():
    axes = comparison_figure(*comparison_tables(["cnn", "fc"])).axes[1]
    dots = axes.collections[0].get_offsets()
    assert len(np.unique(dots[:, 0].round(6))) == 1
    assert len(np.unique(dots[:, 1])) == len(dots)
    assert axes.get_xlim()[0] < dots[0, 0] < axes.get_xlim()[1]


def test_comparison_tells_real_differences_from_those_that_may_be_chance():
    folds, summary, differences, chance = comparison_tables(["cnn", "fc"])
    differences["p_adjusted"] = [0.0499, 0.05]
    figure = comparison_figure(folds, summary, differences, chance)
    fills = [line.get_markerfacecolor() for line in figure.axes[2].lines if len(line.get_xdata()) == 1]
    assert fills == [BLUE, "white"]
    texts = texts_of(figure)
    assert {"difference: adjusted p < 0.05 (Holm)", "difference that may be chance"} <= set(texts)
    differences["p_adjusted"] = np.nan
    paired = comparison_figure(folds, summary, differences, chance).axes[2]
    assert [text.get_text() for text in paired.texts] == ["+0.050", "+0.050"]
    assert {line.get_markerfacecolor() for line in paired.lines if len(line.get_xdata()) == 1} == {"white"}


def test_held_out_images_stand_below_the_cross_validation():
    figure = held_out_figure(*held_out_tables(), "cnn")
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
    accuracy = held_out_figure(*held_out_tables(("Test",), False, False), "fc").axes[0]
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
    figure = comparison_figure(folds, summary, differences, chance)
    figure.draw_without_rendering()
    axes = figure.axes[2]
    zero = axes.transData.transform((0, 0))[0]
    for text in axes.texts:
        extent = text.get_window_extent()
        assert not extent.x0 < zero < extent.x1
        assert axes.bbox.x0 <= extent.x0 and extent.x1 <= axes.bbox.x1


def test_the_levels_of_chance_are_drawn_and_named():
    figure = comparison_figure(*comparison_tables(["cnn", "fc"]))
    for axes, level in zip(figure.axes, (0.25, 1 / 7), strict=False):
        assert any(list(line.get_xdata()) == [level, level] for line in axes.lines)
        assert axes.get_xlim()[0] < level
    assert "always the most frequent class: 0.250, 0.143 balanced" in texts_of(figure)
