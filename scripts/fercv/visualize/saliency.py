"""Saliency: which pixels of an image the score of a class reacts to.

The score is the class's logit. A map of a method is signed: where it is positive, the pixel speaks for the class, or
making it brighter would raise the score. The heat of a map is what pictures show by brightness, see `heat_of`.
"""

import contextlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fercv.engine.backend import keras, native
from fercv.nets.models import logits_model
from fercv.workflow.errors import InputError

# Grad-CAM takes by itself a layer whose maps have at least so many rows and columns: on fewer, it tells few places
# apart.
SMALLEST_MAP = 6


class Settings(NamedTuple):
    """How maps are computed.

    batch_size: how many images are computed together at most; it bounds the memory.
    samples: noisy copies of an image, for SmoothGrad.
    noise: standard deviation of this noise, as a share of the image's range.
    steps: points on the way to the image, for integrated gradients.
    seed: of the noise, 0 or more.
    """

    batch_size: int
    samples: int = 25
    noise: float = 0.15
    steps: int = 32
    seed: int = 0


class Explained(NamedTuple):
    """A model, and the compiled functions that maps of it need. They see it if its weights change.

    model: the Keras model.
    score_gradient: what `class_score_gradient` returns.
    activations: Keras model of the same inputs that gives the output of Grad-CAM's layer; None if there is none.
    activation_gradient: a function of (activations (n, rows, columns, channels), classes int (n,)) that returns (logits
        (n,), gradients with respect to the activations); None if there is no layer for Grad-CAM.
    """

    model: object
    score_gradient: Callable
    activations: object = None
    activation_gradient: Callable | None = None


def explain(model, grad_cam_layer: str | None = None) -> Explained:
    """Compile what the maps of a model need.

    Args:
        model: Keras model as in `logits_model`, of inputs (height, width, 1) or of as many pixels in one row.
        grad_cam_layer: layer for Grad-CAM. None takes the last one that has maps of at least 6 x 6 pixels and is on
            every way from the image to the scores. Of a model without such a layer, or without a layer of the given
            name, there is no Grad-CAM.

    Raises:
        InputError: the model ends in no softmax, or Grad-CAM cannot use the layer.
    """
    score_gradient, logits = class_score_gradient(model), logits_model(model)
    layer, above = _split(model, logits, grad_cam_layer)
    if above is None:
        return Explained(model, score_gradient)

    def score(activations, classes):
        return _scores_of(above(activations, training=False), classes)

    below = keras.Model(model.input, layer.output)
    return Explained(model, score_gradient, below, native.value_and_gradient(score, model.variables))


def _split(model, logits, layer_name: str | None):
    """The layer for Grad-CAM, and the model from its output to the logits; two times None if there is none."""
    if layer_name is None:
        candidates = [layer for layer in reversed(model.layers[1:]) if _has_maps(layer, SMALLEST_MAP)]
    else:
        candidates = [layer for layer in model.layers if layer.name == layer_name]
    for layer in candidates:
        # Keras refuses a model whose outputs need other inputs, too.
        with contextlib.suppress(ValueError):
            if _has_maps(layer, 1):
                return layer, keras.Model(layer.output, logits.output)
        if layer_name is not None:
            raise InputError(
                f"saliency.grad_cam_layer is {layer_name!r}, but in model {model.name!r} this layer has no maps of "
                "rows and columns, or there is a way around it; choose another layer, or null"
            )
    return None, None


def _has_maps(layer, smallest: int) -> bool:
    """Whether a layer gives maps of at least so many rows and columns."""
    shape = layer.output.shape
    return len(shape) == 4 and min(shape[1:3]) >= smallest


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
        return _scores_of(logits(inputs, training=False), classes)

    return native.value_and_gradient(score, model.variables)


def _scores_of(logits, classes):
    scores = keras.ops.cast(logits, "float32")
    return keras.ops.take_along_axis(scores, classes[:, None], axis=1)[:, 0]


def gradient(explained: Explained, images: np.ndarray, classes: np.ndarray, settings: Settings) -> np.ndarray:
    """The gradient of the class's logit: Simonyan et al. (2014, arXiv:1312.6034, section 3).

    Args, and what is returned: see `saliency_maps`.
    """
    maps = np.empty(images.shape[:3], dtype=np.float32)
    for batch in _batches(len(images), settings.batch_size):
        _, gradients = explained.score_gradient(images[batch], classes[batch])
        maps[batch] = keras.ops.convert_to_numpy(gradients)[..., 0]
    return maps


def smooth_grad(explained: Explained, images: np.ndarray, classes: np.ndarray, settings: Settings) -> np.ndarray:
    """SmoothGrad: the mean gradient of noisy copies of the image. Smilkov et al. (2017, arXiv:1706.03825).

    All images get the same noise, each in proportion to its range. So a map does not depend on the other images, and
    maps of several models differ by the models alone.

    Args, and what is returned: see `saliency_maps`.
    """
    ranges = images.max(axis=(1, 2, 3), keepdims=True) - images.min(axis=(1, 2, 3), keepdims=True)
    generator = np.random.default_rng(settings.seed)
    maps = np.zeros(images.shape[:3], dtype=np.float32)
    for _ in range(settings.samples):
        noise = generator.standard_normal(images.shape[1:], dtype=np.float32)
        maps += gradient(explained, images + np.float32(settings.noise) * ranges * noise, classes, settings)
    return maps / settings.samples


