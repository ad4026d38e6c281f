"""What PyTorch itself does for the engine. fercv.engine.backend imports this where PyTorch is Keras' backend."""

import os

import keras
import numpy as np
import torch

VERSION = torch.__version__
KERNELS = "oneDNN" if torch.backends.mkldnn.is_available() else "ATen"
INSTALL_FOR_GPUS = "pip install -r requirements-torch.txt"
# Keras' own choice for PyTorch: `torch.compile` takes long for such a net.
JIT_COMPILE = False
# What PyTorch raises where a GPU has no memory left.
OUT_OF_MEMORY = torch.OutOfMemoryError


def fix_order(threads: int) -> None:
    """Fix the number of processor threads and the order of sums, so that two runs are equal bit for bit.

    An operation that PyTorch knows in no fixed order warns. See https://docs.pytorch.org/docs/stable/notes/randomness.
    """
    torch.set_num_threads(threads)
    # CUDA's library of matrix products reads this variable when it is first used. A user who has set it is obeyed.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    # It would fill all new memory with NaN, to show the use of memory that nothing was written to.
    torch.utils.deterministic.fill_uninitialized_memory = False


def devices() -> list[str]:
    """Name of the device that Keras puts tensors on, e.g. ["cuda:0"]. Keras lists no devices of PyTorch."""
    return [str(keras.ops.zeros(()).device)]


def compute_capabilities() -> list[tuple[int, int] | None]:
    """NVIDIA's compute capability of the GPU, e.g. (9, 0); None for a GPU that does not tell."""
    nvidia = torch.cuda.is_available() and torch.version.hip is None
    return [torch.cuda.get_device_capability() if nvidia else None]


def random_state() -> list[np.ndarray]:
    """The state of PyTorch's random generators, uint8: of the processor, then of each GPU. Dropout draws from these."""
    return [state.numpy() for state in (torch.get_rng_state(), *torch.cuda.get_rng_state_all())]


def set_random_state(arrays: list[np.ndarray]) -> None:
    """Bring PyTorch's random generators into a state that `random_state` gave."""
    processor, *gpus = map(torch.from_numpy, arrays)
    torch.set_rng_state(processor)
    torch.cuda.set_rng_state_all(gpus)


def value_and_gradient(score, variables=()):
    """A score together with its gradient with respect to its first argument.

    Args:
        score: function of (inputs (n, ...), *more tensors) that returns one number per input, shape (n,).
        variables: not needed here: the score always reads the present values. See `on_jax.value_and_gradient`.

    Returns:
        A function of the same arguments that returns two tensors: scores (n,), gradients of the shape of the inputs.
    """

    def computed(*given):
        inputs, *more = map(keras.ops.convert_to_tensor, given)
        inputs = inputs.detach().requires_grad_()
        values = score(inputs, *more)
        (gradients,) = torch.autograd.grad(values.sum(), inputs)
        return values.detach(), gradients

    return computed
