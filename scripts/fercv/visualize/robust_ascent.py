"""Robust gradient ascent: images that activate a filter also if they are shifted, turned or scaled a little.

Plain ascent in the space of pixels finds fine patterns that no photograph has. Here an image is made of waves, whose
amplitudes are ascended. Slow waves have larger steps than fast ones (Olah et al. 2017, "Feature visualization",
https://distill.pub/2017/feature-visualization, which calls it preconditioning). The sum of the waves goes through a
sigmoid, so that it becomes grey values from 0 to 1, and these are standardized as photographs are. In each step the
image is shifted, turned and scaled at random before the model sees it.

Everything but the model's own gradient is computed with NumPy, so that all backends of Keras do the same.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse, special

from fercv.engine.backend import keras
from fercv.visualize.filters import AscendedFilters, ascend_in_batches, centred, unit_rms

# A start becomes grey values of this contrast around the middle grey, cut off before the ends of the sigmoid.
START_CONTRAST = 0.2
START_RANGE = (0.02, 0.98)
# As in `preprocessing.standardize`, where grey values are from 0 to 255: an image of one grey is not blown up.
LEAST_DEVIATION = 1e-3 / 255


class Distortion(NamedTuple):
    """How far an image may be distorted at random in each step; all draws are uniform.

    shift: pixels to either side.
    rotation: degrees to either side.
    zoom: largest deviation of the scale from 1.
    """

    shift: float
    rotation: float
    zoom: float


def ascend_robustly(
    model,
    layer_name: str,
    filters: Sequence[int],
    starts: np.ndarray,
    *,
    steps: int,
    step_size: float,
    distortion: Distortion,
    seed: int,
    batch_size: int,
) -> AscendedFilters:
    """Ascend the mean activation of each filter of a layer over the amplitudes of waves, under random distortions.

    Args:
        model: Keras model of inputs (height, width, 1) or of as many pixels in one row.
        layer_name: the layer; of a final softmax the logits are ascended.
        filters: n channels of the layer's output, or its units where it has no height and width.
        starts: float32 (n, height, width), standardized: what each image starts from. Zeros are grey.
        steps: how many steps are made.
        step_size: length of a step as root mean square over the amplitudes.
        distortion: how far the images are distorted. In one step, all of them are distorted alike.
        seed: seed of the distortions, 0 or more.
        batch_size: how many images ascend together at most; it bounds the memory.

    Returns:
        images: float32 (n, height, width), zero mean and unit variance; activations: float32 (n, steps + 1), those of
        the distorted images before each step, then those of the images themselves.

    Raises:
        InputError: the model has no such layer or filter.
    """

    def ascend(score_gradient, images, filters):
        height, width = images.shape[1:]
        rows, columns, reach = hartley_waves(height), hartley_waves(width), reach_of_waves(height, width)
        generator = np.random.default_rng(seed)
        grey = np.clip(0.5 + START_CONTRAST * images, *START_RANGE)
        amplitudes = rows @ special.logit(grey).astype(np.float32) @ columns / reach
        activations = []
        for _ in range(steps):
            grey = special.expit(rows @ (amplitudes * reach) @ columns)
            shown, deviation = _standardized(grey)
            resampling = resampling_matrix((height, width), *_draw(distortion, generator))
            distorted = _apply(resampling, shown)
            scores, gradients = map(keras.ops.convert_to_numpy, score_gradient(distorted, filters))
            activations.append(scores)
            # Backwards through each step above: resampling, standardizing, sigmoid, waves.
            gradients = _apply(resampling.T, gradients)
            projection = np.mean(gradients * shown, axis=(1, 2), keepdims=True)
            gradients = (centred(gradients) - shown * projection) / deviation
            gradients = reach * (rows @ (gradients * grey * (1 - grey)) @ columns)
            amplitudes = amplitudes + step_size * unit_rms(gradients)
        shown, _ = _standardized(special.expit(rows @ (amplitudes * reach) @ columns))
        scores, gradients = map(keras.ops.convert_to_numpy, score_gradient(shown, filters))
        return shown, np.stack([*activations, scores], axis=1), gradients.any(axis=(1, 2))

    return ascend_in_batches(model, layer_name, filters, starts, batch_size, ascend)


def hartley_waves(length: int) -> np.ndarray:
    """The discrete Hartley transform of a length: the Fourier transform with real amplitudes.

    Row k is the wave cos + sin of k periods. The matrix is symmetric and its own inverse (Bracewell 1983).

    Returns:
        float32 (length, length).
    """
    angles = 2 * np.pi * np.outer(np.arange(length), np.arange(length)) / length
    return ((np.cos(angles) + np.sin(angles)) / np.sqrt(length)).astype(np.float32)


def reach_of_waves(height: int, width: int) -> np.ndarray:
    """How strongly each wave shows for an amplitude of 1: inversely to its frequency, as in photographs.

    Returns:
        float32 (height, width), with a root mean square of 1. The constant wave counts as the slowest one.
    """
    frequencies = spatial_frequencies(height, width)
    reach = 1 / np.maximum(frequencies, 1 / max(height, width))
    return (reach / np.sqrt(np.mean(reach**2))).astype(np.float32)


def spatial_frequencies(height: int, width: int) -> np.ndarray:
    """Frequency of each wave in periods per pixel: float64 (height, width), in the order of NumPy's `fft2`."""
    return np.hypot(np.fft.fftfreq(height)[:, np.newaxis], np.fft.fftfreq(width))


