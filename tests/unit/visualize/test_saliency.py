import importlib
from types import SimpleNamespace

import numpy as np
import pytest
from differences import central_differences, in_float64, vary_normalizations

from fercv.engine.backend import keras
from fercv.nets.models import build_model, logits_model
from fercv.visualize.saliency import class_score_gradient, compute_saliency, mask_image
from fercv.workflow.errors import InputError

SHAPE = (4, 5)
layers = keras.layers


def make_linear_model(flat_input=False, separate_activation=False):
    """Softmax of a linear map; its logits' gradients are the rows of its known weights."""
    inputs = layers.Input((20,) if flat_input else (*SHAPE, 1))
    x = inputs if flat_input else layers.Flatten()(inputs)
    if separate_activation:
        outputs = layers.Activation("softmax")(layers.Dense(3, name="scores")(x))
    else:
        outputs = layers.Dense(3, activation="softmax", name="scores")(x)
    model = keras.Model(inputs, outputs)
    weights = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    model.get_layer("scores").set_weights([weights, np.array([1, -2, 3], dtype=np.float32)])
    return model, weights


def make_images(n, seed=1):
    return np.random.default_rng(seed).normal(size=(n, *SHAPE, 1)).astype(np.float32)


@pytest.mark.parametrize("separate_activation", [False, True])
def test_logits_are_those_of_the_model_and_the_model_is_left_alone(separate_activation):
    model, weights = make_linear_model(separate_activation=separate_activation)
    images = make_images(3)
    before, config = model(images).numpy(), model.to_json()
    logits = logits_model(model)(images).numpy()
    np.testing.assert_allclose(logits, images.reshape(3, 20) @ weights + [1, -2, 3], rtol=1e-5)
    np.testing.assert_array_equal(model(images), before)
    assert model.to_json() == config
    assert len(model.weights) == 2


def test_logits_are_float32_where_the_model_computes_in_bfloat16():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model, _ = make_linear_model()
        assert logits_model(model).output.dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


def test_logits_model_needs_a_softmax():
    inputs = layers.Input((3,))
    model = keras.Model(inputs, layers.Dense(2, name="scores")(inputs), name="linear")
    with pytest.raises(InputError, match=r"'linear', 'scores'.*softmax") as refusal:
        logits_model(model)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("flat_input", [False, True])
def test_heat_of_a_linear_model_is_the_absolute_weight_of_the_class(flat_input):
    model, weights = make_linear_model(flat_input)
    classes = np.array([2, 0, 1, 1, 0])
    # Strongly saturated inputs: the probabilities' gradients would vanish, the logits' don't.
    heat = compute_saliency(class_score_gradient(model), 100 * make_images(5), classes, batch_size=2)
    assert heat.shape == (5, *SHAPE)
    assert heat.dtype == np.float32
    expected = np.abs(weights.T[classes].reshape(5, *SHAPE))
    np.testing.assert_allclose(heat, expected / expected.max(axis=(1, 2), keepdims=True), rtol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "settings"), [("cnn", {"width": 0.05}), ("fc", {"width": 0.02, "dropout": 0.5})]
)
def test_gradients_of_the_nets_are_difference_quotients_of_their_logits(architecture, settings):
    """The logits of a copy in float64 are computed by hand from the inputs of its last layer."""
    keras.utils.set_random_seed(2)
    model = build_model(architecture, (32, 32, 1), 5, settings)
    vary_normalizations(model)
    copied = in_float64(model)
    last = [layer for layer in copied.layers if isinstance(layer, layers.Dense)][-1]
    features, (kernel, bias) = keras.Model(copied.input, last.input), last.get_weights()
    images, classes = np.random.default_rng(3).normal(size=(3, 32, 32, 1)).astype(np.float32), np.array([4, 0, 2])

    def score(varied):
        logits = features(varied.reshape(-1, *model.input_shape[1:])).numpy() @ kernel + bias
        return logits[np.arange(len(varied)), np.resize(classes, len(varied))]

    pixels = np.random.default_rng(4).integers(0, 32, (12, 2))
    quotients = central_differences(score, images[..., 0], pixels)
    score_gradient = class_score_gradient(model)
    logits, gradients = (result.numpy() for result in score_gradient(images, classes))
    np.testing.assert_allclose(logits, score(images.astype(np.float64)), rtol=1e-4, atol=1e-6)
    found = gradients[:, *pixels.T, 0]
    largest = np.abs(quotients).max(axis=1, keepdims=True)
    assert (largest > 0).all()
    np.testing.assert_allclose(found / largest, quotients / largest, atol=1e-4)
    heat = compute_saliency(score_gradient, images, classes, batch_size=2)[:, *pixels.T]
    np.testing.assert_allclose(heat / heat.max(axis=1, keepdims=True), np.abs(quotients) / largest, atol=1e-4)


