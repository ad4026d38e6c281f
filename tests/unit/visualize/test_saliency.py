import importlib
from types import SimpleNamespace

import numpy as np
import pytest
from differences import central_differences, in_float64, vary_normalizations

from fercv.engine.backend import keras
from fercv.nets.models import build_model, logits_model
from fercv.visualize.saliency import (
    Explained,
    Settings,
    class_score_gradient,
    explain,
    heat_of,
    mask_image,
    possible_methods,
    relative_heat,
    saliency_maps,
    sums_by_class,
)
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


def compute_saliency(score_gradient, images, classes, batch_size):
    """The heat of the gradient."""
    explained = Explained(None, score_gradient)
    return heat_of("gradient", saliency_maps("gradient", explained, images, classes, Settings(batch_size)))


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


METHODS = ["gradient", "smooth_grad", "integrated_gradients", "grad_cam"]


def make_convolution(activation="leaky_relu", units=3):
    """A net with maps of as many pixels as the image, which is 6 x 7."""
    keras.utils.set_random_seed(4)
    inputs = layers.Input((6, 7, 1))
    x = layers.Conv2D(2, 3, padding="same", activation=activation, name="maps")(inputs)
    outputs = layers.Dense(units, activation="softmax", name="scores")(layers.Flatten()(x))
    model = keras.Model(inputs, outputs)
    model.set_weights([np.random.default_rng(5).normal(size=array.shape) for array in model.get_weights()])
    return model


def images_of(model, n=3, seed=8):
    return np.random.default_rng(seed).normal(size=(n, *model.input_shape[1:])).astype(np.float32)


def logits_of(model, images, classes):
    return keras.ops.convert_to_numpy(logits_model(model)(images))[np.arange(len(images)), classes]


@pytest.mark.parametrize("flat_input", [False, True])
@pytest.mark.parametrize("method", ["gradient", "smooth_grad"])
def test_the_map_of_a_linear_model_is_its_signed_weights(method, flat_input):
    """The noise of SmoothGrad changes nothing: the gradient is the same everywhere."""
    model, weights = make_linear_model(flat_input)
    classes = np.array([2, 0, 1, 1, 0])
    maps = saliency_maps(method, explain(model), make_images(5), classes, Settings(2, samples=3))
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, weights.T[classes].reshape(5, *SHAPE), rtol=1e-5)


def test_smooth_grad_is_the_mean_gradient_of_noisy_images():
    """The gradient of a square is twice the pixel, so noise of mean zero over many samples leaves it as it is."""
    explained, images = explain(make_quadratic_model()), make_images(2)
    classes = np.zeros(2, int)
    plain = saliency_maps("gradient", explained, images, classes, Settings(8))
    few = saliency_maps("smooth_grad", explained, images, classes, Settings(8, samples=4, noise=0.2, seed=3))
    many = saliency_maps("smooth_grad", explained, images, classes, Settings(8, samples=400, noise=0.2, seed=3))
    spread = 2 * 0.2 * (images.max(axis=(1, 2, 3)) - images.min(axis=(1, 2, 3)))
    errors = [np.sqrt(np.square(maps - plain)[:, 0].mean(axis=1)) / spread for maps in (few, many)]
    # The standard errors of a mean of 4 and of 400 samples.
    assert (errors[0] > 0.2).all() and (errors[0] < 1).all()
    assert (errors[1] < 0.1).all()
    assert not few[:, 1:].any()


@pytest.mark.parametrize(("samples", "seed", "same"), [(3, 6, True), (3, 7, False), (4, 6, False)])
def test_the_noise_of_smooth_grad_follows_from_the_seed(samples, seed, same):
    model = make_convolution()
    images, classes = images_of(model), np.array([0, 2, 1])
    first = saliency_maps("smooth_grad", explain(model), images, classes, Settings(2, samples=3, seed=6))
    again = saliency_maps("smooth_grad", explain(model), images, classes, Settings(2, samples=samples, seed=seed))
    assert (first == again).all() == same


def test_without_noise_smooth_grad_is_the_gradient():
    model = make_convolution()
    explained, images, classes = explain(model), images_of(model), np.array([0, 2, 1])
    smooth = saliency_maps("smooth_grad", explained, images, classes, Settings(8, samples=2, noise=0))
    np.testing.assert_allclose(smooth, saliency_maps("gradient", explained, images, classes, Settings(8)), rtol=1e-6)


