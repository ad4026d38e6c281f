from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from drawings import random_images, texts_of
from sklearn.metrics import roc_auc_score

import plot_layer_checks
from fercv.data.tables import FEATURE_MAP_CHECKS, write_table
from fercv.visualize.parts import best_maps, check_maps, lighting_up, maps_table, part_areas


def random_masks(count, shape, seed=0):
    return np.random.default_rng(seed).random((count, *shape)) < 0.3


def test_pixels_of_a_part_are_counted_in_each_cell():
    masks = np.zeros((1, 6, 4), bool)
    masks[0, :2, :3] = True
    np.testing.assert_array_equal(part_areas(masks, 3, 2), [[[4, 2], [0, 0], [0, 0]]])
    np.testing.assert_array_equal(part_areas(masks, 6, 4), masks)
    np.testing.assert_array_equal(part_areas(masks, 1, 1), [[[6]]])


@pytest.mark.parametrize(("rows", "columns"), [(6, 4), (3, 2), (5, 3), (1, 1)])
def test_cells_share_all_pixels(rows, columns):
    masks = np.ones((2, 7, 5), bool)
    areas = part_areas(masks, min(rows, 7), min(columns, 5))
    assert (areas.sum(axis=(1, 2)) == 35).all()
    assert areas.min() >= (7 // rows) * (5 // columns)


def test_a_map_of_the_part_lights_up_on_it_its_negative_never_and_a_constant_by_chance():
    masks = random_masks(3, (6, 4))
    maps = np.stack([masks, ~masks, np.full(masks.shape, 2.5)], axis=-1).astype(np.float32)
    np.testing.assert_allclose(lighting_up(maps, masks), [1, 0, 0.5])


def test_a_map_is_judged_by_the_area_under_its_roc_curve_over_pixels():
    masks = random_masks(4, (6, 8))
    # Few different values, so that many are equal.
    maps = np.random.default_rng(1).integers(0, 4, (4, 3, 4, 2)).astype(np.float32)
    enlarged = maps.repeat(2, axis=1).repeat(2, axis=2)
    expected = [roc_auc_score(masks.ravel(), enlarged[..., channel].ravel()) for channel in range(2)]
    np.testing.assert_allclose(lighting_up(maps, masks), expected)


def test_where_no_pixel_is_of_the_part_nothing_is_said():
    maps = np.ones((2, 3, 2, 4))
    assert np.isnan(lighting_up(maps, np.zeros((2, 6, 4), bool))).all()
    assert np.isnan(lighting_up(maps, np.ones((2, 6, 4), bool))).all()


def test_the_best_map_of_each_part_is_shown_and_without_parts_those_that_vary_most():
    maps = np.random.default_rng(2).normal(0, [1, 5, 3, 4], (9, 6, 4, 4)).astype(np.float32)
    masks = {"eyes": maps[..., 2] > 1, "mouth": maps[..., 0] > 1}
    table = maps_table(maps, masks)
    assert list(table.columns) == ["channel", "standard_deviation", "eyes", "mouth"]
    np.testing.assert_allclose(table["standard_deviation"], maps.reshape(-1, 4).std(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(best_maps(table, 3), [2, 0])
    np.testing.assert_array_equal(best_maps(maps_table(maps, {}), 3), [1, 3, 2])
    np.testing.assert_array_equal(best_maps(maps_table(maps, {}), 9), [1, 3, 2, 0])


def test_maps_with_trained_and_with_random_weights_stand_beside_each_other():
    trained, random = np.random.default_rng(3).normal(size=(2, 5, 3, 2, 4)).astype(np.float32)
    masks = {"eyes": random_masks(5, (6, 4), 1), "mouth": random_masks(5, (6, 4), 2)}
    checked = check_maps(trained, random, masks, np.array([4, 0]), 3)
    expected = pd.concat(
        [maps_table(trained, masks).assign(weights="trained"), maps_table(random, masks).assign(weights="random")]
    )
    pd.testing.assert_frame_equal(checked.table, expected)
    assert checked.channels.shape == (2, 2)
    assert checked.maps.shape == (2, 2, 2, 3, 2)
    np.testing.assert_array_equal(checked.maps[1, 0, 0], random[4, ..., checked.channels[1, 0]])
    np.testing.assert_array_equal(checked.maps[0, 1, 1], trained[0, ..., checked.channels[0, 1]])


def test_a_layer_of_fewer_maps_than_a_group_has_is_drawn(tmp_path):
    """Where no parts are known. A net of one's own may have a layer of two channels."""
    tables, saved = [], {"images": random_images(2), "labels": np.array([0, 1])}
    for number, (layer, maps) in enumerate([("narrow", 2), ("wide", 5)]):
        trained, random = np.random.default_rng(4).normal(size=(2, 2, 3, 3, maps)).astype(np.float32)
        checked = check_maps(trained, random, {}, np.array([0, 1]), 3)
        tables.append(checked.table.assign(layer=layer))
        saved |= {f"channels_{number}": checked.channels, f"maps_{number}": checked.maps}
    np.savez(tmp_path / "maps.npz", **saved)
    table = pd.concat(tables).assign(brows=np.nan, eyes=np.nan, mouth=np.nan)[list(FEATURE_MAP_CHECKS)]
    write_table(table, tmp_path / "maps.csv")
    figure = plot_layer_checks.draw_maps(
        SimpleNamespace(
            input=SimpleNamespace(maps_table=tmp_path / "maps.csv", maps=tmp_path / "maps.npz"),
            params=SimpleNamespace(classes=["calm", "angry"]),
            wildcards=SimpleNamespace(model="net"),
        )
    )
    assert [len(axes.get_xticks()) for axes in figure.axes[1:]] == [2, 2, 3, 3]
    assert any("the maps whose values vary most" in " ".join(text.split()) for text in texts_of(figure))
