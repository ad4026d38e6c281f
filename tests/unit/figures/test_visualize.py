import numpy as np
from drawings import filter_checks_of, filters_of, random_images, texts_of

from fercv.figures import visualize


def test_filters_have_their_own_grey_scale_and_number():
    images = np.stack([np.linspace(-7, 5, 64).reshape(8, 8), np.full((8, 8), 3.0), np.eye(8) / 1000])
    figure = visualize.filters_figure(images, "Filters", [4, 9, 17], [[0, 3.14], [-0.5, 2], [1, 120]], 128, columns=3)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["4: 0 → 3.1", "9: -0.5 → 2", "17: 1 → 120"]
    tiles = np.array_split(axes.images[0].get_array(), 3, axis=1)
    assert [(tile.min(), tile.max()) for tile in tiles] == [(0, 1), (0, 0), (0, 1)]
    assert any(text.startswith("3 of the layer's 128 filters.") for text in texts_of(figure))


def test_many_filters_have_their_numbers_alone():
    figure = filters_of(100)
    assert [text.get_text() for text in figure.axes[0].texts] == [str(number) for number in range(100)]
    assert any(text.replace("\n", " ").count("Number: filter. What") for text in texts_of(figure))


def test_filters_stand_in_reading_order_in_a_square():
    images = np.zeros((64, 4, 4))
    images[10, 0, 0] = 1
    axes = filters_of(64, images).axes[0]
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
    assert [text.get_text() for text in grid.texts] == [
        "0: up to 0",
        "1: up to 0",
        "2: up to 0",
        "3: up to 40",
        "4: up to 0",
    ]
    assert grid.images[0].get_array().max() == 1


def test_checked_filters_stand_in_rows_each_image_on_its_own_scale():
    figure = filter_checks_of(3, ["block4_pool\n0", "angry"])
    plain, robust, real = figure.axes
    assert [label.get_text() for label in plain.get_yticklabels()] == ["block4_pool\n0", "angry"]
    assert [axes.get_title() for axes in figure.axes] == [
        "Plain ascent from", "Robust ascent from", "Real images that excite it most",
    ]  # fmt: skip
    assert [label.get_text() for label in robust.get_xticklabels()] == ["noise", "grey", "mean face"]
    assert [text.get_text() for text in plain.texts] == ["100 %, +89 sd"] * 6
    assert len(real.texts) == 6
    assert plain.get_xlabel() == "another fold: +0.8 sd\nfine waves: 0.81 of the energy"
    rows = np.array_split(real.images[0].get_array(), 2, axis=0)
    assert all((tile.min(), tile.max()) == (0, 1) for row in rows for tile in np.array_split(row, 3, axis=1))
    assert any(text.startswith("How to read it.") for text in texts_of(figure))


def test_checked_feature_maps_are_on_one_scale_in_each_group():
    maps = np.array([[[[0.0, 4.0]], [[1.0, 2.0]]]])
    groups = [("pool", ["7"], maps), ("pool of equal values", ["8"], np.full((1, 2, 1, 2), 3.0))]
    figure = visualize.feature_map_checks_figure(random_images(2), ["angry", "sad"], groups, "Maps", "Note")
    given, varying, equal = figure.axes
    assert [label.get_text() for label in given.get_yticklabels()] == ["angry", "sad"]
    drawn = varying.images[0].get_array().compressed()
    np.testing.assert_allclose(np.unique(drawn), [0, 0.25, 0.5, 1])
    assert set(equal.images[0].get_array().compressed()) == {0}
    assert [label.get_text() for label in varying.get_xticklabels()] == ["7"]
