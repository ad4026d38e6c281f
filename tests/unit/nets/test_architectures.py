import os
import re
import subprocess
import sys

import numpy as np
import pytest
from helpers import REPOSITORY

from fercv.engine.backend import keras
from fercv.nets import architectures
from fercv.nets.architectures import architecture_names, layer_names, settings_of
from fercv.nets.models import build_model
from fercv.workflow.errors import InputError

# The report's table of the convolutional net: layer, output shape, parameters. Its fc2 lost its last digit there.
CNN = """
conv1_conv1 48x48x64 640
conv1_re_lu_1 48x48x64 0
conv1_bn_c1 48x48x64 256
conv1_conv2 48x48x64 36928
conv1_re_lu_2 48x48x64 0
conv1_bn_c2 48x48x64 256
conv1_pool 24x24x64 0
conv2_conv1 24x24x128 73856
conv2_re_lu_3 24x24x128 0
conv2_bn_c1 24x24x128 512
conv2_conv2 24x24x128 147584
conv2_re_lu_4 24x24x128 0
conv2_bn_c2 24x24x128 512
conv2_pool 12x12x128 0
conv3_conv1 12x12x256 295168
conv3_re_lu_5 12x12x256 0
conv3_bn_c1 12x12x256 1024
conv3_conv2 12x12x256 590080
conv3_re_lu_6 12x12x256 0
conv3_bn_c2 12x12x256 1024
block3_conv3 12x12x256 590080
block3_re_lu_7 12x12x256 0
bn_b3_c3 12x12x256 1024
block3_pool 6x6x256 0
block4_conv1 6x6x512 1180160
block4_re_lu_8 6x6x512 0
bn_b4_c1 6x6x512 2048
block4_conv2 6x6x512 2359808
block4_re_lu_9 6x6x512 0
bn_b4_c2 6x6x512 2048
block4_conv3 6x6x512 2359808
block4_re_lu_10 6x6x512 0
bn_b4_c3 6x6x512 2048
block4_pool 3x3x512 0
block5_conv1 3x3x512 2359808
block5_re_lu_11 3x3x512 0
bn_b5_c1 3x3x512 2048
block5_conv2 3x3x512 2359808
block5_re_lu_12 3x3x512 0
bn_b5_c2 3x3x512 2048
block5_conv3 3x3x512 2359808
block5_re_lu_13 3x3x512 0
bn_b5_c3 3x3x512 2048
block5_pool 1x1x512 0
flatten 512 0
fc1 4096 2101248
block5_re_lu_14 4096 0
dropout_1 4096 0
fc2 4096 16781312
block5_re_lu_15 4096 0
dropout_2 4096 0
fc3 1000 4097000
block5_re_lu_16 1000 0
dropout_3 1000 0
predictions 7 7007
"""

FC = """
dense_1 2000 4610000
dense_2 2000 4002000
dense_3 2000 4002000
dense_4 2000 4002000
dense_5 2000 4002000
dense_6 2000 4002000
dense_7 1000 2001000
dense_8 1000 1001000
dense_9 1000 1001000
dense_10 1000 1001000
dense_11 1000 1001000
dense_12 1000 1001000
dense_13 1000 1001000
dense_14 1000 1001000
dense_15 1000 1001000
dense_16 1000 1001000
dense_17 1000 1001000
dense_18 1000 1001000
dense_19 512 512512
dense_20 128 65664
dense_21 7 903
activation_1 7 0
"""


TABLES = {"cnn": CNN, "fc": FC}
TOTALS = {"cnn": ("37,716,999", "37,708,551", "8,448"), "fc": ("38,211,079", "38,211,079", "0")}

SUMMARIZE = """
import sys
from pathlib import Path
from types import SimpleNamespace
import summarize_architecture

for architecture in ("cnn", "fc"):
    params = SimpleNamespace(
        architecture=architecture, settings={}, image_size=[48, 48], classes=list("1234567")
    )
    summarize_architecture.main(SimpleNamespace(
        rule="summarize_architecture", wildcards=[architecture], config={"gpus": {"jobs_per_gpu": 1}}, resources={},
        threads=1, params=params, output=[Path(sys.argv[1], architecture)],
    ))
"""


def rows_of(model):
    for layer in model.layers:
        if type(layer).__name__ != "InputLayer":
            yield f"{layer.name} {'x'.join(map(str, layer.output.shape[1:]))} {layer.count_params()}"


@pytest.mark.parametrize("architecture", TABLES)
def test_full_width_is_the_report_row_by_row(architecture):
    model = build_model(architecture, (48, 48, 1), 7, {})
    assert list(rows_of(model)) == TABLES[architecture].split("\n")[1:-1]


