import numpy as np
import pytest
from scipy import special

from fercv.engine.backend import keras
from fercv.visualize.filters import centred, noise_images, unit_rms
from fercv.visualize.robust_ascent import Distortion, ascend_robustly, hartley_waves, reach_of_waves, resampling_matrix
from fercv.workflow.errors import InputError

SHAPE = (8, 6)
layers = keras.layers
STILL = Distortion(shift=0, rotation=0, zoom=0)
SETTINGS = {"steps": 40, "step_size": 0.1, "distortion": STILL, "seed": 5, "batch_size": 8}


def make_linear_model():
    inputs = layers.Input((*SHAPE, 1))
    model = keras.Model(inputs, layers.Dense(4, activation="softmax", name="predictions")(layers.Flatten()(inputs)))
    weights = np.random.default_rng(0).normal(size=(48, 4)).astype(np.float32)
    model.get_layer("predictions").set_weights([weights, np.zeros(4, dtype=np.float32)])
    return model, weights.T.reshape(4, *SHAPE)


def starts_of(filters):
    return unit_rms(centred(noise_images(3, filters, SHAPE)))


@pytest.mark.parametrize("length", [1, 5, 8])
def test_the_hartley_transform_is_its_own_inverse_and_has_the_amplitudes_of_fourier(length):
    waves = hartley_waves(length)
    np.testing.assert_allclose(waves @ waves, np.eye(length), atol=1e-6)
    signal = np.random.default_rng(length).normal(size=length)
    fourier = np.fft.fft(signal) / np.sqrt(length)
    np.testing.assert_allclose(waves @ signal, fourier.real - fourier.imag, atol=1e-5)


def test_a_wave_of_twice_the_frequency_reaches_half_as_far():
    reach = reach_of_waves(16, 12)
    assert reach.shape == (16, 12)
    np.testing.assert_allclose(np.sqrt(np.mean(reach**2)), 1, rtol=1e-5)
    np.testing.assert_allclose(reach[1, 0] / reach[2, 0], 2, rtol=1e-5)
    np.testing.assert_allclose(reach[3], reach[-3])
    assert reach[0, 0] == reach[1, 0] == reach.max()


def distorted(image, **changes):
    arguments = {"down": 0.0, "right": 0.0, "angle": 0.0, "scale": 1.0} | changes
    return (resampling_matrix(image.shape, **arguments) @ image.ravel()).reshape(image.shape)


def test_shifts_turns_and_scales_do_what_they_say():
    image = np.random.default_rng(1).normal(size=(9, 9)).astype(np.float32)
    np.testing.assert_allclose(distorted(image), image, atol=1e-6)
    np.testing.assert_allclose(distorted(image, down=2.0)[2:], image[:-2], atol=1e-6)
    np.testing.assert_allclose(distorted(image, right=1.0)[:, 1:], image[:, :-1], atol=1e-6)
    np.testing.assert_allclose(distorted(image, right=0.5)[:, 1:], (image[:, 1:] + image[:, :-1]) / 2, atol=1e-6)
    np.testing.assert_allclose(distorted(image, angle=90.0), np.rot90(image, -1), atol=1e-5)
    enlarged = distorted(image, scale=2.0)
    np.testing.assert_allclose(enlarged[::2, ::2], image[2:7, 2:7], atol=1e-6)


def test_beyond_its_border_an_image_goes_on():
    image = np.arange(20, dtype=np.float32).reshape(4, 5)
    np.testing.assert_allclose(distorted(image, down=3.0)[:4], np.tile(image[0], (4, 1)), atol=1e-6)
    np.testing.assert_allclose(distorted(np.ones((4, 5)), angle=33.0, scale=0.6, down=1.7), 1, atol=1e-6)