def test_integrated_gradients_sum_up_to_the_difference_of_the_scores():
    model = make_convolution()
    images, classes = images_of(model), np.array([0, 2, 1])
    maps = saliency_maps("integrated_gradients", explain(model), images, classes, Settings(2, steps=400))
    expected = logits_of(model, images, classes) - logits_of(model, np.zeros_like(images), classes)
    assert np.abs(expected).min() > 0.5
    # The score has kinks on the way, and a sum over 400 points misses them by up to a step.
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), expected, rtol=2e-3, atol=0.02)


def test_integrated_gradients_of_a_square_are_the_square_itself():
    """The midpoint rule is exact for it, with any number of steps."""
    images = make_images(2)
    settings = Settings(8, steps=3)
    maps = saliency_maps("integrated_gradients", explain(make_quadratic_model()), images, np.zeros(2, int), settings)
    np.testing.assert_allclose(maps[:, 0], np.square(images[:, 0, :, 0]), rtol=1e-5)
    assert not maps[:, 1:].any()


def test_grad_cam_of_one_layer_is_what_comes_out_by_hand():
    model = make_convolution()
    images, classes = images_of(model), np.array([0, 2, 1])
    activations = keras.Model(model.input, model.get_layer("maps").output)(images).numpy()
    kernel = model.get_layer("scores").get_weights()[0].reshape(6, 7, 2, 3)
    # The logit is linear in the maps, so its gradient is the kernel of the scores.
    weights = kernel.mean(axis=(0, 1))[:, classes].T
    expected = np.einsum("nc,nhwc->nhw", weights, activations)
    maps = saliency_maps("grad_cam", explain(model), images, classes, Settings(2))
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)
    heat = heat_of("grad_cam", maps)
    assert (heat[expected < 0] == 0).all() and (heat[expected > 0] > 0).all()


def test_grad_cam_is_enlarged_bilinearly():
    inputs = layers.Input((12, 14, 1))
    x = layers.AveragePooling2D(2, name="pool")(inputs)
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.Flatten()(x)))
    model.set_weights([np.eye(42, 2) + 1, np.zeros(2)])
    images = images_of(model, 2)
    maps = saliency_maps("grad_cam", explain(model, "pool"), images, np.array([0, 0]), Settings(2))
    coarse = images.reshape(2, 6, 2, 7, 2).mean(axis=(2, 4)) * (1 + 1 / 42)
    # Pixel 1 lies a quarter of the way from the centre of the first cell to that of the second.
    np.testing.assert_allclose(maps[:, 0, 0], coarse[:, 0, 0], rtol=1e-5)
    expected = 0.75 * coarse[:, 0, 0] + 0.25 * coarse[:, 0, 1]
    np.testing.assert_allclose(maps[:, 0, 1], expected, rtol=1e-4, atol=1e-6)


def test_grad_cam_takes_the_last_layer_with_maps_that_are_not_too_small():
    explained = explain(build_model("cnn", (48, 48, 1), 7, {"width": 0.02}))
    assert explained.activations.output.shape[1:3] == (6, 6)
    assert explained.activations.layers[-1].name == "bn_b4_c3"
    chosen = explain(explained.model, "conv2_pool")
    assert chosen.activations.layers[-1].name == "conv2_pool"


def test_grad_cam_needs_a_layer_that_no_way_leads_around():
    inputs = layers.Input((8, 8, 1))
    first = layers.Conv2D(1, 3, padding="same", name="first")(inputs)
    second = layers.Conv2D(1, 3, padding="same", name="second")(first)
    x = layers.Flatten()(layers.Add(name="sum")([first, second]))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.Dense(3)(x)))
    assert explain(model).activations.layers[-1].name == "sum"
    with pytest.raises(InputError, match=r"^saliency.grad_cam_layer is 'second', .* a way around it; choose another"):
        explain(model, "second")


@pytest.mark.parametrize("layer", [None, "block4_pool"])
def test_a_model_without_maps_has_no_grad_cam(layer):
    explained = explain(make_linear_model()[0], layer)
    assert possible_methods(explained, METHODS) == METHODS[:3]


