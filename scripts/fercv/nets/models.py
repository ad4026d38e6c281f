"""Models: built, saved and loaded, asked for predictions, and taken apart by layers."""

import contextlib
import io
import json
import math
import os
import re
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from fercv.data.preprocessing import model_inputs
from fercv.engine.backend import keras, native
from fercv.engine.devices import on_processor
from fercv.engine.setup import training_layers
from fercv.nets.architectures import find_architecture
from fercv.workflow.errors import InputError
from fercv.workflow.messages import did_you_mean

# The earliest date that the zip format knows. In a model file it stands in the place of the time of saving.
FIXED_DATE = (1980, 1, 1, 0, 0, 0)
MENDING = "delete it to have its fold trained again"


def build_model(architecture: str, image_shape: tuple[int, int, int], classes: int, settings: dict, layers=None):
    """Build an architecture as an uncompiled Keras model in the current dtype policy, its weights freshly drawn.

    Args:
        architecture: one of `architectures.architecture_names()`.
        image_shape: (height, width, 1).
        classes: number of classes, the length of the softmax output.
        settings: keyword arguments of the architecture's function.
        layers: where the layers come from, e.g. `engine.setup.training_layers()`; None for `keras.layers`.

    Raises:
        InputError: the last layer is no softmax, or the model has other inputs or another number of outputs.
    """
    inputs, outputs = find_architecture(architecture)(layers or keras.layers, tuple(image_shape), classes, **settings)
    model = keras.Model(inputs, outputs, name=architecture)
    if not ends_in_softmax(model.layers[-1]):
        raise InputError(
            f"the last layer of the architecture {architecture}, {model.layers[-1].name}, is no softmax; end it with "
            'Dense(classes, activation="softmax", dtype="float32"), whose outputs are probabilities'
        )
    if model.output_shape != (None, classes):
        raise InputError(
            f"the architecture {architecture} gives outputs of the shape {model.output_shape[1:]}, expected "
            f"({classes},), one for each class; end it with Dense(classes, ...)"
        )
    if not takes_images(model, image_shape[:2]):
        raise InputError(
            f"the architecture {architecture} takes inputs of the shape {model.input_shape[1:]}, expected "
            f"{tuple(image_shape)}; begin it with Input(image_shape)"
        )
    return model


def summary_text(model) -> str:
    """Keras' summary of a model as text. No cell is cut off, and the text is the same for every terminal and locale.

    Every column is as wide as its longest entry. A list of several shapes or inputs may take several lines.

    Args:
        model: Keras model in the functional style, as `build_model` gives it.
    """
    layers = model.operations
    names = [f"{layer.name} ({type(layer).__name__})" for layer in layers]
    shapes = [str(output.shape) for layer in layers for output in keras.tree.flatten(layer.output)]
    counts = [f"{model.count_params():,}", "Param #"]
    inputs = [f"{layer.name}[00][00], " for layer in layers]
    # Borders and margins take up to four characters of a column. Keras leaves the column of inputs out where each layer
    # has one input, the layer before it.
    widths = [max(map(len, entries)) + 4 for entries in (names, [*shapes, "Output Shape"], counts, inputs)]
    ends = np.cumsum(widths)
    line_length = int(ends[-1])
    # Keras multiplies these by line_length and rounds down. The half makes up for rounding errors.
    positions = [(end + 0.5) / line_length for end in ends]
    parts = []
    with text_console(line_length):
        model.summary(line_length=line_length, positions=positions, print_fn=parts.append)
    return "".join(parts)


@contextlib.contextmanager
def text_console(columns: int):
    """Within this context Keras prints lines of at most this many columns, with the characters of UTF-8.

    Keras prints with the library Rich. Rich takes the width from the variable COLUMNS or from the terminal. It chooses
    the characters of a table's borders by the encoding of standard output.
    """
    columns_before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(columns)
    try:
        with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")):
            yield
    finally:
        if columns_before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = columns_before


