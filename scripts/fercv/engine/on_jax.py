"""What JAX itself does for the engine. fercv.engine.backend imports this where JAX is Keras' backend."""

import jax
import keras

from fercv.workflow.errors import InputError

VERSION = jax.__version__
KERNELS = "XLA"


def fix_order(threads: int) -> None:
    """Do nothing: threads and the order of sums are fixed for TensorFlow alone."""


def devices() -> list[str]:
    """Names of the GPUs or TPUs, or of the processor where there is none, e.g. ["cpu:0"]."""
    return keras.distribution.list_devices()


def value_and_gradient(score):
    """Refuse with an InputError: `keras.ops` has no gradients, and those of JAX are not used here."""
    raise InputError(
        "KERAS_BACKEND is 'jax': saliency and gradient ascent need TensorFlow; unset KERAS_BACKEND for them"
    )
