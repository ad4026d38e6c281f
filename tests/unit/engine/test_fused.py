import numpy as np
import pytest

from fercv.engine import fused, setup
from fercv.engine.backend import keras, native
from fercv.nets.models import build_model
from fercv.train.optimizer import make_optimizer

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((128, 6, 6, 8), dtype=np.float32) * 2 + 1


@pytest.fixture(autouse=True)
def as_it_was():
    yield
    keras.config.set_dtype_policy("float32")


def called(layer, precision="float32", training=True):
    """A layer's outputs, its gradients and its state afterwards. They are computed in a graph, as in training."""
    import tensorflow as tf

    keras.config.set_dtype_policy(precision)
    inputs = tf.cast(IMAGES, "float32" if precision == "float32" else "bfloat16")
    if not layer.built:
        layer.build(inputs.shape)

    @tf.function
    def outputs_and_gradients(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=training)
            weights = np.random.default_rng(1).standard_normal(outputs.shape, dtype=np.float32)
            score = tf.reduce_sum(tf.cast(outputs, "float32") * weights)
        return outputs, *tape.gradient(score, [*layer.trainable_variables, inputs])

    values = outputs_and_gradients(inputs)
    return [np.asarray(tf.cast(value, "float32")) for value in values], layer.get_weights()


def of_both(kind, *arguments, precision="float32", **keywords):
    keras.config.set_dtype_policy(precision)
    results = []
    for layers in (keras.layers, fused):
        keras.utils.set_random_seed(1)
        results.append(called(getattr(layers, kind)(*arguments, **keywords), precision))
    return results


@pytest.mark.parametrize(
    "keywords",
    [
        {"momentum": 0.9, "epsilon": 0.01},
        {"axis": 1},
        {"axis": 3},
        {"scale": False},
        {"center": False},
        {"trainable": False},
    ],
    ids=str,
)
def test_batch_normalization_is_keras_own(keywords):
    (theirs, state), (ours, our_state) = of_both("BatchNormalization", **keywords)
    for their, our in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(our, their, rtol=1e-3, atol=1e-4)
    for their, our in zip(state, our_state, strict=True):
        np.testing.assert_allclose(our, their, rtol=1e-5, atol=1e-6)


def test_the_averages_of_batch_normalization_move_unless_it_is_frozen():
    # Validation and prediction normalize with these averages.
    _, (_, state) = of_both("BatchNormalization", momentum=0.9, epsilon=0.01)
    assert abs(state[2] - 0.1 * IMAGES.mean(axis=(0, 1, 2))).max() < 1e-5
    _, (_, frozen) = of_both("BatchNormalization", trainable=False)
    assert not frozen[2].any()


def test_batch_normalization_in_bfloat16_is_as_near_to_float32_as_keras_own():
    (exact, exact_state), _ = of_both("BatchNormalization")
    (theirs, _), (ours, our_state) = of_both("BatchNormalization", precision="mixed_bfloat16")
    for exactly, their, our in zip(exact, theirs, ours, strict=True):
        assert abs(our - exactly).max() <= 1.5 * abs(their - exactly).max() + 0.02 * abs(exactly).max()
    for exactly, our in zip(exact_state, our_state, strict=True):
        np.testing.assert_allclose(our, exactly, rtol=2e-3, atol=1e-3)


def test_batch_normalization_in_use_is_keras_own():
    weights = [RNG.uniform(0.5, 2, 8).astype(np.float32) for _ in range(4)]
    results = []
    for kind in (keras.layers.BatchNormalization, fused.BatchNormalization):
        layer = kind()
        layer.build(IMAGES.shape)
        layer.set_weights(weights)
        results.append(called(layer, training=False)[0][0])
    np.testing.assert_allclose(results[0], results[1], rtol=1e-4, atol=1e-5)


@pytest.fixture
def convolved(monkeypatch):
    """A list with one entry for each call of `fused.convolve`."""
    calls, convolve = [], fused.convolve
    monkeypatch.setattr(fused, "convolve", lambda *arguments: calls.append(1) or convolve(*arguments))
    return calls


