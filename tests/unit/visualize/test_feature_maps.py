import numpy as np
import pytest

from fercv.engine.backend import keras
from fercv.visualize.feature_maps import feature_maps
from fercv.workflow.errors import InputError

layers = keras.layers


def make_model():
    inputs = layers.Input((6, 4, 1), name="image")
    x = layers.Conv2D(2, 1, use_bias=False, name="scale")(inputs)
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.BatchNormalization(name="normalization")(x)
    outputs = layers.Dense(3, activation="softmax", name="predictions")(layers.Flatten(name="flatten")(x))
    model = keras.Model(inputs, outputs, name="small")
    model.get_layer("scale").set_weights([np.array([2, -1], dtype=np.float32).reshape(1, 1, 1, 2)])
    return model


def make_image():
    return np.arange(24, dtype=np.float32).reshape(6, 4)


def test_maps_of_a_known_layer():
    maps = feature_maps(make_model(), "pool", make_image())
    assert maps.shape == (3, 2, 2)
    assert maps.dtype == np.float32
    blocks = make_image().reshape(3, 2, 2, 2)
    np.testing.assert_allclose(maps[..., 0], 2 * blocks.max(axis=(1, 3)), rtol=1e-6)
    np.testing.assert_allclose(maps[..., 1], -blocks.min(axis=(1, 3)), rtol=1e-6)


def test_batch_normalization_uses_what_it_learned_not_the_image():
    model = make_model()
    model.get_layer("normalization").set_weights([np.ones(2), np.zeros(2), np.array([10, 0]), np.ones(2)])
    maps, before = (feature_maps(model, name, make_image()) for name in ("normalization", "pool"))
    np.testing.assert_allclose(maps, before - [10, 0], rtol=1e-2)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ("pol", "did you mean 'pool'"),
        ("xyz", "it has image, scale, pool"),
        ("flatten", "height, width and channels"),
        ("predictions", "height, width and channels"),
    ],
)
def test_refused_in_one_line(layer, said):
    with pytest.raises(InputError, match=said) as refusal:
        feature_maps(make_model(), layer, make_image())
    message = str(refusal.value)
    assert layer in message
    assert "small" in message
    assert "\n" not in message
