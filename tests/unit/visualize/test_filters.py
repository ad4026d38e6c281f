import numpy as np
import pytest
from differences import central_differences, in_float64, vary_normalizations

from fercv.engine.backend import keras
from fercv.nets.models import with_precision
from fercv.visualize.filters import ascend_filters, centred, unit_rms
from fercv.workflow.errors import InputError

SHAPE = (8, 6)
layers = keras.layers
SETTINGS = {"image_shape": SHAPE, "step_size": 0.1, "seed": 5, "batch_size": 8}


def standardized(image):
    return (image - image.mean()) / image.std()


def correlation(a, b):
    return np.corrcoef(np.ravel(a), np.ravel(b))[0, 1]


def make_linear_model(flat_input=False):
    inputs = layers.Input((48,) if flat_input else (*SHAPE, 1))
    x = inputs if flat_input else layers.Flatten()(inputs)
    model = keras.Model(inputs, layers.Dense(4, activation="softmax", name="predictions")(x))
    weights = np.random.default_rng(0).normal(size=(48, 4)).astype(np.float32)
    model.get_layer("predictions").set_weights([weights, np.zeros(4, dtype=np.float32)])
    return model, weights


def make_convolution_model():
    keras.utils.set_random_seed(1)
    inputs = layers.Input((*SHAPE, 1))
    x = layers.Conv2D(5, 3, padding="same", name="convolution")(inputs)
    x = layers.LeakyReLU(name="leaky")(x)
    x = layers.BatchNormalization(name="normalization")(x)
    x = layers.Conv2D(3, 3, name="deeper")(x)
    outputs = layers.Dense(2, activation="softmax")(layers.Flatten()(x))
    return keras.Model(inputs, outputs)


@pytest.mark.parametrize("flat_input", [False, True])
def test_units_of_a_linear_layer_converge_to_their_weights(flat_input):
    model, weights = make_linear_model(flat_input)
    images, activations = ascend_filters(model, "predictions", [3, 1], **SETTINGS)
    assert images.shape == (2, *SHAPE)
    assert activations.shape == (2, 201)
    assert images.dtype == activations.dtype == np.float32
    for image, unit in zip(images, [3, 1], strict=True):
        assert correlation(image, weights[:, unit]) > 0.999
    # The optimum over standardized images is the standardized weights' own activation.
    best = [standardized(weights[:, unit]) @ weights[:, unit] for unit in [3, 1]]
    np.testing.assert_allclose(activations[:, -1], best, rtol=1e-3)


def test_mean_activation_of_a_convolution_converges_to_its_optimum():
    model = make_convolution_model()
    kernel = model.get_layer("convolution").get_weights()[0][:, :, 0, 2]
    # The mean over the map is linear in the image: a pixel counts with the kernel entries that reach it inside the map.
    reach = np.zeros(SHAPE)
    for row in range(3):
        for column in range(3):
            shifted = np.zeros((SHAPE[0] + 2, SHAPE[1] + 2))
            shifted[row : row + SHAPE[0], column : column + SHAPE[1]] = kernel[row, column]
            reach += shifted[1:-1, 1:-1]
    (image,), _ = ascend_filters(model, "convolution", [2], **SETTINGS)
    assert correlation(image, reach) > 0.999