def resampling_matrix(
    image_shape: tuple[int, int], down: float, right: float, angle: float, scale: float
) -> sparse.csr_array:
    """The matrix that distorts an image about its centre. Between pixels it interpolates bilinearly.

    Args:
        image_shape: (height, width), each 2 or more.
        down: shift of what the image shows, in pixels.
        right: likewise.
        angle: rotation, clockwise, in degrees.
        scale: enlargement of what the image shows.

    Returns:
        float32 (height x width, height x width): it takes the pixels of an image, row by row, to those of the distorted
        image. Beyond its border an image goes on with the pixels of the border.
    """
    height, width = image_shape
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    rows, columns = rows - (height - 1) / 2 - down, columns - (width - 1) / 2 - right
    cosine, sine = np.cos(np.radians(angle)) / scale, np.sin(np.radians(angle)) / scale
    # Where each pixel of the distorted image lies in the given one.
    y = np.clip(cosine * rows - sine * columns + (height - 1) / 2, 0, height - 1)
    x = np.clip(sine * rows + cosine * columns + (width - 1) / 2, 0, width - 1)
    top, left = (np.minimum(np.floor(place), last - 1).astype(int) for place, last in ((y, height - 1), (x, width - 1)))
    below, beside = y - top, x - left
    corners = [
        ((1 - below) * (1 - beside), top * width + left),
        ((1 - below) * beside, top * width + left + 1),
        (below * (1 - beside), (top + 1) * width + left),
        (below * beside, (top + 1) * width + left + 1),
    ]
    weights = np.concatenate([weight.ravel() for weight, _ in corners]).astype(np.float32)
    sources = np.concatenate([source.ravel() for _, source in corners])
    pixels = np.tile(np.arange(height * width), len(corners))
    return sparse.csr_array((weights, (pixels, sources)), shape=(height * width, height * width))


def _draw(distortion: Distortion, generator: np.random.Generator) -> tuple[float, float, float, float]:
    """Arguments of `resampling_matrix` that are drawn within a distortion."""
    down, right, angle, scale = generator.uniform(-1, 1, 4)
    return (
        distortion.shift * down,
        distortion.shift * right,
        distortion.rotation * angle,
        1 + distortion.zoom * scale,
    )


def _standardized(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standardize grey values from 0 to 1, (n, height, width); return them and the deviations, (n, 1, 1)."""
    deviation = np.maximum(grey.std(axis=(1, 2), keepdims=True), LEAST_DEVIATION)
    return centred(grey) / deviation, deviation


def _apply(matrix: sparse.sparray, images: np.ndarray) -> np.ndarray:
    """Multiply the pixels of each image, (n, height, width), by a matrix."""
    return np.ascontiguousarray((matrix @ images.reshape(len(images), -1).T).T).reshape(images.shape)