@pytest.mark.parametrize("activation", [None, "relu"])
def test_convolution_is_keras_own(convolved, activation):
    (theirs, _), (ours, _) = of_both("Conv2D", 5, (3, 5), padding="same", activation=activation)
    assert convolved
    for their, our in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(our, their, rtol=1e-4, atol=1e-3)


def test_in_bfloat16_outputs_and_gradients_are_as_exact_as_its_eight_bits(convolved):
    options = {"padding": "same", "kernel_size": 3}
    (exact, _), _ = of_both("Conv2D", 5, **options)
    (theirs, _), (ours, _) = of_both("Conv2D", 5, precision="mixed_bfloat16", **options)
    for exactly, our in zip(exact, ours, strict=True):
        assert np.linalg.norm(our - exactly) <= 2**-8 * np.linalg.norm(exactly)
    kernel = 1
    their_error, our_error = (abs(values[kernel] - exact[kernel]).max() for values in (theirs, ours))
    assert our_error <= 1.5 * their_error + 1e-3
    assert convolved


@pytest.mark.parametrize(
    "keywords",
    [{"padding": "valid"}, {"padding": "same", "strides": 2}, {"padding": "same", "use_bias": False}],
    ids=["valid", "strides", "no bias"],
)
def test_other_convolutions_are_left_to_keras(keywords, convolved):
    (theirs, _), (ours, _) = of_both("Conv2D", 5, 3, **keywords)
    for their, our in zip(theirs, ours, strict=True):
        np.testing.assert_array_equal(our, their)
    assert not convolved


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "muon", "sgd", "rmsprop"])
def test_a_fused_update_is_keras_own(optimizer):
    definition = {"learning_rate": 0.01, "weight_decay": 0.1, "optimizer": optimizer}
    start = RNG.standard_normal((4, 3), dtype=np.float32)
    gradients = RNG.standard_normal((5, 4, 3), dtype=np.float32)
    ended = []
    for fuse in (False, True):
        variable = keras.Variable(start)
        updater = make_optimizer(definition)
        updater.build([variable])
        if fuse:
            setup.fuse_update(updater)
            assert ("update_step" in vars(updater)) == (optimizer not in ("muon", "rmsprop"))
        for number, gradient in enumerate(gradients):
            updater.learning_rate = 0.01 / (number + 1)
            updater.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        assert int(updater.iterations) == len(gradients)
        ended.append([np.asarray(value) for value in (variable, *updater.variables)])
    for theirs, ours in zip(*ended, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_model_of_training_layers_has_the_weights_of_keras_own():
    settings = {"width": 0.05}
    ours = build_model("cnn", (32, 32, 1), 3, settings, setup.training_layers())
    theirs = build_model("cnn", (32, 32, 1), 3, settings)
    assert [(v.path, v.shape) for v in ours.weights] == [(v.path, v.shape) for v in theirs.weights]
    assert isinstance(ours.get_layer("conv1_bn_c1"), fused.BatchNormalization)
    assert type(theirs.get_layer("conv1_bn_c1")) is keras.layers.BatchNormalization
    theirs.set_weights(ours.get_weights())
    images = RNG.standard_normal((4, 32, 32, 1), dtype=np.float32)
    np.testing.assert_allclose(ours.predict_on_batch(images), theirs.predict_on_batch(images), rtol=1e-4, atol=1e-5)


def test_convolutions_stay_keras_own_on_other_hardware_and_with_other_kernels(monkeypatch):
    assert fused.training_layers(on_processor=True).Conv2D is fused.Conv2D
    assert fused.training_layers(on_processor=False).Conv2D is keras.layers.Conv2D
    monkeypatch.setattr(native, "KERNELS", "Eigen")
    assert fused.training_layers(on_processor=True).Conv2D is keras.layers.Conv2D