def save_model(model, path) -> None:
    """Save a model in Keras' format. Equal weights give equal bytes.

    Keras writes the time of saving into the zip's entries and its metadata, and memory addresses as names of shared
    objects into its configuration. Here all times become one fixed date, and the objects are numbered from 1.
    """
    numbers = {}
    # This file is in the folder of the model. If the process is killed, the file stays until the next attempt.
    unfixed = Path(path).with_name(f"part.{Path(path).name}")
    try:
        model.save(unfixed)
        with zipfile.ZipFile(unfixed) as saved, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as fixed:
            for name in saved.namelist():
                content = saved.read(name)
                if name == "metadata.json":
                    date = "{:04d}-{:02d}-{:02d}@{:02d}:{:02d}:{:02d}".format(*FIXED_DATE)
                    content = json.dumps(json.loads(content) | {"date_saved": date}).encode()
                elif name == "config.json":
                    content = re.sub(
                        rb'(?<="shared_object_id": )\d+',
                        lambda match: str(numbers.setdefault(match[0], len(numbers) + 1)).encode(),
                        content,
                    )
                fixed.writestr(zipfile.ZipInfo(name, FIXED_DATE), content)
    finally:
        unfixed.unlink(missing_ok=True)


def load_model(
    path, architecture: str | None = None, classes: int | None = None, image_size: tuple[int, int] | None = None
):
    """Load a saved model for prediction: float32 and uncompiled. Code that the file may hold never runs.

    Args:
        path: a file in Keras' format.
        architecture: the name that the model must have; None takes any.
        classes: the number of classes that it must have; None takes any.
        image_size: (height, width) of the images that it must take; None takes any.

    Raises:
        InputError: the file is no such model, or of another architecture, number of classes or image size.
    """
    with _refusing(path):
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    if architecture is not None and model.name != architecture:
        raise InputError(f"{path}: a model of the architecture {model.name}, expected {architecture}; {MENDING}")
    if classes is not None and model.output_shape[-1] != classes:
        raise InputError(f"{path}: a model of {model.output_shape[-1]} classes, expected {classes}; {MENDING}")
    if image_size is not None and not takes_images(model, image_size):
        raise InputError(
            f"{path}: a model of inputs of the shape {model.input_shape[1:]}, expected one for images of "
            f"{image_size[0]} x {image_size[1]} pixels; {MENDING}"
        )
    return model


def load_models(paths: Iterable, *expected):
    """Load saved models one after the other, each as `load_model` does, with its refusals.

    The models of the folds differ in their weights alone. So if a file has the configuration of the file before, no
    model is built of it: the one that is there gets its weights. That one is traced only once, too.

    Args:
        paths: files in Keras' format.
        *expected: architecture, classes and image size, as for `load_model`.

    Yields:
        A model for each path. It may be the same object as before: use it before the next one is taken.

    Raises:
        InputError: as `load_model`.
    """
    model = config = None
    for path in paths:
        with _refusing(path), zipfile.ZipFile(path) as saved:
            before, config = config, saved.read("config.json")
            if config == before:
                # Out of the zip, because each step back in an entry reads it again from its start.
                with tempfile.TemporaryDirectory() as place:
                    model.load_weights(saved.extract("model.weights.h5", place))
        if config != before:
            model = load_model(path, *expected)
        yield model


@contextlib.contextmanager
def _refusing(path):
    """Within this context, an error says that the file is no model of ours; other causes stay as they are."""
    try:
        # Keras chooses the format by the suffix of the name, and files of other formats may hold pickles.
        if not zipfile.is_zipfile(path):
            raise ValueError("it is no zip file")
        yield
    except (MemoryError, native.OUT_OF_MEMORY):
        raise
    except Exception as error:
        # An OSError with a number comes from the system. One without a number comes from h5py: the weights are damaged.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = " ".join(str(error).split())
        reason = reason if len(reason) <= 200 else f"{reason[:197]}..."
        raise InputError(f"{path}: no model that this program saved ({reason}); {MENDING}") from None


def takes_images(model, image_size: tuple[int, int]) -> bool:
    """Whether images of this height and width can be shaped as a model takes them, see `model_inputs`."""
    shape, (height, width) = model.input_shape[1:], image_size
    if not all(isinstance(size, int) for size in shape) or math.prod(shape) != height * width:
        return False
    # The same pixels in rows of another length would be another image.
    return len(shape) != 3 or shape[-1] != 1 or tuple(shape[:2]) == (height, width)


