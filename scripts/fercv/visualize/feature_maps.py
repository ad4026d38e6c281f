"""Feature maps: the output of a layer for one image."""

import numpy as np

from fercv.engine.backend import keras
from fercv.nets.models import find_layer
from fercv.workflow.errors import InputError


def feature_maps(model, layer_name: str, image: np.ndarray) -> np.ndarray:
    """Compute the output of a layer for one image.

    Args:
        model: Keras model of inputs (height, width, 1).
        layer_name: a layer whose output has height, width and channels.
        image: float32 (height, width), standardized as `preprocessing.standardize` does.

    Returns:
        float32 (height of the maps, width of the maps, channels).

    Raises:
        InputError: the model has no such layer, or its output has no height and width.
    """
    output = find_layer(model, layer_name).output
    if len(output.shape) != 4:
        raise InputError(
            f"layer {layer_name!r} of model {model.name!r} gives shape {output.shape[1:]}, but feature maps have "
            "height, width and channels: choose a convolution or pooling layer"
        )
    maps = keras.Model(model.input, output)(image[np.newaxis, :, :, np.newaxis], training=False)
    return keras.ops.convert_to_numpy(keras.ops.cast(maps, "float32"))[0]
