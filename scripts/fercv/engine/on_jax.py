"""What JAX itself does for the engine. fercv.engine.backend imports this where JAX is Keras' backend."""

import os

import jax
import keras

VERSION = jax.__version__
KERNELS = "XLA"
INSTALL_FOR_GPUS = f"pip install jax[cuda12]=={VERSION}"
# Without compilation, JAX computes one operation after the other in Python.
JIT_COMPILE = True
# What JAX raises where a GPU has no memory left.
OUT_OF_MEMORY = jax.errors.JaxRuntimeError


def fix_order(threads: int) -> None:
    """Fix the number of processor threads and the order of sums, so that two runs are equal bit for bit.

    GPU memory is then taken as it is needed, so that jobs can share a GPU. JAX reads these variables when it computes
    for the first time. A user who has set one is obeyed. See
    https://docs.jax.dev/en/latest/gpu_memory_allocation.html and https://openxla.org/xla/determinism.
    """
    # JAX documents no way to set the number of threads. XLA reads this variable in DefaultThreadPoolSize().
    os.environ["PJRT_NPROC"] = str(threads)
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_gpu_deterministic_ops" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()


def devices() -> list[str]:
    """Names of the GPUs or TPUs, or of the processor where there is none, e.g. ["cpu:0"]."""
    return keras.distribution.list_devices()


def compute_capabilities() -> list[tuple[int, int] | None]:
    """NVIDIA's compute capability of each GPU, e.g. (9, 0); None for a GPU that does not tell."""
    found = [getattr(device, "compute_capability", "") for device in jax.devices() if device.platform == "gpu"]
    return [tuple(map(int, text.split("."))) if text.replace(".", "").isdigit() else None for text in found]


def random_state() -> list:
    """No array: JAX keeps no random state besides the variables of the model."""
    return []


def set_random_state(arrays: list) -> None:
    """Do nothing, see `random_state`."""


def value_and_gradient(score, variables=()):
    """Compile a score together with its gradient with respect to its first argument.

    Args:
        score: function of (inputs (n, ...), *more arrays) that returns one number per input, shape (n,).
        variables: Keras variables that the score reads, and which may have other values at a later call. The values of
            all others become constants.

    Returns:
        A function of the same arguments that returns two arrays: scores (n,), gradients of the shape of the inputs.
    """

    def total(inputs, values, *more):
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            scores = score(inputs, *more)
        return scores.sum(), scores

    @jax.jit
    def compiled(*given):
        (_, scores), gradients = jax.value_and_grad(total, has_aux=True)(*given)
        return scores, gradients

    return lambda inputs, *more: compiled(inputs, [variable.value for variable in variables], *more)
