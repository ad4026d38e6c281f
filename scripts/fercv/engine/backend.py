"""Keras 3 and its backend, which is TensorFlow by default, imported with the same settings for every user.

Every module that needs Keras takes it from here (`from fercv.engine.backend import keras`), so that the settings below
hold before anything is built. `native` does what Keras does not offer, with the backend itself. It is the module
on_tensorflow, on_jax or on_torch.
"""

import contextlib
import gc
import importlib.abc
import importlib.machinery
import logging
import os
import platform
import sys
import tempfile

# Variables that make the backends compute in another way. The last bits of all results change with them.
VARIABLES = (
    "TF_XLA_FLAGS", "XLA_FLAGS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE",
    "OPENBLAS_CORETYPE", "NVIDIA_TF32_OVERRIDE",
)  # fmt: skip

# Keras chooses its backend while it is imported.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# By itself TensorFlow takes the kernels of oneDNN only on processors with AVX512_VNNI, AVX512_BF16 or AMX. On others
# they are faster, too. See benchmarks/README.md.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


@contextlib.contextmanager
def silent_import():
    """Hide what TensorFlow's C++ part prints while it is imported; show it where the import fails.

    Without this each job would print four lines. TensorFlow 2.21 describes its build before it reads
    TF_CPP_MIN_LOG_LEVEL.
    """
    try:
        terminal = os.dup(2)
    except OSError:  # The user has closed it. Then nothing is shown.
        yield
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as printed:
        os.dup2(printed.fileno(), 2)
        try:
            yield
        except BaseException:
            printed.seek(0)
            os.write(terminal, printed.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


@contextlib.contextmanager
def without_keras_json():
    """Keep Keras from reading a user's ~/.keras/keras.json: with a wrong entry in it, Keras cannot be imported."""
    before = os.environ.get("KERAS_HOME")
    with tempfile.TemporaryDirectory() as empty:
        os.environ["KERAS_HOME"] = empty
        try:
            yield
        finally:
            if before is None:
                del os.environ["KERAS_HOME"]
            else:
                os.environ["KERAS_HOME"] = before


class NotInstalled(importlib.abc.Loader):
    """Finds some modules and fails to import them, as if they were not installed."""

    def __init__(self, *names: str):
        self.names = names

    def find_spec(self, name, path=None, target=None):
        """Find the modules that are hidden; leave all others to the next finder."""
        return importlib.machinery.ModuleSpec(name, self) if name in self.names else None

    def exec_module(self, module):
        """Refuse to import a module. PyTorch looks for many that it does not import: finding one must not fail."""
        raise ModuleNotFoundError(f"No module named {module.__name__!r}", name=module.__name__)


@contextlib.contextmanager
def without(*names: str):
    """Within this context modules that have not been imported cannot be imported."""
    finder = NotInstalled(*names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


@contextlib.contextmanager
def without_garbage_collection():
    """Keep Python's garbage collector from looking again and again at the objects that an import makes: they stay."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


if os.environ["KERAS_BACKEND"] != "tensorflow":
    # Where TensorFlow is installed too, Keras would import it to seed it. That takes seconds, and memory of the GPU.
    sys.meta_path.insert(0, NotInstalled("tensorflow"))

# Keras imports these if they are installed, for parts of it that are not used here. That takes a second.
UNUSED = ["matplotlib", "sklearn", *(["jax"] if os.environ["KERAS_BACKEND"] != "jax" else [])]
with silent_import(), without_keras_json(), without(*UNUSED), without_garbage_collection():
    import keras

import numpy as np

BACKEND = keras.backend.backend()
if BACKEND == "tensorflow":
    from fercv.engine import on_tensorflow as native
elif BACKEND == "jax":
    from fercv.engine import on_jax as native
else:
    from fercv.engine import on_torch as native

__all__ = ["BACKEND", "keras", "native", "software"]

# TensorFlow warns where a function is traced again. Here that is necessary, as every fold has a model of its own.
logging.getLogger("tensorflow").setLevel(logging.ERROR)
keras.config.set_floatx("float32")
keras.config.set_epsilon(1e-7)
keras.config.set_image_data_format("channels_last")
keras.config.set_dtype_policy("float32")


def software() -> dict[str, str]:
    """What computes: {"keras": "3.15.1", "numpy": ..., "python": ..., "tensorflow": ..., "kernels": "oneDNN"}.

    These are versions, and the library whose kernels a processor runs. Those of VARIABLES that are set are there, too,
    with their values.
    """
    versions = {"keras": keras.__version__, "numpy": np.__version__, "python": platform.python_version()}
    settings = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
    return versions | {BACKEND: native.VERSION, "kernels": native.KERNELS} | settings
