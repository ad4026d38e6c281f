"""Keras 3 and its backend, which is TensorFlow by default, imported with the same settings for every user.

Every module that needs Keras takes it from here (`from fercv.engine.backend import keras`), so that the settings below
hold before anything is built. `native` does what Keras does not offer, with the backend itself. It is the module
on_tensorflow, on_jax or on_torch.
"""

import contextlib
import logging
import os
import platform
import sys
import tempfile

# Keras chooses its backend while it is imported. Without this variable a user's ~/.keras/keras.json would decide.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


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
        except KeyboardInterrupt:
            # The import takes seconds. A traceback through it would help nobody.
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
    """Versions of the software that computes: {"keras": "3.15.1", "numpy": ..., "python": ..., "tensorflow": ...}."""
    versions = {"keras": keras.__version__, "numpy": np.__version__, "python": platform.python_version()}
    return versions | {BACKEND: native.VERSION}
