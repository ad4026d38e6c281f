from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from scipy.ndimage import affine_transform

from fercv.train.augmentation import augment, draw_transforms, transform_images

NOTHING = {"rotation": 0, "width_shift": 0, "height_shift": 0, "shear": 0, "zoom": 0, "horizontal_flip": False}


ALL = {
    "rotation": 40,
    "width_shift": 0.2,
    "height_shift": 0.1,
    "shear": 20,
    "zoom": 0.3,
    "horizontal_flip": True,
}


def faces(count=6, shape=(16, 16)):
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (count, *shape)).astype(np.uint8)


def test_no_ranges_leave_images_as_they_are():
    images = faces()
    same = augment(images, NOTHING, np.random.default_rng(0))
    assert same.dtype == np.float32
    np.testing.assert_array_equal(same, images)


def parameters_of(transform, shape):
    """The parameters of a map, under the names of ImageDataGenerator.

    The map is rotation, shift, shear, zoom and mirror about the centre, as long as no angle reaches 90 degrees. Its
    first column is then the rotation's, times the zoom, mirrored or not. Its second one is turned on by the shear.
    """
    height, width = shape
    centre = np.array([width / 2 - 0.5, height / 2 - 0.5])
    linear = transform[:2, :2]
    mirrored = linear[0, 0] < 0
    across, down = (-linear[:, 0] if mirrored else linear[:, 0]), linear[:, 1]
    rotation = np.arctan2(across[1], across[0])
    turn_back = np.array([[np.cos(rotation), np.sin(rotation)], [-np.sin(rotation), np.cos(rotation)]])
    column_shift, row_shift = turn_back @ (transform[:2, :2] @ centre + transform[:2, 2] - centre)
    return {
        "theta": np.rad2deg(rotation),
        "shear": np.rad2deg(np.arctan2(-down[0], down[1]) - rotation),
        "tx": column_shift,
        "ty": row_shift,
        "zx": np.hypot(*across),
        "zy": np.hypot(*down),
        "flip_horizontal": bool(mirrored),
    }


def test_pixels_are_those_of_imagedatagenerator():
    """They differ by rounding, up to a hundredth of a grey level, since ours is computed in float32.

    Only square images are compared. In others, Keras 3.15 takes the height for the width when it looks for the centre.
    """
    legacy = pytest.importorskip("keras.src.legacy.preprocessing.image")
    shape = (48, 48)
    images = faces(40, shape)
    transforms = draw_transforms(len(images), shape, ALL, np.random.default_rng(5))
    generator = legacy.ImageDataGenerator()
    for image, transform, moved in zip(images, transforms, transform_images(images, transforms), strict=True):
        expected = generator.apply_transform(image[..., None].astype(float), parameters_of(transform, shape))
        np.testing.assert_allclose(moved, expected[..., 0], rtol=0, atol=0.01)


def test_pixels_of_oblong_images_are_those_of_scipy():
    images = faces(10, (24, 40))
    transforms = draw_transforms(len(images), (24, 40), ALL, np.random.default_rng(5))
    moved = transform_images(images, transforms)
    for image, transform, result in zip(images, transforms, moved, strict=True):
        # scipy counts (row, column).
        matrix = transform[[1, 0, 2]][:, [1, 0, 2]]
        expected = affine_transform(image.astype(float), matrix, order=1, mode="nearest")
        np.testing.assert_allclose(result, expected, rtol=0, atol=0.01)


LIMITS = {
    "theta": (-40, 40),
    "shear": (-20, 20),
    "tx": (-0.2 * 56, 0.2 * 56),
    "ty": (-0.1 * 36, 0.1 * 36),
    "zx": (0.7, 1.3),
    "zy": (0.7, 1.3),
    "flip_horizontal": (0, 1),
}


def drawn(count):
    """Parameters drawn for oblong images, {name: one value for each image}."""
    transforms = draw_transforms(count, (36, 56), ALL, np.random.default_rng(3))
    parameters = [parameters_of(transform, (36, 56)) for transform in transforms]
    return {name: np.array([each[name] for each in parameters], dtype=float) for name in LIMITS}


def test_parameters_fill_their_ranges_evenly_and_independently_of_each_other():
    """They are drawn together. In another order of rotation, shift, shear and zoom, some would lie beyond the ranges.

    Shifts are shares of the height and the width, and the centre is the image's own, also if it is oblong.
    """
    found = drawn(2000)
    for name, (low, high) in LIMITS.items():
        values = found[name]
        assert low - 1e-9 <= values.min()
        assert values.max() <= high + 1e-9
        if name == "flip_horizontal":
            assert stats.binomtest(int(values.sum()), len(values)).pvalue > 0.01
        else:
            assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 0.01, name
    for one, other in combinations(LIMITS, 2):
        assert abs(np.corrcoef(found[one], found[other])[0, 1]) < 0.08, (one, other)


def test_parameters_are_distributed_as_imagedatagenerators():
    """Keras 3.15 draws tx from the range for the height, but moves columns by it, and ty the other way round.

    Here a height shift moves rows. So the two shifts are compared crosswise.
    """
    legacy = pytest.importorskip("keras.src.legacy.preprocessing.image")
    generator = legacy.ImageDataGenerator(
        rotation_range=40,
        width_shift_range=0.2,
        height_shift_range=0.1,
        shear_range=20,
        zoom_range=0.3,
        horizontal_flip=True,
    )
    theirs = [generator.get_random_transform((36, 56, 1), seed=seed) for seed in range(1000)]
    for name, values in drawn(1000).items():
        expected = [each[{"tx": "ty", "ty": "tx"}.get(name, name)] for each in theirs]
        assert stats.ks_2samp(values, expected).pvalue > 0.01, name


def test_a_shift_moves_the_image_and_repeats_the_edge():
    image = np.arange(25, dtype=np.float32).reshape(1, 5, 5)
    right = np.array([[[1, 0, -2], [0, 1, 0], [0, 0, 1]]], float)
    np.testing.assert_allclose(transform_images(image, right)[0], image[0][:, [0, 0, 0, 1, 2]], atol=1e-4)


def test_half_of_the_images_are_mirrored():
    images = np.tile(np.arange(8, dtype=np.uint8), (400, 8, 1))
    moved = augment(images, NOTHING | {"horizontal_flip": True}, np.random.default_rng(2))
    mirrored = (moved[:, 0, 0] > moved[:, 0, -1]).mean()
    assert 0.4 < mirrored < 0.6
    np.testing.assert_allclose(np.sort(moved, axis=2), images, atol=1e-4)


def test_the_same_generator_draws_the_same_images():
    settings = NOTHING | {"rotation": 10, "horizontal_flip": True}
    first, again, other = (augment(faces(), settings, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