def test_images_are_standardized_and_activations_rise_from_the_noise():
    images, activations = ascend_filters(make_convolution_model(), "deeper", [0, 1, 2], steps=50, **SETTINGS)
    np.testing.assert_allclose(images.mean(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(images.std(axis=(1, 2)), 1, atol=1e-4)
    assert (activations[:, -1] > activations[:, 0] + 0.1).all()


def test_first_and_last_activation_belong_to_noise_and_image():
    model = make_convolution_model()
    part = keras.Model(model.input, model.get_layer("deeper").output)
    images, activations = ascend_filters(model, "deeper", [1], steps=3, **SETTINGS)
    assert activations[0, -1] == pytest.approx(float(part(images[..., None])[0, :, :, 1].numpy().mean()), rel=1e-5)
    noise = np.random.default_rng([5, 1]).standard_normal(SHAPE, dtype=np.float32)
    start = standardized(noise)[None, ..., None]
    assert activations[0, 0] == pytest.approx(float(part(start)[0, :, :, 1].numpy().mean()), rel=1e-4)


@pytest.mark.parametrize("layer", ["convolution", "normalization", "deeper", "pool", "hidden", "predictions"])
def test_the_first_step_follows_the_difference_quotients_of_the_mean_activation(layer):
    """All derivatives are computed in float64, and the step is made by hand from them.

    The last layer is a softmax; its logits are ascended. "hidden" has units, the layers before it have filters.
    """
    keras.utils.set_random_seed(1)
    inputs = layers.Input((*SHAPE, 1))
    x = layers.Conv2D(4, 3, padding="same", name="convolution")(inputs)
    x = layers.LeakyReLU(name="leaky")(x)
    x = layers.BatchNormalization(name="normalization")(x)
    x = layers.Conv2D(4, 3, activation="tanh", name="deeper")(x)
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Dense(4, activation="tanh", name="hidden")(layers.Flatten()(x))
    model = keras.Model(inputs, layers.Dense(4, activation="softmax", name="predictions")(layers.Dropout(0.5)(x)))
    vary_normalizations(model)
    copied = in_float64(model)
    last = copied.get_layer("predictions")
    part = keras.Model(copied.input, last.input if layer == "predictions" else copied.get_layer(layer).output)
    filters = [3, 0, 2]

    def score(images):
        outputs = part(images[..., None]).numpy()
        if layer == "predictions":
            kernel, bias = last.get_weights()
            outputs = outputs @ kernel + bias
        means = outputs.reshape(len(images), -1, 4).mean(axis=1)
        return means[np.arange(len(images)), np.resize(filters, len(images))]

    start, first = ascend_filters(model, layer, filters, steps=0, **SETTINGS)
    images, activations = ascend_filters(model, layer, filters, steps=1, **{**SETTINGS, "step_size": 0.7})
    gradients = central_differences(score, start, np.argwhere(np.ones(SHAPE))).reshape(start.shape)
    expected = start + 0.7 * gradients / np.sqrt(np.mean(gradients**2, axis=(1, 2), keepdims=True))
    np.testing.assert_allclose(images, [standardized(image) for image in expected], atol=1e-4)
    np.testing.assert_allclose(first[:, 0], score(start.astype(np.float64)), atol=1e-6)
    np.testing.assert_allclose(activations[:, 1], score(images.astype(np.float64)), atol=1e-6)


def test_order_and_batches_do_not_change_a_filters_image():
    model = make_convolution_model()
    batches_of_two = {**SETTINGS, "batch_size": 2}
    images, activations = ascend_filters(model, "convolution", [0, 1, 2, 3, 4], **batches_of_two)
    order = [3, 0, 4, 2, 1]
    shuffled, traces = ascend_filters(model, "convolution", order, **batches_of_two)
    np.testing.assert_array_equal(shuffled, images[order])
    np.testing.assert_array_equal(traces, activations[order])
    together, traces = ascend_filters(model, "convolution", [0, 1, 2, 3, 4], **SETTINGS)
    np.testing.assert_allclose(together, images, atol=1e-4)
    np.testing.assert_allclose(traces, activations, atol=1e-5)


def test_seed_decides():
    model = make_convolution_model()
    first, again, other = (
        ascend_filters(model, "deeper", [0, 1], steps=2, **{**SETTINGS, "seed": seed}).images for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert abs(correlation(first, other)) < 0.8
    assert abs(correlation(first[0], first[1])) < 0.8


def test_a_filter_that_never_fires_keeps_its_noise_and_is_named(caplog):
    inputs = layers.Input((*SHAPE, 1))
    outputs = layers.Conv2D(1, 1, activation="relu", name="dead", kernel_initializer="zeros")(inputs)
    images, activations = ascend_filters(keras.Model(inputs, outputs), "dead", [0], steps=3, **SETTINGS)
    assert not activations.any()
    noise = np.random.default_rng([5, 0]).standard_normal(SHAPE, dtype=np.float32)
    np.testing.assert_allclose(images[0], standardized(noise), atol=1e-5)
    # TensorFlow logs its own remarks.
    assert [record.getMessage() for record in caplog.records if record.name == "fercv"] == [
        "layer 'dead': no gradient reaches the images of the filters 0; they stay as they began"
    ]


def test_all_filters_that_never_fire_are_named_and_no_other(caplog):
    inputs = layers.Input((*SHAPE, 1))
    model = keras.Model(inputs, layers.Conv2D(4, 1, activation="relu", name="some")(inputs))
    kernel = np.array([0, 1, 0, 0], np.float32).reshape(1, 1, 1, 4)
    model.get_layer("some").set_weights([kernel, np.zeros(4, np.float32)])
    ascend_filters(model, "some", [3, 1, 0], steps=2, **SETTINGS)
    (said,) = [record.getMessage() for record in caplog.records if record.name == "fercv"]
    assert "the filters 3, 0; they stay as they began" in said


def test_what_is_ascended_is_the_model_at_rest():
    """Dropout, which drops in training alone, changes nothing."""
    model, _ = make_linear_model()
    inputs = layers.Input((*SHAPE, 1))
    dropped = layers.Dropout(0.5)(layers.Flatten()(inputs))
    dropping = keras.Model(inputs, layers.Dense(4, activation="softmax", name="predictions")(dropped))
    dropping.set_weights(model.get_weights())
    found, expected = (ascend_filters(one, "predictions", [3, 1], steps=5, **SETTINGS) for one in (dropping, model))
    np.testing.assert_allclose(found.images, expected.images, atol=1e-5)
    np.testing.assert_allclose(found.activations, expected.activations, rtol=1e-5)


@pytest.mark.filterwarnings("error")
def test_an_image_of_one_grey_becomes_zeros_and_a_faint_one_is_scaled():
    grey = np.stack([np.full(SHAPE, value, dtype=np.float32) for value in (0, 0.5, 77)])
    np.testing.assert_array_equal(unit_rms(centred(grey)), np.zeros((3, *SHAPE)))
    gradient = np.random.default_rng(2).normal(size=(1, *SHAPE)).astype(np.float32)
    np.testing.assert_allclose(unit_rms(1e-12 * gradient), unit_rms(gradient), rtol=1e-5)
    assert np.sqrt(np.mean(unit_rms(gradient) ** 2)) == pytest.approx(1)


def test_a_filter_of_brightness_alone_keeps_its_noise():
    inputs = layers.Input((*SHAPE, 1))
    outputs = layers.Conv2D(1, 1, name="brightness", kernel_initializer="ones")(inputs)
    images, activations = ascend_filters(keras.Model(inputs, outputs), "brightness", [0], steps=5, **SETTINGS)
    noise = np.random.default_rng([5, 0]).standard_normal(SHAPE, dtype=np.float32)
    np.testing.assert_allclose(images[0], standardized(noise), atol=1e-5)
    np.testing.assert_allclose(activations, 0, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "filters", "said"),
    [
        ("convolutoin", [0], "did you mean 'convolution'"),
        ("deeper", [0, 3], r"^layer 'deeper' of model '\w+' has no filter 3: choose from 0 to 2$"),
        ("deeper", [0, -1], "has no filter -1: choose from 0 to 2$"),
    ],
)
def test_refused_in_one_line(layer, filters, said):
    with pytest.raises(InputError, match=said) as refusal:
        ascend_filters(make_convolution_model(), layer, filters, **SETTINGS)
    assert "\n" not in str(refusal.value)


def test_memory_is_bounded_by_the_batch(monkeypatch):
    seen = []
    from fercv.engine.backend import native

    compile_score = native.value_and_gradient

    def recording(score):
        gradient = compile_score(score)
        return lambda images, filters: seen.append(len(images)) or gradient(images, filters)

    monkeypatch.setattr(native, "value_and_gradient", recording)
    ascend_filters(make_convolution_model(), "convolution", range(5), steps=1, **{**SETTINGS, "batch_size": 2})
    assert seen == [2] * 6


@pytest.mark.parametrize("layer", ["normalization", "deeper"])
def test_in_bfloat16_nearly_the_same_is_ascended(layer):
    exact = make_convolution_model()
    rounded = with_precision(exact, "bfloat16")
    assert with_precision(exact, "float32") is exact
    assert rounded.get_layer("deeper").compute_dtype == "bfloat16"
    results = [ascend_filters(model, layer, range(3), steps=20, **SETTINGS) for model in (exact, rounded)]
    assert results[1].images.dtype == np.float32
    for exactly, nearly in zip(results[0].images, results[1].images, strict=True):
        assert correlation(exactly, nearly) > 0.9
    np.testing.assert_allclose(results[1].activations[:, -1], results[0].activations[:, -1], rtol=0.05)
    assert (results[1].activations[:, -1] > results[1].activations[:, 0]).all()


def test_on_gpus_batch_normalization_stays_one_with_a_deterministic_gradient(monkeypatch):
    monkeypatch.setattr("fercv.nets.models.on_processor", lambda: False)
    normalization = with_precision(make_convolution_model(), "bfloat16").get_layer("normalization")
    assert type(normalization) is layers.BatchNormalization
    assert normalization.compute_dtype == "bfloat16"
