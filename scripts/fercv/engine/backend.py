"""Keras 3 and its backend, TensorFlow by default, imported the same for every user.

Every module that needs Keras takes it from here (`from fercv.engine.backend import keras`), so that the settings below
hold before anything is built. What only one backend can do stands in the file of that backend, `native` here.
"""

import contextlib
import logging
import os
import platform
import sys
import tempfile

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

BACKEND = keras.backend.backend()
if BACKEND == "tensorflow":
    from fercv.engine import on_tensorflow as native
elif BACKEND == "jax":
    from fercv.engine import on_jax as native
else:
    from fercv.engine import on_torch as native

__all__ = ["BACKEND", "keras", "native", "software"]

# TensorFlow advises against tracing a function anew, which every fold's own model makes necessary.
logging.getLogger("tensorflow").setLevel(logging.ERROR)
keras.config.set_floatx("float32")
keras.config.set_epsilon(1e-7)
keras.config.set_image_data_format("channels_last")
keras.config.set_dtype_policy("float32")


def software() -> dict[str, str]:
    """The versions of what computes, e.g. {"keras": "3.15.1", "numpy": "2.4.6", "python": ..., "tensorflow": ...}."""
    versions = {"keras": keras.__version__, "numpy": np.__version__, "python": platform.python_version()}
    return versions | {BACKEND: native.VERSION}
