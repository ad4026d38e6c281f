"""The ONNX file: it predicts what the program predicts, without the program."""

import numpy as np
import pytest
from helpers import need

from fercv.nets.models import build_model, predict

pytestmark = pytest.mark.slow  # it needs packages that .ci/run installs for the slow tests


@pytest.fixture(autouse=True)
def onnx():
    """Without it there is nothing to test."""
    need("tf2onnx", "requirements-onnx.txt", "FERCV_NEEDS_ONNX")
    need("onnxruntime", "requirements-onnx.txt", "FERCV_NEEDS_ONNX")


@pytest.fixture
def images():
    """Noise, bright and dark, and one image of a single grey."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 48, 40)).astype(np.uint8)
    images[1] //= 16
    images[2] = 7
    return images


def telling_apart(architecture):
    """A model with random weights that tells images apart."""
    model = build_model(architecture, (48, 40, 1), 7, {"width": 0.0625})
    model.set_weights([2 * weights if weights.ndim == 2 else weights for weights in model.get_weights()])
    return model


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("architecture", ["cnn", "fc"])
def test_it_gives_the_programs_probabilities_for_any_number_of_images(tmp_path, images, architecture, mirrored):
    from onnxruntime import InferenceSession

    from fercv.final.export import export_onnx

    model = telling_apart(architecture)
    export_onnx(model, tmp_path / "model.onnx", (48, 40), mirrored)
    session = InferenceSession(tmp_path / "model.onnx")
    described = [(value.name, value.type, value.shape) for value in [*session.get_inputs(), *session.get_outputs()]]
    assert described == [("images", "tensor(uint8)", ["n", 48, 40]), ("probabilities", "tensor(float)", ["n", 7])]
    expected = predict(model, images, np.arange(5), 5, mirrored)
    assert np.ptp(expected, axis=0).max() > 1e-3
    for shown in (images, images[:1]):
        (probabilities,) = session.run(["probabilities"], {"images": shown})
        np.testing.assert_allclose(probabilities, expected[: len(shown)], rtol=0, atol=1e-5)


def test_tensors_of_inner_graphs_are_renamed_as_well():
    """A loop or a branch holds graphs, which may use tensors of the graph around them."""
    from onnx import TensorProto, checker, helper

    from fercv.final.export import fix_names

    def branch(name, operation):
        output = helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 3])
        return helper.make_graph([helper.make_node(operation, ["outside:0"], [name])], name, [], [output])

    nodes = [
        helper.make_node("Cast", ["a:0"], ["outside:0"], "x__17", to=TensorProto.FLOAT),
        helper.make_node("Equal", ["one", "two"], ["condition"]),
        helper.make_node(
            "If", ["condition"], ["Identity:0"], then_branch=branch("b", "Neg"), else_branch=branch("c", "Abs")
        ),
    ]
    given = [helper.make_tensor_value_info("a:0", TensorProto.UINT8, [None, 3])]
    result = [helper.make_tensor_value_info("Identity:0", TensorProto.FLOAT, [None, 3])]
    constants = [helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in (("two", 2), ("one", 1))]
    graph = helper.make_graph(nodes, "tf2onnx", given, result, constants)
    fix_names(graph)
    checker.check_model(helper.make_model(graph))
    text = str(graph)
    assert not any(name in text for name in ("outside", "Identity:0", "a:0", "x__17", "condition", '"one"', "tf2onnx"))
    assert [tensor.float_data[0] for tensor in graph.initializer] == [1, 2]