def make_quadratic_model():
    """Logit of class 0: the sum of squares of the upper row, by relu(x)**2 + relu(-x)**2; of class 1: nothing."""
    inputs = layers.Input((*SHAPE, 1))
    square = layers.Multiply()([inputs, inputs])
    dense = layers.Dense(2, activation="softmax", name="scores")(layers.Flatten()(square))
    model = keras.Model(inputs, dense)
    weights = np.zeros((20, 2), dtype=np.float32)
    weights[: SHAPE[1], 0] = 1
    model.get_layer("scores").set_weights([weights, np.zeros(2, dtype=np.float32)])
    return model


def test_heat_is_each_images_own_and_zero_where_nothing_matters():
    images = make_images(3)
    heat = compute_saliency(class_score_gradient(make_quadratic_model()), images, np.array([0, 0, 1]), batch_size=8)
    upper = np.abs(images[:2, 0, :, 0])
    np.testing.assert_allclose(heat[:2, 0], upper / upper.max(axis=1, keepdims=True), rtol=1e-5)
    assert not heat[:2, 1:].any()
    assert not heat[2].any()


def test_heat_does_not_depend_on_the_batches():
    model, images = make_quadratic_model(), make_images(7)
    gradient = class_score_gradient(model)
    classes = np.zeros(7, dtype=np.int64)
    whole = compute_saliency(gradient, images, classes, batch_size=7)
    np.testing.assert_allclose(compute_saliency(gradient, images, classes, batch_size=3), whole, rtol=1e-6)
    assert compute_saliency(gradient, images[:0], classes[:0], batch_size=3).shape == (0, *SHAPE)


def test_heat_is_that_of_the_model_at_rest():
    """Dropout, which drops in training alone, changes nothing."""
    model, _ = make_linear_model()
    inputs = layers.Input((*SHAPE, 1))
    dropped = layers.Dropout(0.5)(layers.Flatten()(inputs))
    dropping = keras.Model(inputs, layers.Dense(3, activation="softmax")(dropped))
    dropping.set_weights(model.get_weights())
    images, classes = make_images(3), np.array([2, 0, 1])
    heat, expected = (compute_saliency(class_score_gradient(one), images, classes, 3) for one in (dropping, model))
    np.testing.assert_allclose(heat, expected, rtol=1e-6)


def test_memory_is_bounded_by_the_batch_and_each_image_is_computed_once():
    images, seen = make_images(5), []

    def score_gradient(images, classes):
        seen.append((images[:, 0, 0, 0].tolist(), classes.tolist()))
        return None, images

    compute_saliency(score_gradient, images, np.arange(5), batch_size=2)
    first = images[:, 0, 0, 0].tolist()
    assert seen == [(first[:2], [0, 1]), (first[2:4], [2, 3]), (first[4:], [4])]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scale", [1e-6, 1, 1e6])
def test_heat_reaches_one_however_faint_the_gradient_is(scale):
    images = scale * make_images(3)
    images[1] = 0
    # Memory that held something else before must not show where the gradient is zero.
    used_before = [np.full((3, *SHAPE), 7, np.float32) for _ in range(8)]
    del used_before
    heat = compute_saliency(lambda images, classes: (None, images), images, np.zeros(3, int), batch_size=2)
    np.testing.assert_allclose(heat.max(axis=(1, 2)), [1, 0, 1])


def test_mask_image_keeps_only_what_is_above_the_threshold():
    image = np.array([[0, 10], [20, 91]], dtype=np.uint8)
    masked = mask_image(image, np.array([[0.5, 0.51], [0.0, 1.0]]), 0.5)
    assert masked.dtype == np.uint8
    assert masked.tolist() == [[30, 10], [30, 91]]
    assert image.tolist() == [[0, 10], [20, 91]]


def test_a_fold_of_images_of_one_grey_is_refused_before_a_model_is_loaded(tmp_path):
    np.save(tmp_path / "images.npy", np.full((2, 8, 8), 90, np.uint8))
    (tmp_path / "samples.csv").write_text("index,label,usage,duplicate_group,source,excluded\n0,0,,0,a,\n1,1,,0,b,\n")
    (tmp_path / "folds.csv").write_text("index,fold,group\n0,0,0\n1,1,1\n")
    snakemake = SimpleNamespace(
        input=SimpleNamespace(model="missing", **{path.stem: path for path in tmp_path.iterdir()}),
        params=SimpleNamespace(saliency={"fold": 0}, classes=["a", "b"], architecture="fc"),
        config={"gpus": {"jobs_per_gpu": 1}}, resources={}, threads=1, rule="x",
    )  # fmt: skip
    snakemake.wildcards = type("Wildcards", (list,), {"model": "fc"})(["fc"])
    with pytest.raises(InputError, match=r"^saliency.fold is 0, .* of one grey"):
        importlib.import_module("compute_saliency").main(snakemake)