@pytest.fixture(scope="module")
def summarized(tmp_path_factory):
    """The files that the script writes for the report's nets: {variables that describe the terminal: folder}."""
    folders = {}
    cases = [{"COLUMNS": "80"}, {"COLUMNS": "200"}, {}, {"COLUMNS": "80", "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}]
    for told in cases:
        folder = tmp_path_factory.mktemp("summaries")
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "PYTHONUTF8")}
        environment |= {"PYTHONPATH": f"{REPOSITORY / 'scripts'}"} | told
        subprocess.run([sys.executable, "-c", SUMMARIZE, folder], env=environment, check=True)
        folders[str(told)] = folder
    return folders


def table_of(path):
    """The rows of an architecture.txt, its input aside: (name, type, shape without the batch, count)."""
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
    assert all(len(row) == 3 for row in rows)
    rows = [(*row[0].removesuffix(")").split(" ("), row[1], int(row[2].replace(",", ""))) for row in rows]
    assert rows[0][1] == "InputLayer"
    return rows[1:]


@pytest.mark.parametrize("architecture", TABLES)
def test_the_file_is_the_same_whatever_terminal_and_locale(summarized, architecture):
    assert len(summarized) == 4
    first, *others = ((folder / architecture).read_bytes() for folder in summarized.values())
    assert others == [first] * 3


@pytest.mark.parametrize("architecture", TABLES)
def test_the_file_holds_every_row_and_total_of_the_report(summarized, architecture):
    for folder in summarized.values():
        found = [
            f"{name} {shape.removeprefix('(None, ').removesuffix(')').replace(', ', 'x')} {count}"
            for name, _, shape, count in table_of(folder / architecture)
        ]
        assert found == TABLES[architecture].split("\n")[1:-1]
        text = (folder / architecture).read_text(encoding="utf-8")
        totals = re.findall(r"^ (Total|Trainable|Non-trainable) params: ([\d,]+) \(", text, re.MULTILINE)
        assert totals == list(zip(("Total", "Trainable", "Non-trainable"), TOTALS[architecture], strict=True))


def test_the_files_are_the_tables_of_the_report_itself(summarized):
    report = REPOSITORY.parent / "shared" / "seed.txt"
    if not report.is_file():
        pytest.skip("the report, ../shared/seed.txt, is not beside the repository")
    rows = re.findall(r"^(\w+) \((\w+)\)\s+(\(None.*\))\s+(\d+)$", report.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == 55 + 22
    # The report's count of fc2 lost its last digit.
    expected = [(*row, 16781312 if row[0] == "fc2" else int(count)) for *row, count in rows]
    for folder in summarized.values():
        assert table_of(folder / "cnn") + table_of(folder / "fc") == expected


def wiring_of(model):
    """The layers with weights, and the pooling: what they do, and the shape of their outputs."""
    for layer in model.layers:
        shape = layer.output.shape[1:]
        match type(layer).__name__:
            case "Conv2D":
                yield "convolution", layer.kernel_size, layer.strides, layer.padding, layer.use_bias, shape
            case "MaxPooling2D":
                yield "pooling", layer.pool_size, layer.strides, layer.padding, shape
            case "Dense":
                yield "dense", layer.use_bias, shape


def test_cnn_is_the_vgg16_of_keras_applications_apart_from_what_the_report_changed():
    """What differs comes from the report, and from the images.

    - The images are grey, so the first kernels have one channel and not three.
    - The ReLUs are leaky. Batch normalization follows those of the convolutions, dropout those of the dense layers.
    - The 1000 outputs of VGG16 are those of ImageNet's classes. Here they are a hidden layer, and another dense layer
      gives the probabilities of the expressions.

    If the leak is 0 and the normalization does nothing, and the weights are the same, both nets compute the same. A
    grey image then has three equal channels in VGG16, and the first kernels are added up over them.
    """
    vgg16 = keras.applications.VGG16(weights=None, input_shape=(48, 48, 3), classes=1000)
    cnn = build_model("cnn", (48, 48, 1), 7, {})
    *common, last = wiring_of(cnn)
    assert common == list(wiring_of(vgg16))
    assert last == ("dense", True, (7,))

    weighty = [layer for layer in cnn.layers if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)]
    originals = [layer for layer in vgg16.layers if layer.weights]
    for layer, original in zip(weighty, originals, strict=False):
        kernel, bias = original.get_weights()
        layer.set_weights([kernel.sum(axis=2, keepdims=True) if layer is weighty[0] else kernel, bias])
    for layer in cnn.layers:
        if isinstance(layer, keras.layers.LeakyReLU):
            layer.negative_slope = 0
        elif isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights([gamma, beta, mean, variance - layer.epsilon])
    images = np.random.default_rng(0).normal(size=(2, 48, 48, 1)).astype(np.float32)
    pairs = [
        ("conv1_pool", "block1_pool"),
        ("conv2_pool", "block2_pool"),
        ("block3_pool", "block3_pool"),
        ("block4_pool", "block4_pool"),
        ("block5_pool", "block5_pool"),
        ("dropout_1", "fc1"),
        ("dropout_2", "fc2"),
    ]
    ours = keras.Model(cnn.input, [cnn.get_layer(name).output for name, _ in pairs])(images)
    theirs = keras.Model(vgg16.input, [vgg16.get_layer(name).output for _, name in pairs])(np.repeat(images, 3, axis=3))
    for found, expected in zip(ours, theirs, strict=True):
        assert np.ptp(expected) > 0
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.ptp(expected))