def integrated_gradients(
    explained: Explained, images: np.ndarray, classes: np.ndarray, settings: Settings
) -> np.ndarray:
    """Integrated gradients from an image of one grey: Sundararajan et al. (2017, arXiv:1703.01365).

    A standardized image of one grey is zero everywhere. The values of a map sum up to the logit of the image minus that
    of the grey image, as nearly as `steps` points give the integral (by the midpoint rule).

    Args, and what is returned: see `saliency_maps`.
    """
    mean = np.zeros(images.shape[:3], dtype=np.float32)
    for share in (np.arange(settings.steps, dtype=np.float32) + 0.5) / settings.steps:
        mean += gradient(explained, share * images, classes, settings) / settings.steps
    return mean * images[..., 0]


def grad_cam(explained: Explained, images: np.ndarray, classes: np.ndarray, settings: Settings) -> np.ndarray:
    """Grad-CAM: a layer's maps, weighted by the logit's mean gradient. Selvaraju et al. (2017, arXiv:1610.02391).

    The paper sets negative values to zero; here `heat_of` does. The map is enlarged to the image bilinearly.

    Args, and what is returned: see `saliency_maps`.
    """
    maps = np.empty(images.shape[:3], dtype=np.float32)
    for batch in _batches(len(images), settings.batch_size):
        inputs = images[batch].reshape(-1, *explained.model.input_shape[1:])
        activations = keras.ops.convert_to_numpy(explained.activations.predict_on_batch(inputs))
        _, gradients = explained.activation_gradient(activations, classes[batch])
        weights = keras.ops.convert_to_numpy(gradients).mean(axis=(1, 2), keepdims=True)
        coarse = (weights * activations).sum(axis=3, keepdims=True)
        maps[batch] = keras.ops.convert_to_numpy(keras.ops.image.resize(coarse, images.shape[1:3]))[..., 0]
    return maps


FUNCTIONS = {
    "gradient": gradient,
    "smooth_grad": smooth_grad,
    "integrated_gradients": integrated_gradients,
    "grad_cam": grad_cam,
}


def possible_methods(explained: Explained, methods) -> list[str]:
    """Those of the methods that the model allows: Grad-CAM needs a layer with maps of rows and columns."""
    return [method for method in methods if method != "grad_cam" or explained.activations is not None]


def saliency_maps(
    method: str, explained: Explained, images: np.ndarray, classes: np.ndarray, settings: Settings
) -> np.ndarray:
    """Compute the signed map of a class in each image.

    Args:
        method: a key of `FUNCTIONS` that `possible_methods` gives.
        explained: what `explain` returns.
        images: float32 (n, height, width, 1), standardized as `preprocessing.standardize` does.
        classes: int (n,), the class whose logit is meant, usually the predicted one.
        settings: see `Settings`.

    Returns:
        float32 (n, height, width). Gradients are in logits per standard deviation of the image, integrated gradients
        in logits, and Grad-CAM has no unit.
    """
    return FUNCTIONS[method](explained, images, classes, settings)


def heat_of(method: str, maps: np.ndarray) -> np.ndarray:
    """The heat of signed maps: how much a pixel matters, whatever its sign; for Grad-CAM, what speaks for the class.

    Args:
        method: that made the maps.
        maps: float (..., height, width).

    Returns:
        Of the same type and shape, divided by its maximum in each image, so from 0 to 1; zeros where there is no heat.
    """
    heat = np.maximum(maps, 0) if method == "grad_cam" else np.abs(maps)
    maximum = heat.max(axis=(-2, -1), keepdims=True)
    return np.divide(heat, maximum, out=np.zeros_like(heat), where=maximum > 0)


def sums_by_class(values: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """The sum over the images of each class.

    Args:
        values: (n, height, width).
        labels: int (n,).
        classes: number of classes.

    Returns:
        float64 (classes, height, width).
    """
    sums = np.zeros((classes, *values.shape[1:]))
    np.add.at(sums, labels, values)
    return sums


def relative_heat(heat: np.ndarray) -> np.ndarray:
    """Heat as a multiple of its mean over the image, so that all images count the same in a mean over images.

    Args:
        heat: float (n, height, width), not negative.

    Returns:
        float32 (n, height, width), of mean 1 in each image; 1 everywhere where there is no heat.
    """
    mean = heat.mean(axis=(1, 2), keepdims=True, dtype=np.float64)
    return np.divide(heat, mean, out=np.ones(heat.shape), where=mean > 0).astype(np.float32)


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


def _batches(number: int, size: int):
    return [slice(start, start + size) for start in range(0, number, size)]