@pytest.mark.parametrize("start", ["noise", "grey"])
@pytest.mark.parametrize("distortion", [STILL, Distortion(shift=2, rotation=20, zoom=0.3)])
def test_a_step_follows_the_difference_quotients_of_the_activation(start, distortion):
    """The whole chain is computed here in float64: waves, sigmoid, standardizing, distortion."""
    model, weights = make_linear_model()
    filters = [2, 0]
    starts = starts_of(filters) if start == "noise" else np.zeros((2, *SHAPE), np.float32)
    down, right, angle, scale = np.random.default_rng(5).uniform(-1, 1, 4)
    resampling = resampling_matrix(
        SHAPE, distortion.shift * down, distortion.shift * right, distortion.rotation * angle,
        1 + distortion.zoom * scale,
    )  # fmt: skip
    rows, columns, reach = (each.astype(float) for each in (*map(hartley_waves, SHAPE), reach_of_waves(*SHAPE)))

    def image_of(amplitudes):
        grey = special.expit(rows @ (amplitudes * reach) @ columns)
        return (grey - grey.mean()) / max(grey.std(), 1e-3 / 255)

    def activation(amplitudes, weights):
        return np.sum(weights.ravel() * (resampling @ image_of(amplitudes).ravel()))

    found = ascend_robustly(model, "predictions", filters, starts, **SETTINGS | {"steps": 1, "distortion": distortion})
    for number, (one, given) in enumerate(zip(filters, starts, strict=True)):
        grey = np.clip(0.5 + 0.2 * given.astype(float), 0.02, 0.98)
        amplitudes = rows @ special.logit(grey) @ columns / reach
        gradient, step = np.empty(SHAPE), 1e-7
        for place in np.ndindex(SHAPE):
            move = np.zeros(SHAPE)
            move[place] = step
            above, below = (activation(amplitudes + sign * move, weights[one]) for sign in (1, -1))
            gradient[place] = (above - below) / (2 * step)
        expected = image_of(amplitudes + 0.1 * gradient / np.sqrt(np.mean(gradient**2)))
        np.testing.assert_allclose(found.images[number], expected, atol=2e-3)
        first, last = found.activations[number]
        assert first == pytest.approx(activation(amplitudes, weights[one]), abs=1e-3)
        assert last == pytest.approx(np.sum(weights[one] * found.images[number]), abs=1e-3)


def test_images_are_standardized_and_more_active_than_their_starts_from_wherever_they_start():
    model, weights = make_linear_model()
    filters = [0, 1, 2, 3, 1]
    starts = np.concatenate([starts_of([0, 1, 2, 3]), np.zeros((1, *SHAPE), np.float32)])
    distortion = Distortion(shift=1, rotation=5, zoom=0.05)
    images, activations = ascend_robustly(
        model, "predictions", filters, starts, **SETTINGS | {"distortion": distortion}
    )
    assert images.dtype == np.float32
    assert activations.shape == (5, 41)
    np.testing.assert_allclose(images.mean(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(images.std(axis=(1, 2)), 1, atol=1e-4)
    before = np.sum(weights[filters] * starts, axis=(1, 2))
    assert (activations[:, -1] > before + 5).all()


def test_batches_do_not_matter_and_the_seed_does():
    model, _ = make_linear_model()
    filters, distortion = [0, 1, 2], Distortion(shift=2, rotation=10, zoom=0.1)

    def ascended(**other):
        settings = SETTINGS | {"steps": 5, "distortion": distortion} | other
        return ascend_robustly(model, "predictions", filters, starts_of(filters), **settings).images

    first = ascended()
    np.testing.assert_array_equal(first, ascended())
    np.testing.assert_allclose(first, ascended(batch_size=2), atol=1e-4)
    assert np.abs(first - ascended(seed=6)).max() > 0.1


def test_a_filter_that_never_fires_keeps_its_start_and_is_named_once(caplog):
    inputs = layers.Input((*SHAPE, 1))
    model = keras.Model(inputs, layers.Conv2D(2, 1, activation="relu", name="dead", kernel_initializer="zeros")(inputs))
    (image, grey), _ = ascend_robustly(
        model, "dead", [1, 1], np.stack([starts_of([1])[0], np.zeros(SHAPE, np.float32)]), **SETTINGS
    )
    assert np.corrcoef(image.ravel(), starts_of([1]).ravel())[0, 1] > 0.95
    assert not grey.any()
    (said,) = [record.getMessage() for record in caplog.records if record.name == "fercv"]
    assert said == "layer 'dead': no gradient reaches the images of the filters 1; they stay as they began"


def test_a_mistyped_layer_is_refused():
    model, _ = make_linear_model()
    with pytest.raises(InputError, match="did you mean 'predictions'"):
        ascend_robustly(model, "prediction", [0], starts_of([0]), **SETTINGS)