def test_fc_dropout_drops_after_every_hidden_layer():
    model = build_model("fc", (48, 48, 1), 7, {"width": 0.05, "dropout": 0.3})
    names = [layer.name for layer in model.layers[1:]]
    expected = [name for number in range(1, 21) for name in (f"dense_{number}", f"dropout_{number}")]
    assert names == [*expected, "dense_21", "activation_1"]
    assert {layer.rate for layer in model.layers if layer.name.startswith("dropout")} == {0.3}


def test_batch_normalization_can_be_left_out():
    names = layer_names("cnn", (48, 48, 1), 7, {"batch_normalization": False})
    assert not [name for name in names if "bn" in name]
    assert len(names) == 55 - 13


def test_width_scales_filters_and_units():
    model = build_model("cnn", (48, 48, 1), 7, {"width": 0.25})
    assert model.get_layer("conv2_pool").output.shape[-1] == 32
    assert model.get_layer("fc1").units == 1024


@pytest.mark.parametrize("architecture", ["cnn", "fc"])
def test_layer_names_without_keras_are_those_of_the_model(architecture):
    settings = {"width": 0.05, "dropout": 0.5}
    model = build_model(architecture, (48, 48, 1), 7, settings)
    assert layer_names(architecture, (48, 48, 1), 7, settings) == {
        layer.name: type(layer).__name__ for layer in model.layers[1:]
    }


def test_names_and_settings_need_no_keras():
    code = (
        "import sys; from fercv.nets import architectures as a;"
        "a.layer_names('cnn', (48, 48, 1), 7, {}); a.settings_of('fc');"
        "sys.exit('keras' in sys.modules or 'numpy' in sys.modules)"
    )
    folder = str(architectures.__file__).rsplit("/fercv/", 1)[0]
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": folder}).returncode == 0


def test_an_architecture_is_a_function_with_layers_first(monkeypatch):
    def mine(layers, image_shape, classes, *, units=10):
        inputs = layers.Input(image_shape)
        x = layers.Conv2D(units, 3, padding="same", name="first")(inputs)
        branch = layers.Conv2D(units, 1, name="second")(x)
        x = layers.Add(name="sum")([x, branch])
        return inputs, layers.Dense(classes, activation="softmax", name="out")(layers.Flatten()(x))

    monkeypatch.setattr(architectures, "mine", mine, raising=False)
    assert "mine" in architecture_names()
    assert settings_of("mine") == {"units": 10}
    assert list(layer_names("mine", (8, 8, 1), 3, {"units": 4})) == ["first", "second", "sum", "out"]
    assert build_model("mine", (8, 8, 1), 3, {"units": 4}).output.shape == (None, 3)


def without_softmax(layers, image_shape, classes):
    inputs = layers.Input(image_shape)
    return inputs, layers.Dense(classes, name="out")(layers.Flatten()(inputs))


def adding_tensors(layers, image_shape, classes):
    inputs = layers.Input(image_shape)
    return inputs, layers.Conv2D(8, 3)(inputs) + layers.Conv2D(8, 3)(inputs)


def with_an_output_too_many(layers, image_shape, classes):
    inputs = layers.Input(image_shape)
    return inputs, layers.Dense(classes + 1, activation="softmax")(layers.Flatten()(inputs))


def for_other_images(layers, image_shape, classes):
    inputs = layers.Input((4, 4, 1))
    return inputs, layers.Dense(classes, activation="softmax")(layers.Flatten()(inputs))


def without_default(layers, image_shape, classes, *, units):
    raise AssertionError


@pytest.mark.parametrize(
    ("function", "call", "message"),
    [
        (without_softmax, lambda name: build_model(name, (8, 8, 1), 3, {}), "is no softmax"),
        (with_an_output_too_many, lambda name: build_model(name, (8, 8, 1), 3, {}), r"outputs of the shape \(4,\)"),
        (for_other_images, lambda name: build_model(name, (8, 8, 1), 3, {}), r"inputs of the shape \(4, 4, 1\)"),
        (adding_tensors, lambda name: layer_names(name, (8, 8, 1), 3, {}), r"layers.Add\(\)"),
        (without_default, settings_of, "units without a default"),
    ],
)
def test_what_an_architecture_may_not_do_is_told_in_one_line(monkeypatch, function, call, message):
    monkeypatch.setattr(architectures, function.__name__, function, raising=False)
    with pytest.raises(InputError, match=message) as caught:
        call(function.__name__)
    assert "\n" not in str(caught.value)