@pytest.mark.parametrize("method", METHODS)
def test_maps_follow_the_weights_of_the_model(method):
    """The models of all folds are one object that gets other weights. Its functions are compiled once."""
    model = make_convolution()
    explained, images, classes = explain(model), images_of(model), np.array([0, 2, 1])
    settings = Settings(2, samples=2, steps=2)
    before = saliency_maps(method, explained, images, classes, settings)
    model.set_weights([2 * array[..., ::-1] for array in model.get_weights()])
    after = saliency_maps(method, explained, images, classes, settings)
    expected = saliency_maps(method, explain(model), images, classes, settings)
    np.testing.assert_allclose(after, expected, rtol=1e-5)
    assert not np.allclose(before, after)


@pytest.mark.parametrize("method", METHODS)
def test_maps_do_not_depend_on_the_other_images(method):
    model = make_convolution()
    explained, images, classes = explain(model), images_of(model, 5), np.array([0, 2, 1, 0, 0])
    settings = Settings(2, samples=2, steps=2)
    whole = saliency_maps(method, explained, images, classes, settings)
    alone = saliency_maps(method, explained, images[3:4], classes[3:4], settings)
    np.testing.assert_allclose(alone[0], whole[3], rtol=1e-5, atol=1e-6)


def test_relative_heat_counts_each_image_the_same():
    heat = np.array([[[1, 3], [0, 0]], [[10, 30], [0, 0]], [[0, 0], [0, 0]]], dtype=np.float32)
    assert relative_heat(heat).tolist() == [[[1, 3], [0, 0]], [[1, 3], [0, 0]], [[1, 1], [1, 1]]]


def test_sums_by_class_keep_the_classes_apart():
    values = np.arange(12.0).reshape(3, 2, 2)
    assert sums_by_class(values, np.array([2, 0, 2]), 3).tolist() == [
        values[1].tolist(), np.zeros((2, 2)).tolist(), (values[0] + values[2]).tolist()
    ]  # fmt: skip


@pytest.mark.filterwarnings("ignore:The structure of `inputs`")
@pytest.mark.parametrize("method", ["gradient", "smooth_grad", "grad_cam"])
def test_maps_are_those_of_tf_keras_vis(method):
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.saliency import Saliency
    from tf_keras_vis.utils.model_modifiers import ReplaceToLinear
    from tf_keras_vis.utils.scores import CategoricalScore

    model = make_convolution("relu")
    images, classes = images_of(model), [0, 2, 1]
    maps = saliency_maps(method, explain(model), images, np.array(classes), Settings(8, samples=2, noise=0.0))
    if method == "grad_cam":
        cam = Gradcam(model, model_modifier=ReplaceToLinear(), clone=True)
        expected = cam(CategoricalScore(classes), images, penultimate_layer="maps", normalize_cam=False)
        maps = np.maximum(maps, 0)
    else:
        oracle = Saliency(model, model_modifier=ReplaceToLinear(), clone=True)
        options = {"smooth_samples": 2, "smooth_noise": 0.0} if method == "smooth_grad" else {}
        expected = oracle(
            CategoricalScore(classes), images, gradient_modifier=None, normalize_map=False, keepdims=True, **options
        )[..., 0]
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)


def test_mask_image_keeps_only_what_is_above_the_threshold():
    image = np.array([[0, 10], [20, 91]], dtype=np.uint8)
    masked = mask_image(image, np.array([[0.5, 0.51], [0.0, 1.0]]), 0.5)
    assert masked.dtype == np.uint8
    assert masked.tolist() == [[30, 10], [30, 91]]
    assert image.tolist() == [[0, 10], [20, 91]]


def test_a_fold_of_images_of_one_grey_is_refused_before_a_model_is_loaded(tmp_path):
    np.save(tmp_path / "images.npy", np.full((2, 8, 8), 90, np.uint8))
    (tmp_path / "predictions.csv").write_text("index,label,a,b\n0,0,0.5,0.5\n1,1,0.5,0.5\n")
    options = {"fold": 0, "per_class": 1, "samples": 1, "noise": 0.1, "steps": 1}
    snakemake = SimpleNamespace(
        input=SimpleNamespace(images=tmp_path / "images.npy", predictions=[tmp_path / "predictions.csv"]),
        params=SimpleNamespace(saliency=options, classes=["a", "b"], seed=1, architecture="fc"),
        config={"gpus": {"jobs_per_gpu": 1}}, resources={}, threads=1, rule="x",
    )  # fmt: skip
    snakemake.wildcards = type("Wildcards", (list,), {"model": "fc"})(["fc"])
    with pytest.raises(InputError, match=r"^saliency.fold is 0, .* of one grey"):
        importlib.import_module("compute_saliency").main(snakemake)
