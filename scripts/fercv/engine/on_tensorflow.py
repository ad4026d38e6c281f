"""What TensorFlow itself does for the engine. fercv.engine.backend imports this where it is Keras' backend."""

import tensorflow as tf
from tensorflow.python.framework import test_util

VERSION = tf.__version__
# The library whose kernels TensorFlow runs on a processor. TF_ENABLE_ONEDNN_OPTS=0 chooses Eigen.
KERNELS = "oneDNN" if test_util.IsMklEnabled() else "Eigen"
INSTALL_FOR_GPUS = "pip install -r requirements-gpu.txt"
# XLA takes longer to compile such a net for a processor than it saves in a short run.
JIT_COMPILE = False
# What TensorFlow raises where a GPU has no memory left.
OUT_OF_MEMORY = tf.errors.ResourceExhaustedError


def fix_order(threads: int) -> None:
    """Fix the number of processor threads and the order of sums, so that two runs are equal bit for bit.

    GPU memory is then taken as it is needed, so that jobs can share a GPU. TensorFlow accepts the number of threads
    once in a process, before it computes anything. See
    https://www.tensorflow.org/api_docs/python/tf/config/experimental/enable_op_determinism.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def devices() -> list[str]:
    """Names of the GPUs or TPUs, or of the processor where there is none, e.g. ["GPU:0"]."""
    found = [device.name.removeprefix("/physical_device:") for device in tf.config.list_physical_devices()]
    return [name for name in found if not name.startswith("CPU")] or found


def compute_capabilities() -> list[tuple[int, int] | None]:
    """NVIDIA's compute capability of each GPU, e.g. (9, 0); None for a GPU that does not tell."""
    gpus = tf.config.list_physical_devices("GPU")
    return [tf.config.experimental.get_device_details(gpu).get("compute_capability") for gpu in gpus]


def random_state() -> list:
    """No array: with seeds of its own, Keras keeps its random state in the variables of the model."""
    return []


def set_random_state(arrays: list) -> None:
    """Do nothing, see `random_state`."""


def value_and_gradient(score, variables=()):
    """Compile a score together with its gradient with respect to its first argument.

    Args:
        score: function of (inputs (n, ...), *more tensors) that returns one number per input, shape (n,).
        variables: not needed here: the score always reads the present values. See `on_jax.value_and_gradient`.

    Returns:
        A function of the same arguments that returns two tensors: scores (n,), gradients of the shape of the inputs.
    """

    @tf.function
    def compiled(inputs, *more):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            values = score(inputs, *more)
        return values, tape.gradient(values, inputs)

    def computed(*given):
        tensors = [tf.convert_to_tensor(value) for value in given]
        # Traced once for all numbers of inputs.
        kinds = [tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype) for tensor in tensors]
        return compiled.get_concrete_function(*kinds)(*tensors)

    return computed
