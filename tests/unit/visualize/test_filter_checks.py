import numpy as np
import pytest

from fercv.data.tables import FILTER_CHECKS, read_table, write_table
from fercv.engine.backend import keras
from fercv.visualize.filter_checks import (
    KINDS,
    check_filters,
    correlation_with,
    correlations,
    high_frequency_share,
    match_filters,
    standing,
)
from fercv.visualize.robust_ascent import Distortion

SHAPE = (8, 6)
layers = keras.layers


def test_how_an_activation_stands_among_real_ones():
    real = np.array([[0, 5], [2, 5], [4, 5], [6, 5]])
    stands = standing(np.array([4, 7]), real)
    np.testing.assert_allclose(stands.percentile, [75, 100])
    np.testing.assert_allclose(stands.deviations, [1 / np.sqrt(5), 0])
    np.testing.assert_allclose(standing(np.array([-1, 5]), real).percentile, [0, 100])


def test_filters_are_matched_with_those_that_do_the_same_whatever_their_order_and_scale():
    real = np.random.default_rng(0).normal(size=(50, 6))
    order = [3, 0, 5, 1, 4, 2]
    others = 7 * real[:, order] + 2
    np.testing.assert_array_equal(np.array(order)[match_filters(real, others)], np.arange(6))
    np.testing.assert_array_equal(match_filters(real[:, [4]], others), [order.index(4)])
    # One that does the opposite is no match, and one that is constant none for any.
    others = np.stack([-real[:, 0], np.full(50, 0.3), real[:, 0] + real[:, 1]], axis=1)
    np.testing.assert_array_equal(match_filters(real[:, [0]], others), [2])


def test_correlations_are_pearsons_and_zero_for_constants():
    first, second = np.random.default_rng(1).normal(size=(2, 40, 3))
    expected = [np.corrcoef(first[:, column], second[:, column])[0, 1] for column in range(3)]
    np.testing.assert_allclose(correlations(first, second), expected)
    assert correlations(np.full((40, 1), 0.1), first[:, :1]) == 0


@pytest.mark.parametrize(("period", "share"), [(3, 1), (6, 0), (12, 0)])
def test_waves_below_four_pixels_count_as_high_frequency(period, share):
    wave = np.cos(2 * np.pi * np.arange(12) / period) * np.ones((12, 1))
    for image in (wave, wave.T, 40 + 3 * wave):
        np.testing.assert_allclose(high_frequency_share(image[None]), [share], atol=1e-9)


def test_the_share_of_white_noise_is_that_of_the_frequencies_and_that_of_one_grey_is_zero():
    noise = np.random.default_rng(2).normal(size=(40, 48, 48))
    # A circle of radius 1/4 in a square of side 1.
    assert high_frequency_share(noise).mean() == pytest.approx(1 - np.pi / 16, abs=0.01)
    slow, fast = (np.cos(2 * np.pi * np.arange(12) / period) * np.ones((12, 1)) for period in (6, 3))
    np.testing.assert_allclose(high_frequency_share(np.stack([slow + fast, np.full((12, 12), 0.3)])), [0.5, 0])


def test_correlation_with_an_image():
    image = np.arange(12.0).reshape(3, 4)
    found = correlation_with(image, np.stack([2 * image - 7, -image, np.full((3, 4), 0.1)]))
    np.testing.assert_allclose(found, [1, -1, 0], atol=1e-12)


def make_model(weights):
    """A linear layer of hidden units, then classes that copy the first two of them."""
    inputs = layers.Input((*SHAPE, 1))
    hidden = layers.Dense(3, use_bias=False, name="hidden")(layers.Flatten()(inputs))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax", name="predictions")(hidden))
    model.get_layer("hidden").set_weights([weights])
    model.get_layer("predictions").set_weights([np.eye(3, 2, dtype=np.float32), np.zeros(2, np.float32)])
    return model


@pytest.fixture(scope="module")
def checked():
    generator = np.random.default_rng(3)
    weights = generator.normal(size=(48, 3)).astype(np.float32)
    real = generator.normal(size=(30, *SHAPE)).astype(np.float32)
    # Hidden unit 1 of the other model is unit 0 of this one.
    model, other = make_model(weights), make_model(weights[:, [2, 0, 1]])
    plain = {"steps": 30, "step_size": 0.1, "batch_size": 8}
    robust = plain | {"distortion": Distortion(shift=0, rotation=0, zoom=0)}
    settings = {"count": 1, "exciting": 2, "mapped": 4, "seeds": [1, 2], "batch_size": 16}
    found = check_filters(model, other, ["hidden", "predictions"], real, plain=plain, robust=robust, **settings)
    return found, real, weights


