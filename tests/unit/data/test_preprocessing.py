import numpy as np
import pytest

from fercv.data.preprocessing import model_inputs, standardize

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 6)).astype(np.uint8)


def test_each_image_has_zero_mean_and_unit_variance_of_its_own():
    images = standardize(IMAGES)
    assert images.shape == (3, 8, 6, 1)
    assert images.dtype == np.float32
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(images.std(axis=(1, 2, 3)), 1, rtol=1e-5)
    np.testing.assert_array_equal(standardize(IMAGES[1:2])[0], images[1])
    np.testing.assert_allclose(standardize(IMAGES / 255), images, atol=1e-5)


@pytest.mark.parametrize("grey", [0, 77, 255])
def test_an_image_of_one_grey_becomes_zeros(grey):
    np.testing.assert_array_equal(standardize(np.full((1, 48, 48), grey, np.uint8)), np.zeros((1, 48, 48, 1)))


def test_rounding_errors_in_an_image_of_one_grey_do_not_become_a_pattern():
    errors = np.random.default_rng(1).normal(0, 1e-5, (1, 48, 48))
    assert abs(standardize(100 + errors)).max() < 0.1


def test_inputs_have_the_shape_that_the_model_takes():
    assert model_inputs(IMAGES, (8, 6, 1)).shape == (3, 8, 6, 1)
    rows = model_inputs(IMAGES, (48,))
    np.testing.assert_array_equal(rows, standardize(IMAGES).reshape(3, 48))
