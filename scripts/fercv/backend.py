"""The engine: Keras 3, TensorFlow by default, set up the same for every user.

Every module that needs Keras takes it from here (`from fercv.backend import keras`), so that the settings below hold
before anything is built. Only this module, and fercv.fused behind it, touch `tensorflow` itself.
"""

import contextlib
import logging
import os
import platform
import sys
import tempfile
from pathlib import Path

# Keras reads its backend while it is imported; a user's ~/.keras/keras.json must not decide it.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def silent_import():
    """Keep what TensorFlow's C++ part prints while it is imported off the terminal, unless the import fails.

    TF 2.21 prints four lines about its build before it heeds TF_CPP_MIN_LOG_LEVEL, and would in each job.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as printed:
        os.dup2(printed.fileno(), 2)
        try:
            yield
        except KeyboardInterrupt:
            # In the seconds that this takes a traceback would tell nobody anything.
            sys.exit(130)
        except BaseException:
            printed.seek(0)
            os.write(terminal, printed.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


with silent_import():
    import keras

import numpy as np

from fercv import leases
from fercv.errors import InputError

# TensorFlow advises against tracing a function anew, which every fold's own model makes necessary.
logging.getLogger("tensorflow").setLevel(logging.ERROR)
keras.config.set_floatx("float32")
keras.config.set_epsilon(1e-7)
keras.config.set_image_data_format("channels_last")
keras.config.set_dtype_policy("float32")

__all__ = [
    "BACKEND", "choose_precision", "compile_update", "configure", "devices", "keras", "on_processor", "software",
    "take_gpu", "training_layers", "value_and_gradient",
]  # fmt: skip

BACKEND = keras.backend.backend()
log = logging.getLogger("fercv")


def configure(threads: int, seed: int, precision: str = "float32") -> None:
    """Fix what a job computes with: threads, seeds and precision. Call it once, before anything is built.

    Args:
        threads: processor threads of this job.
        seed: seed of weights, dropout and everything else that Keras draws, 0 <= seed < 2**32.
        precision: `float32`, or `bfloat16` for Keras' mixed_bfloat16 policy (weights stay float32).

    TensorFlow's op determinism makes two runs on the same machine equal bit for bit, see
    https://www.tensorflow.org/api_docs/python/tf/config/experimental/enable_op_determinism.
    """
    if BACKEND == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.experimental.enable_op_determinism()
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")


def choose_precision(asked: str, width: float) -> tuple[str, str]:
    """What to compute with, and why.

    Args:
        asked: `float32` or `bfloat16`, which is what it will be, or `auto`: bfloat16 where the hardware computes in it
            and the model is wide enough to gain by it, as benchmarks/README.md shows.
        width: the model's width multiplier, 1.0 for one of full width.

    Returns:
        `float32` or `bfloat16`; the reason, for the log.
    """
    if asked != "auto":
        return asked, "as the definition says"
    if width < 0.25:
        return "float32", "as so narrow a model is faster with"
    if BACKEND != "tensorflow":
        return "float32", f"as {BACKEND} was not tried with bfloat16"
    if on_processor():
        names = {"avx512_bf16", "amx_bf16"}
        with contextlib.suppress(OSError):
            flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("flags")[2].split("\n")[0].split())
            if names & flags:
                return "bfloat16", f"as the processor has {' and '.join(sorted(names & flags))}"
        return "float32", "as the processor has neither avx512_bf16 nor amx_bf16"
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        capability = tf.config.experimental.get_device_details(gpu).get("compute_capability")
        if capability is None:  # TensorFlow knows it of NVIDIA's alone.
            return "float32", "as a GPU does not tell whether it computes in bfloat16"
        if capability < (8, 0):
            found = ".".join(map(str, capability))
            return "float32", f"as a GPU has compute capability {found}, bfloat16 begins with 8.0"
    return "bfloat16", "as the device computes in it"


def on_processor() -> bool:
    """Whether Keras computes on the processor, for want of a GPU or TPU that it can use."""
    return all("cpu" in name.lower() for name in devices())


def training_layers():
    """The layers to build a model of that is to be trained: `keras.layers`, or faster ones of the same weights."""
    if BACKEND != "tensorflow":
        return keras.layers
    from fercv import fused

    return fused.training_layers(on_processor())


def compile_update(optimizer, weights: int) -> None:
    """Make an optimizer faster, in place, where its update of that many weights takes a good part of a step."""
    if BACKEND == "tensorflow" and on_processor():
        from fercv import fused

        fused.compile_update(optimizer, weights)


def software() -> dict[str, str]:
    """The versions of what computes, e.g. {"keras": "3.15.1", "numpy": "2.4.6", "python": ..., "tensorflow": ...}."""
    if BACKEND == "tensorflow":
        import tensorflow as engine
    elif BACKEND == "jax":
        import jax as engine
    else:
        import torch as engine
    versions = {"keras": keras.__version__, "numpy": np.__version__, "python": platform.python_version()}
    return versions | {BACKEND: engine.__version__}


def devices() -> list[str]:
    """Names of the devices that Keras computes on: its GPUs or TPUs, and the processor where it has none."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        found = [device.name.removeprefix("/physical_device:") for device in tf.config.list_physical_devices()]
        return [name for name in found if not name.startswith("CPU")] or found
    return keras.distribution.list_devices()


def take_gpu(name: str, jobs_per_gpu: int) -> None:
    """Settle which GPU this process computes on, see `fercv.leases`. To be called before `configure`.

    A leased GPU that Keras cannot use is given back at once, with a warning that tells the mending.

    Args:
        name: of the job, for messages, e.g. "cnn fold 03".
        jobs_per_gpu: how many jobs may compute on a GPU at a time; 0 for a job that computes on the processor.
    """
    if jobs_per_gpu == 0:
        leases.hide_gpus()
        return
    leases.lease_gpu(name, jobs_per_gpu)
    if not on_processor():
        return
    leases.release_gpu()
    gpus = leases.nvidia_gpus()
    if gpus and os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1"):
        log.warning(
            "nvidia-smi lists %d GPU(s), Keras sees none and computes on the processor; "
            "`pip install -r requirements-gpu.txt` installs TensorFlow with CUDA",
            len(gpus),
        )


def value_and_gradient(score):
    """Compile a score together with its gradient with respect to its first argument.

    Args:
        score: function of (inputs (n, ...), *more tensors) that returns one number per input, shape (n,).

    Returns:
        A function of the same arguments that returns (scores (n,), gradients shaped like the inputs), as tensors.

    Raises:
        InputError: `keras.ops` has no gradients, so only TensorFlow is supported.
    """
    if BACKEND != "tensorflow":
        raise InputError(
            f"KERAS_BACKEND is {BACKEND!r}: saliency and gradient ascent need TensorFlow; unset KERAS_BACKEND for them"
        )
    import tensorflow as tf

    @tf.function(reduce_retracing=True)
    def compiled(inputs, *more):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            values = score(inputs, *more)
        return values, tape.gradient(values, inputs)

    return lambda inputs, *more: compiled(*(tf.convert_to_tensor(value) for value in (inputs, *more)))
