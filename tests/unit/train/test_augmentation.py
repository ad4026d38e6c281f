import numpy as np
import pytest
from scipy.ndimage import affine_transform

from fercv.train.augmentation import augment, draw_transforms, transform_images

NOTHING = {"rotation": 0, "width_shift": 0, "height_shift": 0, "shear": 0, "zoom": 0, "horizontal_flip": False}


def faces(count=6, size=16):
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (count, size, size)).astype(np.uint8)


def draw(count=2000, size=(16, 16), **settings):
    return draw_transforms(count, size, NOTHING | settings, np.random.default_rng(3))


def test_no_ranges_leave_images_as_they_are():
    images = faces()
    same = augment(images, NOTHING, np.random.default_rng(0))
    assert same.dtype == np.float32
    np.testing.assert_array_equal(same, images)


def test_transforms_agree_with_scipy_as_imagedatagenerator_uses_it():
    images = faces()
    settings = {
        "rotation": 40,
        "width_shift": 0.2,
        "height_shift": 0.1,
        "shear": 20,
        "zoom": 0.3,
        "horizontal_flip": True,
    }
    transforms = draw_transforms(len(images), (16, 16), settings, np.random.default_rng(5))
    moved = transform_images(images, transforms)
    for image, transform, result in zip(images, transforms, moved, strict=True):
        # scipy counts (row, column).
        matrix = transform[[1, 0, 2]][:, [1, 0, 2]]
        expected = affine_transform(image.astype(float), matrix, order=1, mode="nearest")
        np.testing.assert_allclose(result, expected, atol=0.1)


def test_the_matrix_is_imagedatagenerators():
    # The old function takes the parameters themselves. `Given` makes draw_transforms build its matrix from them.
    legacy = pytest.importorskip("keras.src.legacy.preprocessing.image")
    image = faces(1, 15)[0].astype(float)
    rotation, row_shift, column_shift, shear, row_zoom, column_zoom = 25.0, 2.0, -3.0, 10.0, 1.2, 0.8
    expected = legacy.apply_affine_transform(
        image[..., None], rotation, column_shift, row_shift, shear, column_zoom, row_zoom,
        row_axis=0, col_axis=1, channel_axis=2, fill_mode="nearest", order=1,
    )[..., 0]  # fmt: skip

    class Given:
        """A generator that returns these parameters in the order in which draw_transforms asks for them."""

        values = iter([rotation, shear, row_shift / 15, column_shift / 15])

        def uniform(self, low, high, size):
            return np.array([[row_zoom], [column_zoom]]) if isinstance(size, tuple) else np.array([next(self.values)])

        def random(self, size):
            return np.array([0.9])

    transform = draw_transforms(1, (15, 15), NOTHING, Given())
    np.testing.assert_allclose(transform_images(image[None], transform)[0], expected, atol=0.05)


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


@pytest.mark.parametrize(
    ("settings", "entry", "limit"),
    [
        ({"rotation": 30}, (0, 1), np.sin(np.deg2rad(30))),
        ({"zoom": 0.2}, (0, 0), None),
        ({"height_shift": 0.25}, (1, 2), 0.25 * 16),
        ({"width_shift": 0.25}, (0, 2), 0.25 * 16),
    ],
)
def test_parameters_fill_their_range_and_no_more(settings, entry, limit):
    values = draw(**settings)[:, entry[0], entry[1]]
    low, high = (0.8, 1.2) if limit is None else (-limit, limit)
    assert low <= values.min() < low + 0.05 * (high - low)
    assert high - 0.05 * (high - low) < values.max() <= high


def test_the_same_generator_draws_the_same_images():
    settings = NOTHING | {"rotation": 10, "horizontal_flip": True}
    first, again, other = (augment(faces(), settings, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
