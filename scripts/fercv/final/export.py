"""A trained model as an ONNX file, which takes images as they are stored and needs none of this program."""

import numpy as np
import onnx

from fercv.engine.backend import keras


class Standardize(keras.layers.Layer):
    """What `fercv.data.preprocessing.standardize` does, as a layer: uint8 (n, height, width) to float32."""

    def call(self, images):
        """Standardize each image by itself."""
        pixels = keras.ops.cast(images, "float32")
        pixels = pixels - keras.ops.mean(pixels, axis=(1, 2), keepdims=True)
        return pixels / keras.ops.maximum(keras.ops.std(pixels, axis=(1, 2), keepdims=True), 1e-3)


def with_preprocessing(model, image_size: tuple[int, int], mirrored: bool):
    """A Keras model from stored images to probabilities, which computes what `fercv.nets.models.predict` does.

    Args:
        model: Keras model with a softmax output.
        image_size: (height, width).
        mirrored: whether to average the probabilities of each image with those of its mirror image.

    Returns:
        Keras model that takes uint8 (n, height, width) and gives float32 (n, classes). It shares the weights.
    """
    images = keras.Input(image_size, dtype="uint8", name="images")
    pixels = Standardize()(images)
    views = [pixels, keras.ops.flip(pixels, axis=2)] if mirrored else [pixels]
    # All views in one batch: tf2onnx would copy the weights of a model that stands there twice.
    inputs = keras.ops.reshape(keras.ops.concatenate(views), (-1, *model.input_shape[1:]))
    outputs = keras.ops.reshape(model(inputs), (len(views), -1, model.output_shape[-1]))
    return keras.Model(images, keras.ops.mean(outputs, axis=0))


def export_onnx(model, path, image_size: tuple[int, int], mirrored: bool) -> None:
    """Write a model as an ONNX file: `images`, uint8 (n, height, width), to `probabilities`, float32 (n, classes).

    It holds the standardization and the averaging over mirror images. Equal models give equal bytes. TensorFlow must be
    the engine.

    Args:
        model: see `with_preprocessing`, also for the next two.
        path: of the file.
        image_size: see there.
        mirrored: see there.
    """
    whole = with_preprocessing(model, image_size, mirrored)
    whole(np.zeros((1, *image_size), np.uint8))  # Keras exports no model that was never called.
    whole.export(path, format="onnx", verbose=False)
    exported = onnx.load(path)
    fix_names(exported.graph)
    onnx.checker.check_model(exported)
    path.write_bytes(exported.SerializeToString(deterministic=True))


def fix_names(graph: onnx.GraphProto) -> None:
    """Rename everything in a graph, in place, by what it is and where it stands.

    tf2onnx names what it makes by counters, and tensors that are equal after any one of them, which is not the same one
    in each process.
    """
    (images,), (probabilities,) = graph.input, graph.output
    names = {images.name: "images", probabilities.name: "probabilities"}
    graph.name, graph.doc_string = "classifier", ""
    rename(graph, names)
    for value in (images, probabilities):
        value.type.tensor_type.shape.dim[0].dim_param = "n"


def rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Give the tensors and nodes of a graph, and of the graphs in it, new names in the order in which they are used.

    Args:
        graph: is changed in place.
        names: the new names of tensors by their old ones; it is added to.
    """

    def new(old: str) -> str:
        return names.setdefault(old, f"tensor_{len(names)}") if old else old  # "" is an input that is left out.

    for number, node in enumerate(graph.node):
        node.name, node.doc_string = f"{node.op_type}_{number}", ""
        node.input[:] = map(new, node.input)
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                rename(attribute.g, names)
        node.output[:] = map(new, node.output)
    for value in [*graph.input, *graph.output, *graph.initializer]:
        value.name = new(value.name)
    used = {name: number for number, name in enumerate(names.values())}
    graph.initializer.sort(key=lambda tensor: used[tensor.name])
    del graph.value_info[:]
