"""What the engine asks of PyTorch itself. Imported by fercv.engine.backend where it is Keras' backend."""

import keras
import torch

from fercv.workflow.errors import InputError

VERSION = torch.__version__


def fix_order(threads: int) -> None:
    """Leave threads and order as they are: no more than TensorFlow's was tried."""


def devices() -> list[str]:
    """Names of the devices that Keras computes on: its GPUs or TPUs, and the processor where it has none."""
    return keras.distribution.list_devices()


def gpus_in_bfloat16() -> tuple[bool, str]:
    """Whether all GPUs compute in bfloat16, and why, for the log."""
    return False, "as torch was not tried with bfloat16"


def value_and_gradient(score):
    """Refuse: `keras.ops` has no gradients, and those of PyTorch were not tried."""
    raise InputError(
        "KERAS_BACKEND is 'torch': saliency and gradient ascent need TensorFlow; unset KERAS_BACKEND for them"
    )
