import math

import numpy as np
import pytest

from fercv.engine.backend import keras
from fercv.train.optimizer import Muon, class_weights, learning_rate, make_optimizer


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({"name": "constant", "warmup": 0}, {0: 1, 0.5: 1, 4: 1}),
        ({"name": "constant", "warmup": 2}, {0: 0, 0.5: 0.25, 1: 0.5, 2: 1, 4: 1}),
        ({"name": "linear", "warmup": 0}, {0: 1, 0.5: 0.875, 1: 0.75, 4: 0}),
        ({"name": "linear", "warmup": 0.5}, {0: 0, 0.25: 0.5, 0.5: 1, 2.25: 0.5, 4: 0}),
        ({"name": "linear", "warmup": 5}, {0: 0, 4: 0.8}),
        ({"name": "step", "warmup": 0, "every": 2, "factor": 0.1}, {0: 1, 1.9: 1, 2: 0.1, 3.9: 0.1, 4: 0.01}),
        ({"name": "step", "warmup": 1, "every": 2, "factor": 0.1}, {0: 0, 1: 1, 2.9: 1, 3: 0.1}),
        ({"name": "cosine", "warmup": 0}, {0: 1, 1: 0.5 + math.sqrt(0.125), 2: 0.5, 4: 0}),
        ({"name": "cosine", "warmup": 1}, {0: 0, 0.5: 0.5, 1: 1, 2: 0.75, 3: 0.25, 4: 0}),
    ],
)
def test_learning_rates(schedule, expected):
    definition = {"learning_rate": 1.0, "epochs": 4, "schedule": {"every": 1, "factor": 1, **schedule}}
    rates = {epochs: learning_rate(definition, epochs) for epochs in expected}
    assert rates == pytest.approx(expected)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "muon", "sgd", "rmsprop"])
@pytest.mark.parametrize("weight_decay", [0, 0.01])
def test_every_optimizer_of_the_schema_can_be_made(optimizer, weight_decay):
    made = make_optimizer({"optimizer": optimizer, "learning_rate": 0.003, "weight_decay": weight_decay})
    assert type(made).__name__.lower() == optimizer
    assert (made.weight_decay or 0) == weight_decay


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "muon", "sgd", "rmsprop"])
def test_only_kernels_decay(optimizer):
    """A step with gradients of zero takes rate times decay off a kernel, and leaves all other weights as they are."""
    inputs = keras.Input((4, 4, 1))
    model = keras.Model(inputs, keras.layers.BatchNormalization()(keras.layers.Conv2D(2, 3)(inputs)))
    for weight in model.trainable_variables:
        weight.assign(keras.ops.ones_like(weight))
    made = make_optimizer({"optimizer": optimizer, "learning_rate": 0.1, "weight_decay": 0.5})
    made.apply([keras.ops.zeros_like(weight) for weight in model.trainable_variables], model.trainable_variables)
    values = {weight.name: float(keras.ops.mean(weight)) for weight in model.trainable_variables}
    assert values == pytest.approx({"kernel": 0.95, "bias": 1, "gamma": 1, "beta": 1})


def test_sgd_has_nesterov_momentum():
    """Two steps by hand: a velocity v = 0.9 v - 0.1 gradient, and a move of 0.9 v - 0.1 gradient."""
    weight = keras.Variable([0.0])
    optimizer = make_optimizer({"optimizer": "sgd", "learning_rate": 0.1, "weight_decay": 0})
    for expected in (-0.19, -0.19 - 0.271):
        optimizer.apply([keras.ops.ones(1)], [weight])
        assert float(weight[0]) == pytest.approx(expected)


def first_step(kernel_shape, gradient):
    """How far the first step of Muon at the rate 0.3 moves a kernel of zeros."""
    weight = keras.Variable(np.zeros(kernel_shape, np.float32))
    optimizer = make_optimizer({"optimizer": "muon", "learning_rate": 0.3, "weight_decay": 0})
    optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weight])
    return keras.ops.convert_to_numpy(weight)


@pytest.mark.parametrize("filters", [5, 40])
def test_muon_moves_a_convolution_by_about_the_orthogonal_matrix_next_to_its_gradient(filters):
    """A singular value decomposition gives that matrix exactly; Muon's iterations leave singular values around 1."""
    gradient = np.random.default_rng(1).standard_normal((3, 3, 2, filters)).astype(np.float32)
    moved = -first_step(gradient.shape, gradient).reshape(18, filters)
    left, _, right = np.linalg.svd(gradient.reshape(18, filters), full_matrices=False)
    nearest = left @ right
    length = 0.3 * 0.2 * max(18, filters) ** 0.5
    values = np.linalg.svd(moved / length, compute_uv=False)
    assert values.min() > 0.6
    assert values.max() < 1.3
    cosine = (moved * nearest).sum() / np.linalg.norm(moved) / np.linalg.norm(nearest)
    assert cosine > 0.97
    assert np.sqrt((moved**2).mean()) == pytest.approx(0.2 * 0.3, rel=0.2)


@pytest.mark.parametrize("shape", [(3, 3, 4, 6), (3, 3, 4, 50), (3, 3, 2, 18)])
@pytest.mark.parametrize("rank", [1, 4])
def test_muon_iterates_on_a_kernel_as_keras_own_does_on_a_matrix(shape, rank):
    rng = np.random.default_rng(3)
    rows = math.prod(shape[:-1])
    matrix = (rng.standard_normal((rows, rank)) @ rng.standard_normal((rank, shape[-1]))).astype(np.float32)
    expected = keras.optimizers.Muon().zeropower_via_newtonschulz5(keras.ops.convert_to_tensor(matrix), 5)
    ours = Muon(learning_rate=0.1).zeropower_via_newtonschulz5(keras.ops.convert_to_tensor(matrix.reshape(shape)), 5)
    assert ours.shape == shape
    np.testing.assert_allclose(keras.ops.convert_to_numpy(ours).reshape(matrix.shape), expected, atol=1e-4)


@pytest.mark.parametrize("shape", [(3, 3, 1, 4), (6, 4), (4,)])
def test_muon_moves_all_else_as_adam_does_at_a_third_of_the_rate(shape):
    """The first step of Adam has the length of the rate in each direction."""
    gradient = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
    np.testing.assert_allclose(first_step(shape, gradient), -0.1 * np.sign(gradient), rtol=1e-3)


def test_class_weights_by_hand():
    labels = np.array([0, 0, 0, 1])
    np.testing.assert_allclose(class_weights(labels, 2, "none"), [1, 1])
    np.testing.assert_allclose(class_weights(labels, 2, "balanced"), [4 / 6, 2])
    softened = class_weights(labels, 2, "square_root")
    assert softened[1] / softened[0] == pytest.approx(math.sqrt(3))
    assert softened[labels].mean() == pytest.approx(1)


@pytest.mark.parametrize("kind", ["none", "balanced", "square_root"])
def test_a_class_without_rows_has_a_weight_as_well(kind):
    weights = class_weights(np.array([0, 1, 1]), 3, kind)
    assert weights.shape == (3,)
    assert weights.dtype == np.float32
    assert np.isfinite(weights).all()