def with_precision(model, precision: str):
    """A model that computes in a precision: the model itself for float32, a mixed-precision copy for bfloat16.

    Args:
        model: float32 Keras model, as `load_model` gives it.
        precision: `float32`, or `bfloat16` for Keras' mixed_bfloat16 policy (weights stay float32).
    """
    if precision == "float32":
        return model
    # On GPUs TensorFlow has no deterministic gradient for a fused batch normalization with moving averages.
    layers = training_layers() if on_processor() else keras.layers

    def copy(layer):
        kind = getattr(layers, type(layer).__name__, type(layer))
        return kind.from_config(layer.get_config() | {"dtype": "mixed_bfloat16"})

    copied = keras.models.clone_model(model, clone_function=copy)
    copied.set_weights(model.get_weights())
    return copied


def predict(model, images, rows, batch_size: int, mirrored: bool = False):
    """Class probabilities of the given rows.

    Every batch has the same shape, the last one padded, so that the model is traced once. `keras.Model.predict` is
    avoided: its tf.data iterator may idle for seconds before it ends.

    Args:
        model: Keras model with a softmax output.
        images: uint8 (n, height, width); may be memory-mapped.
        rows: row numbers, int (m,).
        batch_size: rows that are predicted at once, at most.
        mirrored: whether to average the probabilities of each image with those of its mirror image.

    Returns:
        float32 (m, classes).
    """
    batches, batch_size = [], min(batch_size, len(rows))
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        padded = np.concatenate([batch, np.repeat(batch[:1], batch_size - len(batch))])
        shown = images[padded]
        views = [shown, shown[:, :, ::-1]] if mirrored else [shown]
        probabilities = [model.predict_on_batch(model_inputs(view, model.input_shape[1:])) for view in views]
        batches.append(np.mean([keras.ops.convert_to_numpy(values) for values in probabilities], axis=0)[: len(batch)])
    return np.concatenate(batches)


def predict_with_folds(paths: Iterable, expected: Sequence, images, rows, mirrored: bool):
    """Class probabilities of the given rows by several saved models. One model is in memory at a time.

    Args:
        paths: files in Keras' format.
        expected: architecture, classes and image size, as for `load_model`.
        images: as for `predict`.
        rows: as for `predict`.
        mirrored: as for `predict`.

    Returns:
        float32 (models, m, classes).

    Raises:
        InputError: as `load_model`.
    """
    return np.stack([predict(model, images, rows, 256, mirrored) for model in load_models(paths, *expected)])


def find_layer(model, layer_name: str):
    """Return the model's layer of this name. If there is none, an InputError suggests the closest name."""
    names = [layer.name for layer in model.layers]
    if layer_name in names:
        return model.get_layer(layer_name)
    raise InputError(
        f"model {model.name!r} has no layer {layer_name!r}, it has {', '.join(names)}{did_you_mean(layer_name, names)}"
    )


def logits_model(model):
    """Cut off a classifier's final softmax.

    Args:
        model: Keras model whose last layer is a softmax, or a dense layer with a softmax; it is left as it is.

    Returns:
        Keras model of the same inputs that gives the logits; a last dense layer gives them in float32. It shares the
        weights: if those of the model change, so do the logits.

    Raises:
        InputError: the last layer is no softmax.
    """
    last = model.layers[-1]
    if not ends_in_softmax(last):
        raise InputError(
            f"the last layer of model {model.name!r}, {last.name!r} ({type(last).__name__}), is no softmax, so its "
            "class scores are unknown: end the architecture with a softmax"
        )
    if not isinstance(last, keras.layers.Dense):
        return keras.Model(model.input, last.input)
    return keras.Model(model.input, Logits(last)(last.input))


class Logits(keras.layers.Layer):
    """What a dense layer computes before its activation, in float32, with the weights of that layer."""

    def __init__(self, dense):
        super().__init__(dtype="float32")
        self.dense = dense

    def call(self, inputs):
        """The products with the kernel, and the bias if the dense layer has one."""
        products = keras.ops.matmul(inputs, self.dense.kernel)
        return products + self.dense.bias if self.dense.use_bias else products


def ends_in_softmax(layer) -> bool:
    """Tell whether softmax is the last thing that a layer computes."""
    return isinstance(layer, keras.layers.Softmax) or (
        isinstance(layer, keras.layers.Activation | keras.layers.Dense)
        and layer.activation is keras.activations.softmax
    )
