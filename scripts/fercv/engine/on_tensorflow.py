"""What TensorFlow itself does for the engine. fercv.engine.backend imports this where it is Keras' backend."""

import tensorflow as tf
from tensorflow.python.framework import test_util

VERSION = tf.__version__
# The library whose kernels TensorFlow runs on a processor. TF_ENABLE_ONEDNN_OPTS=0 chooses Eigen.
KERNELS = "oneDNN" if test_util.IsMklEnabled() else "Eigen"


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


def gpus_in_bfloat16() -> tuple[bool, str]:
    """Whether all GPUs compute in bfloat16, and why, for the log."""
    for gpu in tf.config.list_physical_devices("GPU"):
        capability = tf.config.experimental.get_device_details(gpu).get("compute_capability")
        if capability is None:  # TensorFlow knows it for NVIDIA's GPUs only.
            return False, "as a GPU does not tell whether it computes in bfloat16"
        if capability < (8, 0):
            found = ".".join(map(str, capability))
            return False, f"as a GPU has compute capability {found}, and bfloat16 begins with 8.0"
    return True, "as the device computes in it"


def value_and_gradient(score):
    """Compile a score together with its gradient with respect to its first argument.

    Args:
        score: function of (inputs (n, ...), *more tensors) that returns one number per input, shape (n,).

    Returns:
        A function of the same arguments that returns two tensors: scores (n,), gradients of the shape of the inputs.
    """

    @tf.function(reduce_retracing=True)
    def compiled(inputs, *more):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            values = score(inputs, *more)
        return values, tape.gradient(values, inputs)

    return lambda inputs, *more: compiled(*(tf.convert_to_tensor(value) for value in (inputs, *more)))
