"""Saliency: which pixels of an image the score of a class reacts to."""

import numpy as np

from fercv.engine.backend import keras, native
from fercv.nets.models import logits_model


def class_score_gradient(model):
    """Compile the logit of a class together with its gradient with respect to the image.

    Args:
        model: Keras model as in `logits_model`, of inputs (height, width, 1) or of as many pixels in one row.

    Returns:
        A function of (images float32 (n, height, width, 1), classes int (n,)) that returns (logits (n,), gradients
        (n, height, width, 1)).

    Raises:
        InputError: the model ends in no softmax.
    """
    logits = logits_model(model)

    def score(images, classes):
        inputs = keras.ops.reshape(images, (-1, *model.input_shape[1:]))
        scores = keras.ops.cast(logits(inputs, training=False), "float32")
        return keras.ops.take_along_axis(scores, classes[:, None], axis=1)[:, 0]

    return native.value_and_gradient(score)


def compute_saliency(score_gradient, images: np.ndarray, classes: np.ndarray, batch_size: int) -> np.ndarray:
    """Compute the heat map of a class in each image: the absolute gradient of the class's logit.

    This is the plain gradient of Simonyan et al. (2014, arXiv:1312.6034, section 3), one pass over the images.

    Args:
        score_gradient: what `class_score_gradient` returns.
        images: float32 (n, height, width, 1), standardized as `preprocessing.standardize` does.
        classes: int (n,), the class whose logit is meant, usually the predicted one.
        batch_size: how many images are computed together at most; it bounds the memory.

    Returns:
        float32 (n, height, width), divided by its maximum in each image, so from 0 to 1; zeros where the gradient is
        zero everywhere.
    """
    heat = np.empty(images.shape[:3], dtype=np.float32)
    for start in range(0, len(images), batch_size):
        batch = slice(start, start + batch_size)
        _, gradients = score_gradient(images[batch], classes[batch])
        heat[batch] = np.abs(keras.ops.convert_to_numpy(gradients)[..., 0])
    maximum = heat.max(axis=(1, 2), keepdims=True)
    return np.divide(heat, maximum, out=np.zeros_like(heat), where=maximum > 0)


def mask_image(image: np.ndarray, heat: np.ndarray, threshold: float) -> np.ndarray:
    """Set every pixel whose heat is not above a threshold to the image's mean.

    Args:
        image: uint8 (height, width).
        heat: float (height, width), from 0 to 1.
        threshold: the heat that a pixel must exceed to stay.

    Returns:
        uint8 (height, width).
    """
    return np.where(heat > threshold, image, np.rint(image.mean()).astype(np.uint8))
