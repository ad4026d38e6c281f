import io
import os
import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
from helpers import REPOSITORY
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from PIL import Image

from fercv.figures import data, drawing, evaluate, visualize

EMOTIONS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
LONG_NAMES = [f"an expression of rather long name {number}" for number in range(20)]


def random_images(count, size=12):
    return np.random.default_rng(5).integers(0, 256, (count, size, size)).astype(np.uint8)


def accuracy_tables(folds, epochs):
    histories = pd.DataFrame(
        [
            (fold, epoch, 0.5 + 0.01 * fold, 0.6 + 0.01 * fold)
            for fold in range(folds)
            for epoch in range(1, epochs + 1)
        ],
        columns=["fold", "epoch", "accuracy", "val_accuracy"],
    )
    by_epoch = histories.groupby("epoch")
    curves = pd.DataFrame({"folds": by_epoch["fold"].count()})
    for column in ("accuracy", "val_accuracy"):
        curves[column] = by_epoch[column].mean()
        curves[f"{column}_spread"] = by_epoch[column].std()
    return histories, curves.reset_index()


def comparison_tables(models, intervals=True):
    folds = pd.DataFrame(
        [
            (model, fold, 0.7 - 0.05 * place + 0.01 * fold, 0.6 - 0.05 * place)
            for place, model in enumerate(models)
            for fold in range(5)
        ],
        columns=["model", "fold", "accuracy", "balanced_accuracy"],
    )
    reach = 0.03 if intervals else np.nan
    summary = [
        (model, measure, mean, mean - reach, mean + reach)
        for model, means in folds.groupby("model", sort=False).mean().drop(columns="fold").iterrows()
        for measure, mean in means.items()
    ]
    differences = [
        (model, versus, measure, 0.05, 0.05 - reach, 0.05 + reach)
        for place, model in enumerate(models)
        for versus in models[place + 1 :]
        for measure in ("accuracy", "balanced_accuracy")
    ]
    return (
        folds,
        pd.DataFrame(summary, columns=["model", "measure", "mean", "low", "high"]),
        pd.DataFrame(differences, columns=["model", "versus", "measure", "mean", "low", "high"]),
    )


def saliency_of(count, names=EMOTIONS):
    images = random_images(count)
    heat = images / 255
    masked = np.where(heat > 0.5, images, 100).astype(np.uint8)
    true = [names[index % len(names)] for index in range(count)]
    predicted = [names[(index + index % 2) % len(names)] for index in range(count)]
    return visualize.saliency_figure(
        images, heat, masked, true, predicted, np.full(count, 0.54), 0.5, "Saliency of cnn"
    )


def confusion_of(names):
    counts = np.random.default_rng(2).integers(0, 3000, (len(names), len(names)))
    return evaluate.confusion_figure(counts, names, "Confusion matrix of cnn")


DRAWINGS = {
    "samples": lambda: data.samples_figure({name: random_images(12) for name in EMOTIONS}, "Samples"),
    "samples, few, long names": lambda: data.samples_figure(
        {name: random_images(2) for name in LONG_NAMES[:2]}, "A title that goes on and on " * 8
    ),
    "accuracy": lambda: evaluate.accuracy_figure(*accuracy_tables(4, 30), "Accuracy of cnn"),
    "accuracy, one epoch": lambda: evaluate.accuracy_figure(*accuracy_tables(20, 1), "Accuracy of cnn"),
    "accuracy, one fold": lambda: evaluate.accuracy_figure(*accuracy_tables(1, 2), "Accuracy of cnn"),
    "confusion": lambda: confusion_of(EMOTIONS),
    "confusion, two classes": lambda: confusion_of(["left", "right"]),
    "confusion, twenty long names": lambda: confusion_of(LONG_NAMES),
    "comparison": lambda: evaluate.comparison_figure(*comparison_tables(["cnn", "fc", "fc_dropout"])),
    "comparison, one model": lambda: evaluate.comparison_figure(*comparison_tables(["cnn"])),
    "comparison, no intervals": lambda: evaluate.comparison_figure(*comparison_tables(["cnn", "fc"], intervals=False)),
    "comparison, six long names": lambda: evaluate.comparison_figure(*comparison_tables(LONG_NAMES[:6])),
    "saliency": lambda: saliency_of(7),
    "saliency, one image": lambda: saliency_of(1),
    "saliency, long names": lambda: saliency_of(10, LONG_NAMES),
    "filters": lambda: visualize.filters_figure(random_images(64), "Filters of layer block4_pool (# Ascent Epoch 200)"),
    "filters, one": lambda: visualize.filters_figure(random_images(1), "Filters of layer block4_pool"),
    "feature maps": lambda: visualize.feature_maps_figure(
        random_images(1)[0], np.random.default_rng(1).random((3, 3, 100)), "Feature maps of layer conv2_pool"
    ),
}


def texts_of(figure):
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


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


def test_samples_show_each_class_in_its_row():
    rows = {"dark $a$ $b$": np.zeros((3, 8, 8), np.uint8), "bright": np.full((1, 8, 8), 255, np.uint8)}
    axes = data.samples_figure(rows, "Samples").axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(rows)
    assert not any(label.get_parse_math() for label in axes.get_yticklabels())
    sheet = axes.images[0].get_array()
    middle = sheet.shape[0] // 2
    assert sheet[:middle].max() == 0
    assert sheet[middle:].min() == 1
    assert sheet[-1, -1] is np.ma.masked


