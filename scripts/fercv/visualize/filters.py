"""Gradient ascent in image space: for each filter of a layer an image that activates it strongly."""

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
    starts: np.ndarray | None = None,
) -> AscendedFilters:
    """Ascend the mean activation of each filter of a layer, starting from random noise or from given images.

    Activation maximization after Erhan et al. (2009, "Visualizing higher-layer features of a deep network"), who
    bound the norm of the image. Here each image is brought back to zero mean and unit variance after each step, because
    the models see only such images. The noise of filter f is drawn from (seed, f), so an image does not depend on the
    other filters. Through rounding it depends a little on how many images ascend together, and many steps can amplify
    that.

    Args:
        model: Keras model of inputs (height, width, 1) or of as many pixels in one row.
        layer_name: the layer; of a final softmax the logits are ascended.
        filters: n channels of the layer's output, or its units where it has no height and width.
        image_shape: (height, width).
        steps: how many steps are made.
        step_size: length of a step as root mean square over the pixels, in standard deviations of the image.
        seed: seed of the noise, 0 or more.
        batch_size: how many images ascend together at most; it bounds the memory.
        starts: float32 (n, height, width), one image for each of the filters to start from, instead of the noise.

    Returns:
        images: float32 (n, height, width), zero mean and unit variance; activations: float32 (n, steps + 1), before
        each step and after the last.

    Raises:
        InputError: the model has no such layer or filter.
    """
    refuse_missing_filters(model, layer_name, filters)
    starts = noise_images(seed, filters, image_shape) if starts is None else starts
    return ascend_in_batches(
        model, layer_name, filters, starts, batch_size, lambda *batch: _ascend(*batch, steps, step_size)
    )


def ascend_in_batches(
    model, layer_name: str, filters: Sequence[int], starts: np.ndarray, batch_size: int, ascend
) -> AscendedFilters:
    """Ascend one image for each filter by some method, batch by batch.

    Args:
        model: as for `ascend_filters`.
        layer_name: as for `ascend_filters`.
        filters: as for `ascend_filters`.
        starts: float32 (n, height, width), the images to start from.
        batch_size: as for `ascend_filters`.
        ascend: function of (score gradient as `native.value_and_gradient` returns it, images, filters) of a batch. It
            returns images, activations over the steps, and whether the last gradient of each image was not zero.

    Raises:
        InputError: the model has no such layer or filter.
    """
    refuse_missing_filters(model, layer_name, filters)
    score_gradient = _mean_activation_gradient(model, scored_output(model, layer_name))
    filters = np.asarray(filters, dtype=np.int32)
    size = min(batch_size, len(filters))
    batches = []
    for start in range(0, len(filters), size):
        # A short last batch repeats the last image: a batch of another size would be rounded differently.
        batch = np.minimum(np.arange(start, start + size), len(filters) - 1)
        batches.append(ascend(score_gradient, starts[batch], filters[batch]))
    images, activations, reacts = (np.concatenate(parts)[: len(filters)] for parts in zip(*batches, strict=True))
    if not reacts.all():
        silent = ", ".join(map(str, dict.fromkeys(filters[~reacts].tolist())))
        text = "layer %r: no gradient reaches the images of the filters %s; they stay as they began"
        log.warning(text, layer_name, silent)
    return AscendedFilters(images, activations)


def _ascend(score_gradient, images: np.ndarray, filters: np.ndarray, steps: int, step_size: float):
    """Ascend a batch of images; return them, their activations, and whether the last gradient of each was not zero."""
    images, activations = unit_rms(centred(images)), []
    for step in range(steps + 1):
        scores, gradients = map(keras.ops.convert_to_numpy, score_gradient(images, filters))
        activations.append(scores)
        if step < steps:
            images = unit_rms(centred(images + step_size * unit_rms(gradients)))
    return images, np.stack(activations, axis=1), gradients.any(axis=(1, 2))


def refuse_missing_filters(model, layer_name: str, filters: Sequence[int]) -> None:
    """Refuse filters that a layer does not have.

    Raises:
        InputError: the model has no such layer or filter.
    """
    number = scored_output(model, layer_name).shape[-1]
    for index in filters:
        if not 0 <= index < number:
            raise InputError(
                f"layer {layer_name!r} of model {model.name!r} has no filter {index}: choose from 0 to {number - 1}"
            )


def scored_output(model, layer_name: str):
    """The output of a layer, as a symbolic tensor: of a final softmax the logits.

    Raises:
        InputError: the model has no such layer.
    """
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


def noise_images(seed: int, filters: Sequence[int], image_shape: tuple[int, int]) -> np.ndarray:
    """White noise for each filter, drawn from (seed, filter): float32 (n, height, width)."""
    noise = [np.random.default_rng([seed, index]).standard_normal(image_shape, np.float32) for index in filters]
    return np.stack(noise)


def centred(images: np.ndarray) -> np.ndarray:
    """Subtract from each image its mean; float32 (n, height, width) to the same. An image of one grey becomes zeros."""
    return images - images.mean(axis=(-2, -1), keepdims=True)


def unit_rms(images: np.ndarray) -> np.ndarray:
    """Scale each image to a root mean square of 1; float32 (n, height, width) to the same.

    An image of zeros stays as it is: it is the gradient of a filter that reacts to nothing. Any other image is scaled,
    even a very faint one, because gradients can be very faint. `preprocessing.standardize` leaves a faint image faint:
    rounding errors in an image of one grey must not become a pattern.
    """
    size = np.sqrt(np.mean(np.square(images), axis=(-2, -1), keepdims=True))
    return np.divide(images, size, out=np.zeros_like(images), where=size > 0)
