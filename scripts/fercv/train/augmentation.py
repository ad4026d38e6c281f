"""Random variants of the training images, as Keras' ImageDataGenerator draws them.

The original report trained with that class. Keras keeps it only as deprecated code that moves one image at a time; here
a batch is moved at once by `keras.ops.image.affine_transform`, with the same parameters and the same matrices.
"""

import numpy as np

from fercv.engine.backend import keras


def draw_transforms(count, image_shape, ranges, rng):
    """Draw one affine map per image, from output to input coordinates (column, row, 1).

    As in ImageDataGenerator, a map is rotation, then shift, then shear, then zoom about the image's centre, and a
    mirrored image is mirrored last; each parameter is uniform in its range.

    Args:
        count: number of images, n.
        image_shape: (height, width) in pixels.
        ranges: `rotation` and `shear` in degrees; `height_shift` and `width_shift` as shares of the height and
            width; `zoom` as the largest deviation of the two scales from 1; `horizontal_flip`, true or false.
        rng: numpy Generator.

    Returns:
        float64 (n, 3, 3).
    """
    height, width = image_shape
    rotation, shear = (np.deg2rad(rng.uniform(-ranges[key], ranges[key], count)) for key in ("rotation", "shear"))
    row_shift = rng.uniform(-ranges["height_shift"], ranges["height_shift"], count) * height
    column_shift = rng.uniform(-ranges["width_shift"], ranges["width_shift"], count) * width
    row_zoom, column_zoom = rng.uniform(1 - ranges["zoom"], 1 + ranges["zoom"], (2, count))
    mirrored = (rng.random(count) < 0.5) & ranges["horizontal_flip"]

    zero, one = np.zeros(count), np.ones(count)

    def matrices(*entries):
        return np.stack(entries, axis=-1).reshape(count, 3, 3)

    cosine, sine = np.cos(rotation), np.sin(rotation)
    rotate = matrices(cosine, -sine, zero, sine, cosine, zero, zero, zero, one)
    shift = matrices(one, zero, column_shift, zero, one, row_shift, zero, zero, one)
    slant = matrices(one, -np.sin(shear), zero, zero, np.cos(shear), zero, zero, zero, one)
    zoom = matrices(column_zoom, zero, zero, zero, row_zoom, zero, zero, zero, one)
    mirror = matrices(np.where(mirrored, -1.0, 1.0), zero, zero, zero, one, zero, zero, zero, one)
    to_centre = np.array([[1, 0, width / 2 - 0.5], [0, 1, height / 2 - 0.5], [0, 0, 1]])
    return to_centre @ rotate @ shift @ slant @ zoom @ mirror @ np.linalg.inv(to_centre)


def transform_images(images, transforms):
    """Move each image by its affine map, with bilinear interpolation; pixels from outside repeat the nearest edge.

    Args:
        images: (n, height, width), any real dtype.
        transforms: (n, 3, 3) maps from output to input coordinates (column, row, 1).

    Returns:
        float32 (n, height, width).
    """
    # Keras takes the first two rows of each matrix, and two zeros of a projection that we don't use.
    flat = np.zeros((len(transforms), 8), np.float32)
    flat[:, :6] = transforms[:, :2].reshape(-1, 6)
    # The processor does this for the next batch while the GPU computes the step of the current one.
    with keras.device("cpu:0"):
        moved = keras.ops.image.affine_transform(
            np.asarray(images, np.float32)[..., np.newaxis], flat, interpolation="bilinear", fill_mode="nearest"
        )
    return keras.ops.convert_to_numpy(moved)[..., 0]


def augment(images, ranges, rng):
    """A random variant of each image.

    Args:
        images: (n, height, width), any real dtype.
        ranges: see `draw_transforms`; if every range is zero, the images are returned as they are.
        rng: numpy Generator.

    Returns:
        float32 (n, height, width).
    """
    if not any(ranges.values()):
        return np.asarray(images, np.float32)
    return transform_images(images, draw_transforms(len(images), images.shape[1:], ranges, rng))
