import json
import os
import subprocess
import sys

import numpy as np
import pytest
from helpers import REPOSITORY

from fercv.engine.backend import keras, native, software


@pytest.mark.parametrize("floatx", ["float16", "bfloat16"])
def test_a_users_keras_json_changes_nothing_and_the_import_says_nothing(tmp_path, floatx):
    """Keras itself cannot be imported with the floatx bfloat16."""
    hostile = {"backend": "torch", "floatx": floatx, "epsilon": 0.1, "image_data_format": "channels_first"}
    (tmp_path / "keras.json").write_text(json.dumps(hostile))
    code = (
        "from fercv.engine.backend import keras; from fercv.nets.models import build_model;"
        "m = build_model('cnn', (32, 48, 1), 3, {'width': 0.1});"
        "print(keras.backend.backend(), keras.config.floatx(), keras.config.epsilon(), m.input_shape)"
    )
    environment = {**os.environ, "KERAS_HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY / "scripts")}
    del environment["KERAS_BACKEND"]
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout == "tensorflow float32 1e-07 (None, 32, 48, 1)\n"
    assert done.stderr == ""


def test_a_closed_stderr_does_not_matter():
    code = "from fercv.engine.backend import BACKEND; print(BACKEND)"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "scripts")}
    done = subprocess.run(f"{sys.executable} -c '{code}' 2>&-", shell=True, env=environment, capture_output=True)
    assert done.stdout == b"tensorflow\n"


def test_variables_that_change_the_last_bits_are_recorded(monkeypatch):
    assert "TF_XLA_FLAGS" not in software()
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=2")
    assert software()["TF_XLA_FLAGS"] == "--tf_xla_auto_jit=2"


def test_value_and_gradient_by_hand():
    function = native.value_and_gradient(lambda x, scale: keras.ops.sum(scale * x * x, axis=1))
    values, gradients = function(np.array([[1.0, 2.0], [3.0, 0.0]], np.float32), np.array([[1.0], [2.0]], np.float32))
    np.testing.assert_allclose(values, [5, 18])
    np.testing.assert_allclose(gradients, [[2, 4], [12, 0]])


def test_memory_of_gpus_is_taken_as_it_is_needed(monkeypatch):
    import tensorflow as tf

    grown = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [f"{kind} 0", f"{kind} 1"])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda *arguments: grown.append(arguments))
    native.fix_order(1)
    assert grown == [("GPU 0", True), ("GPU 1", True)]
