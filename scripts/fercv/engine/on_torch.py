"""What PyTorch itself does for the engine. fercv.engine.backend imports this where PyTorch is Keras' backend."""

import keras
import torch

from fercv.workflow.errors import InputError

VERSION = torch.__version__
KERNELS = "oneDNN" if torch.backends.mkldnn.is_available() else "ATen"


def fix_order(threads: int) -> None:
    """Do nothing: threads and the order of sums are fixed for TensorFlow alone."""


def devices() -> list[str]:
    """Name of the device that Keras puts tensors on, e.g. ["cuda:0"]. Keras lists no devices of PyTorch."""
    return [str(keras.ops.zeros(()).device)]


def value_and_gradient(score):
    """Refuse with an InputError: `keras.ops` has no gradients, and those of PyTorch are not used here."""
    raise InputError(
        "KERAS_BACKEND is 'torch': saliency and gradient ascent need TensorFlow; unset KERAS_BACKEND for them"
    )
