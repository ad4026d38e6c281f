"""What the engine asks of JAX itself. Imported by fercv.engine.backend where it is Keras' backend."""

import jax
import keras

from fercv.workflow.errors import InputError

VERSION = jax.__version__


def fix_order(threads: int) -> None:
    """Leave threads and order as they are: no more than TensorFlow's was tried."""


def devices() -> list[str]:
    """Names of the devices that Keras computes on: its GPUs or TPUs, and the processor where it has none."""
    return keras.distribution.list_devices()


def gpus_in_bfloat16() -> tuple[bool, str]:
    """Whether all GPUs compute in bfloat16, and why, for the log."""
    return False, "as jax was not tried with bfloat16"


def value_and_gradient(score):
    """Refuse: `keras.ops` has no gradients, and those of JAX were not tried."""
    raise InputError(
        "KERAS_BACKEND is 'jax': saliency and gradient ascent need TensorFlow; unset KERAS_BACKEND for them"
    )
