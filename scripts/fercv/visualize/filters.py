"""Gradient ascent in image space: an image that drives one filter of a layer as far as it goes."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fercv.engine.backend import keras, native
from fercv.nets.models import ends_in_softmax, find_layer, logits_model
from fercv.workflow.errors import InputError

log = logging.getLogger("fercv")


class AscendedFilters(NamedTuple):
    """One image per filter, and how its activation grew."""

    images: np.ndarray
    activations: np.ndarray


def ascend_filters(
    model,
    layer_name: str,
    filters: Sequence[int],
    *,
    image_shape: tuple[int, int],
    steps: int = 200,
    step_size: float,
    seed: int,
    batch_size: int,
) -> AscendedFilters:
    """Ascend the mean activation of each filter of a layer, starting from random noise.

    Activation maximization after Erhan et al. (2009, "Visualizing higher-layer features of a deep network"), who
    bound the norm of the image; here each image is brought back to zero mean and unit variance after each step, as the
    models see no others. The noise of filter f is drawn from (seed, f). An image therefore does not depend on
    the filters beside it, only, through rounding, on how many go together: many steps across the kinks of a network can
    amplify that.

    Args:
        model: Keras model of inputs (height, width, 1) or of as many pixels in one row.
        layer_name: the layer; of a final softmax the logits are ascended.
        filters: channels of the layer's output, or its units where it has no height and width.
        image_shape: (height, width).
        steps: how many steps are made.
        step_size: length of a step as root mean square over the pixels, in standard deviations of the image.
        seed: seed of the noise, 0 or more.
        batch_size: how many images ascend at a time, by one call a step; it bounds the memory.

    Returns:
        images: float32 (n, height, width), zero mean and unit variance; activations: float32 (n, steps + 1), before
        each step and after the last.

    Raises:
        InputError: the model has no such layer or filter, or Keras runs on another backend than TensorFlow.
    """
    output = _layer_output(model, layer_name)
    for index in filters:
        if not 0 <= index < output.shape[-1]:
            raise InputError(
                f"layer {layer_name!r} of model {model.name!r} has no filter {index}: choose from 0 to "
                f"{output.shape[-1] - 1}"
            )
    score_gradient = _mean_activation_gradient(model, output)
    filters = np.asarray(filters, dtype=np.int32)
    images = np.empty((len(filters), *image_shape), dtype=np.float32)
    activations = np.empty((len(filters), steps + 1), dtype=np.float32)
    reacts = np.empty(len(filters), dtype=bool)
    size = min(batch_size, len(filters))
    for start in range(0, len(filters), size):
        # A last batch that is short repeats the last filter, as another number of rows would be rounded otherwise.
        batch = np.minimum(np.arange(start, start + size), len(filters) - 1)
        ascended = np.stack([_standardize(_noise(seed, index, image_shape)) for index in filters[batch]])
        for step in range(steps + 1):
            scores, gradients = map(keras.ops.convert_to_numpy, score_gradient(ascended, filters[batch]))
            activations[batch, step] = scores
            if step < steps:
                ascended = _standardize(ascended + step_size * _scale(gradients))
        images[batch] = ascended
        reacts[batch] = gradients.any(axis=(1, 2))
    if not reacts.all():
        silent = ", ".join(map(str, filters[~reacts]))
        log.warning("layer %r: no gradient reaches the images of the filters %s; they show noise", layer_name, silent)
    return AscendedFilters(images, activations)


def _layer_output(model, layer_name: str):
    layer = find_layer(model, layer_name)
    if layer is model.layers[-1] and ends_in_softmax(layer):
        return logits_model(model).output
    return layer.output


def _mean_activation_gradient(model, output):
    part = keras.Model(model.input, output)
    space = tuple(range(1, len(output.shape) - 1))

    def score(images, filters):
        inputs = keras.ops.reshape(images, (-1, *model.input_shape[1:]))
        activations = keras.ops.cast(part(inputs, training=False), "float32")
        means = keras.ops.mean(activations, axis=space) if space else activations
        return keras.ops.take_along_axis(means, filters[:, None], axis=1)[:, 0]

    return native.value_and_gradient(score)


def _noise(seed: int, index: int, image_shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng([seed, index]).standard_normal(image_shape, dtype=np.float32)


def _standardize(images: np.ndarray) -> np.ndarray:
    return _scale(images - images.mean(axis=(-2, -1), keepdims=True))


def _scale(images: np.ndarray) -> np.ndarray:
    """Scale each image to a root mean square of 1; one of zeros, the gradient of a filter that never fires, stays."""
    size = np.sqrt(np.mean(np.square(images), axis=(-2, -1), keepdims=True))
    return np.divide(images, size, out=np.zeros_like(images), where=size > 0)
