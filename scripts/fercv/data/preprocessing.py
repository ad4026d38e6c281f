"""From stored pixels to what the networks take."""

import numpy as np


def standardize(images):
    """Standardize each image by itself: zero mean and unit variance over its pixels.

    It needs nothing from other images, so nothing leaks from validation rows into training, and a saved model needs no
    stored mean. An image of one single grey becomes zeros.

    Args:
        images: (n, height, width), any real dtype.

    Returns:
        float32 (n, height, width, 1).
    """
    pixels = np.asarray(images, dtype=np.float32)[..., np.newaxis]
    pixels -= pixels.mean(axis=(1, 2, 3), keepdims=True)
    deviation = pixels.std(axis=(1, 2, 3), keepdims=True)
    return pixels / np.maximum(deviation, 1e-3)


def model_inputs(images, input_shape):
    """Standardize images and shape them as a model takes them.

    Args:
        images: (n, height, width), any real dtype.
        input_shape: the model's input shape without the batch, e.g. (48, 48, 1), or (2304,) for `fc`.

    Returns:
        float32 (n, *input_shape).
    """
    return standardize(images).reshape(len(images), *input_shape)