def test_the_first_filters_of_a_layer_and_all_classes_are_checked_in_order(checked, tmp_path):
    found, _, _ = checked
    write_table(found.table, tmp_path / "filter_checks.csv")
    table = read_table(tmp_path / "filter_checks.csv", FILTER_CHECKS)
    assert list(table.columns) == list(FILTER_CHECKS)
    rows = table[["layer", "filter", "method", "start"]].to_numpy().tolist()
    filters = [["hidden", 0], ["predictions", 0], ["predictions", 1]]
    assert rows == [[*one, *kind] for one in filters for kind in KINDS]
    assert found.images.shape == (6, 3, *SHAPE)
    assert found.exciting.shape == (3, 2)
    assert found.maps == [None, None]


def test_the_real_images_that_excite_a_filter_most_are_found(checked):
    found, real, weights = checked
    scores = real.reshape(30, 48) @ weights
    for one, unit in zip(found.exciting, [0, 0, 1], strict=True):
        np.testing.assert_array_equal(one, np.argsort(-scores[:, unit])[:2])
    row = found.table[found.table["method"] == "real"].iloc[0]
    assert row["activation"] == pytest.approx(scores[:, 0].max(), rel=1e-4)
    assert row["percentile"] == 100
    assert row["deviations"] == pytest.approx((scores[:, 0].max() - scores[:, 0].mean()) / scores[:, 0].std(), rel=1e-4)


def test_activations_are_those_of_the_images(checked):
    found, _, weights = checked
    table = found.table.set_index(["layer", "filter", "method", "start"])
    for kind, (method, start) in enumerate(KINDS[:-1]):
        for place, (layer, number) in enumerate([("hidden", 0), ("predictions", 0), ("predictions", 1)]):
            expected = found.images[kind, place].ravel() @ weights[:, number]
            assert table.loc[(layer, number, method, start), "activation"] == pytest.approx(expected, rel=1e-3)
    assert (table["percentile"] == 100).all()


def test_filters_are_matched_in_the_other_model_and_classes_are_not(checked):
    """So what excites a filter excites its match alike; class 0 of the other model is another unit."""
    found, _, _ = checked
    table = found.table.set_index(["layer", "method"])
    hidden = table.loc["hidden"]
    assert set(hidden["other_filter"]) == {1}
    np.testing.assert_allclose(hidden["match"], 1, rtol=1e-5)
    np.testing.assert_allclose(hidden["other_deviations"], hidden["deviations"], rtol=1e-3)
    classes = table.loc["predictions"]
    assert (classes["other_filter"] == classes["filter"]).all()
    assert (classes["match"].abs() < 0.6).all()
    assert (classes["other_deviations"] < classes["deviations"]).all()


def test_ascents_begin_with_noise_grey_and_the_mean_face():
    """Without a step, the images are the starts; an image of one grey is zeros."""
    generator = np.random.default_rng(4)
    face = generator.normal(size=SHAPE)
    real = np.stack([face + generator.normal(0, 0.1, SHAPE) for _ in range(10)]).astype(np.float32)
    model = make_model(generator.normal(size=(48, 3)).astype(np.float32))
    plain = {"steps": 0, "step_size": 0.1, "batch_size": 8}
    robust = plain | {"distortion": Distortion(shift=2, rotation=5, zoom=0.1)}
    settings = {"count": 1, "exciting": 1, "mapped": 0, "seeds": [1], "batch_size": 16}
    found = check_filters(model, model, ["predictions"], real, plain=plain, robust=robust, **settings)
    table = found.table[found.table["filter"] == 0].set_index("start")
    assert not found.images[[1, 4]].any()
    np.testing.assert_allclose(table.loc["mean_face", "mean_face"], [1, 1], atol=0.05)
    noise, robustly = found.images[0, 0], found.images[3, 0]
    assert np.corrcoef(noise.ravel(), robustly.ravel())[0, 1] > 0.95
