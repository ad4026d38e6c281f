import numpy as np
import pytest

from fercv.engine.backend import keras
from fercv.nets.models import logits_model
from fercv.visualize.feature_maps import feature_maps
from fercv.visualize.layers import layer_outputs, outputs_model

SHAPE = (8, 6)
layers = keras.layers


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    inputs = layers.Input((*SHAPE, 1))
    x = layers.MaxPooling2D(name="pool")(layers.Conv2D(5, 3, padding="same", name="convolution")(inputs))
    outputs = layers.Dense(2, activation="softmax", name="predictions")(layers.Flatten()(x))
    return keras.Model(inputs, outputs)


@pytest.mark.parametrize("batch_size", [3, 7, 50])
def test_maps_means_and_logits_are_those_of_the_layers(model, batch_size):
    images = np.random.default_rng(0).normal(size=(7, *SHAPE)).astype(np.float32)
    pool, classes = layer_outputs(outputs_model(model, ["pool", "predictions"]), images, 4, batch_size)
    maps = np.stack([feature_maps(model, "pool", image) for image in images])
    np.testing.assert_allclose(pool.maps, maps[:4], atol=1e-5)
    np.testing.assert_allclose(pool.activations, maps.mean(axis=(1, 2)), atol=1e-5)
    assert classes.maps is None
    logits = keras.ops.convert_to_numpy(logits_model(model)(images[..., None]))
    np.testing.assert_allclose(classes.activations, logits, atol=1e-5)


def test_one_layer_and_no_maps(model):
    images = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype(np.float32)
    (pool,) = layer_outputs(outputs_model(model, ["pool"]), images, 0, 2)
    assert pool.activations.shape == (3, 5)
    assert pool.maps.shape == (0, 4, 3, 5)
