"""What several layers of a model compute from many images."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fercv.engine.backend import keras
from fercv.visualize.filters import scored_output


class LayerOutputs(NamedTuple):
    """What one layer computes from n images.

    activations: float32 (n, filters), of each filter the mean over its map; of a final softmax the logits.
    maps: float32 (m, rows, columns, filters) of the first m images; None for a layer without height and width.
    """

    activations: np.ndarray
    maps: np.ndarray | None


def outputs_model(model, layer_names: Sequence[str]):
    """A model of the same inputs and weights that gives the outputs of several layers; of a final softmax the logits.

    Raises:
        InputError: the model has no such layer.
    """
    return keras.Model(model.input, [scored_output(model, name) for name in layer_names])


def layer_outputs(outputs, images: np.ndarray, mapped: int, batch_size: int) -> list[LayerOutputs]:
    """What each layer computes from images.

    Args:
        outputs: a model as `outputs_model` returns it.
        images: float32 (n, height, width), standardized.
        mapped: of how many images, the first ones, the maps are kept.
        batch_size: how many images are computed together at most; it bounds the memory.
    """
    batches, size = [], min(batch_size, len(images))
    for start in range(0, len(images), size):
        # Every batch has the same shape, so that the model is traced once.
        batch = images[np.minimum(np.arange(start, start + size), len(images) - 1)]
        computed = outputs.predict_on_batch(batch.reshape(size, *outputs.input_shape[1:]))
        # Of a single layer, Keras gives no list.
        layers = computed if isinstance(computed, list) else [computed]
        batches.append([_of_batch(layer, len(images) - start, mapped - start) for layer in layers])
    return [
        LayerOutputs(np.concatenate(means), np.concatenate(maps) if maps[0].ndim == 4 else None)
        for means, maps in (zip(*layer, strict=True) for layer in zip(*batches, strict=True))
    ]


def _of_batch(computed, count: int, mapped: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean activations of the first `count` images of a batch, and the maps of the first `mapped` ones."""
    values = np.asarray(computed, np.float32)[: max(count, 0)]
    means = values.mean(axis=tuple(range(1, values.ndim - 1))) if values.ndim > 2 else values
    return means, values[: max(mapped, 0)]