def test_samples_can_hide_the_names():
    figure = data.samples_figure({name: random_images(2) for name in EMOTIONS}, "Who is it?", show_names=False)
    assert texts_of(figure) == ["Who is it?"]


def test_grey_values_beyond_one_are_refused():
    with pytest.raises(ValueError, match=r"255\.0: expected uint8, or float in \[0, 1\]"):
        data.samples_figure({"a": np.full((1, 4, 4), 255.0)}, "Samples")


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
    histories, curves = accuracy_tables(5, 6)
    curves.loc[curves["epoch"] > 4, "folds"] = 2
    assert "all 5 folds until here, 2 at the end" in texts_of(evaluate.accuracy_figure(histories, curves, "Accuracy"))


@pytest.mark.parametrize("final", [(0.99, 0.995), (0.01, 0.0), (0.6, 0.6)])
def test_final_accuracies_do_not_overlap(final):
    histories, curves = accuracy_tables(2, 3)
    curves["accuracy"], curves["val_accuracy"] = final
    figure = evaluate.accuracy_figure(histories, curves, "Accuracy")
    figure.draw_without_rendering()
    training, validation = (
        next(text for text in figure.axes[0].texts if text.get_text().startswith(name)).get_window_extent()
        for name in ("training", "validation")
    )
    assert not training.overlaps(validation)
    assert (validation.y0 > training.y0) == (final[1] >= final[0])


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
    folds, summary, differences = comparison_tables(["cnn", "fc"])
    figure = evaluate.comparison_figure(folds, summary, differences)
    accuracy, balanced, paired = figure.axes
    drawn = [collection.get_offsets()[:, 0].tolist() for collection in accuracy.collections]
    assert drawn == [folds.loc[folds["model"] == model, "accuracy"].tolist() for model in ("cnn", "fc")]
    assert [text.get_text() for text in accuracy.texts] == ["0.720", "0.670"]
    assert [text.get_text() for text in balanced.texts] == ["0.600", "0.550"]
    assert [label.get_text() for label in accuracy.get_yticklabels()] == ["cnn", "fc"]
    np.testing.assert_allclose(accuracy.lines[0].get_xdata(), [0.69, 0.75])
    assert [text.get_text() for text in paired.texts] == ["+0.050", "+0.050"]
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


def test_saliency_names_classes_and_marks_wrong_ones_in_words():
    figure = saliency_of(2)
    panels = figure.axes[:3]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == [
        "true: angry\npredicted: angry (0.54)\n✓ right",
        "true: disgust\npredicted: fear (0.54)\n✗ wrong",
    ]
    assert [panel.get_title() for panel in panels] == [
        "Original",
        "Saliency, normalized",
        "Pixels above 0.5,\nothers: image mean",
    ]


def test_saliency_colours_go_from_zero_to_one_whatever_the_heat():
    images = random_images(1)
    heat = np.full(images.shape, 0.3)
    figure = visualize.saliency_figure(images, heat, images, ["a"], ["a"], [1.0], 0.5, "Saliency")
    drawn = figure.axes[1].images[0]
    assert drawn.get_clim() == (0, 1)
    assert drawn.get_array().min() == drawn.get_array().max() == pytest.approx(0.3)
    assert figure.axes[3].get_ylim() == (0, 1)


def test_filters_have_their_own_grey_scale_and_number():
    images = np.stack([np.linspace(-7, 5, 64).reshape(8, 8), np.full((8, 8), 3.0), np.eye(8) / 1000])
    figure = visualize.filters_figure(
        images, "Filters of layer block4_pool (# Ascent Epoch 200)", 3, numbers=[4, 9, 17]
    )
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["4", "9", "17"]
    tiles = np.array_split(axes.images[0].get_array(), 3, axis=1)
    assert [(tile.min(), tile.max()) for tile in tiles] == [(0, 1), (0, 0), (0, 1)]
    assert "Filters of layer block4_pool (# Ascent Epoch 200)" in texts_of(figure)


def test_filters_stand_in_reading_order_in_a_square():
    images = np.zeros((64, 4, 4))
    images[10, 0, 0] = 1
    axes = visualize.filters_figure(images, "Filters").axes[0]
    sheet = axes.images[0].get_array().filled(0)
    row, column = np.argwhere(sheet == 1).mean(axis=0) / sheet.shape * 8
    assert (int(row), int(column)) == (1, 2)
    x, y = axes.texts[10].get_position()
    left, right, bottom, top = axes.images[0].get_extent()
    assert (int(8 * y / (bottom - top)), int(8 * x / (right - left))) == (1, 2)


def test_feature_maps_show_the_given_image_and_every_channel():
    maps = np.zeros((4, 4, 5))
    maps[1, 2, 3] = 40.0
    image = random_images(1)[0]
    given, grid = visualize.feature_maps_figure(image, maps, "Feature maps of layer conv2_pool").axes
    np.testing.assert_allclose(given.images[0].get_array(), image / 255)
    assert [text.get_text() for text in grid.texts] == ["0", "1", "2", "3", "4"]
    assert grid.images[0].get_array().max() == 1


def test_import_stays_light():
    program = "import sys, fercv.figures.data, fercv.figures.evaluate, fercv.figures.visualize; print(*sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "scripts")}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    loaded = set(done.stdout.split())
    assert "matplotlib.figure" in loaded
    assert not loaded & {"matplotlib.pyplot", "tensorflow", "keras", "sklearn", "scipy"}
