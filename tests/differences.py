"""Derivatives as difference quotients in float64, to compare gradients with."""

import numpy as np

from fercv.engine.backend import keras


def in_float64(model):
    """A copy of a model that holds the same weights and computes in float64."""

    def copy(layer):
        return type(layer).from_config(layer.get_config() | {"dtype": "float64"})

    inputs = keras.Input(model.input_shape[1:], dtype="float64")
    copied = keras.models.clone_model(model, input_tensors=inputs, clone_function=copy)
    copied.set_weights(model.get_weights())
    assert copied.input.dtype == copied.output.dtype == "float64"
    return copied


def vary_normalizations(model, seed=0):
    """Give batch normalizations the weights of a trained model: fresh ones do nearly nothing."""
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            size = layer.gamma.shape[0]
            gamma, variance = generator.uniform(0.5, 1.5, (2, size))
            beta, mean = generator.normal(0, 0.3, (2, size))
            layer.set_weights([gamma, beta, mean, variance])


def central_differences(score, images, pixels, step=1e-7):
    """The derivatives of the images' scores with respect to some pixels.

    The step is so short that it hardly ever crosses a kink of a leaky ReLU or of max-pooling.

    Args:
        score: function of images, float64 (k n, height, width), that returns one number for each, (k n,). It is called
            once, on moved copies of all images, one set of n after the other.
        images: (n, height, width).
        pixels: int (m, 2), rows and columns.
        step: how far a pixel is moved to both sides.

    Returns:
        float64 (n, m).
    """
    moves = np.zeros((len(pixels), 1, *images.shape[1:]))
    moves[np.arange(len(pixels)), 0, *np.transpose(pixels)] = step
    moved = np.stack([images + moves, images - moves])
    above, below = score(moved.reshape(-1, *images.shape[1:])).reshape(2, len(pixels), len(images))
    return (above - below).T / (2 * step)
