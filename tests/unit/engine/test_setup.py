import json
import os
import subprocess
import sys

import numpy as np
import pytest
from helpers import REPOSITORY

from fercv.engine import devices, setup
from fercv.engine.backend import keras, native
from fercv.engine.setup import Engine, set_up


@pytest.fixture(autouse=True)
def in_float32_again():
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def called(monkeypatch):
    """The steps of `set_up`, in the order in which they are first called, and the GPU that was visible then."""
    order = {}

    def record(module, name):
        function = getattr(module, name)

        def recorded(*arguments, **keywords):
            order.setdefault(name, os.environ.get("CUDA_VISIBLE_DEVICES"))
            return function(*arguments, **keywords)

        monkeypatch.setattr(module, name, recorded)

    for module, name in [
        (setup, "take_gpu"), (native, "devices"), (setup, "choose_precision"), (native, "fix_order"),
        (keras.utils, "set_random_seed"), (keras.config, "set_dtype_policy"),
    ]:  # fmt: skip
        record(module, name)
    return order


def test_gpu_and_threads_are_settled_before_the_backend_counts_devices_and_the_precision_is_chosen(nvidia_smi, called):
    set_up("cnn fold 00", 7, jobs_per_gpu=1, precision="auto")
    assert list(called)[:4] == ["take_gpu", "fix_order", "devices", "choose_precision"]
    assert called["take_gpu"] is None
    assert called["fix_order"] == called["devices"] == called["choose_precision"] == "GPU-0"
    assert set(list(called)[4:]) == {"set_random_seed", "set_dtype_policy"}


def test_a_job_for_the_processor_hides_the_gpus_before_the_backend_counts_devices(nvidia_smi, called):
    set_up("summarize_architecture cnn", 7)
    assert called["devices"] == "-1"


@pytest.mark.parametrize(("precision", "policy"), [("float32", "float32"), ("bfloat16", "mixed_bfloat16")])
def test_it_returns_what_was_used(precision, policy):
    code = (
        "import json, sys; import tensorflow as tf; from fercv.engine.setup import set_up;"
        "from fercv.engine.backend import keras;"
        "engine = set_up('cnn fold 00', 7, threads=2, precision=sys.argv[1]);"
        "tf.zeros(1);"
        "used = [keras.__version__, keras.config.dtype_policy().name,"
        "        tf.config.threading.get_intra_op_parallelism_threads(), keras.Variable(1.0).value.device];"
        "print(json.dumps([engine, used]))"
    )
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "scripts")}
    command = [sys.executable, "-c", code, precision]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    returned, (version, used_policy, threads, device) = json.loads(done.stdout)
    engine = Engine(*returned)
    assert engine.software["keras"] == version
    assert set(engine.software) == {"keras", "numpy", "python", "tensorflow", "kernels"}
    assert engine.precision == precision
    assert used_policy == policy
    assert engine.threads == threads == 2
    assert any(device.endswith(name) for name in engine.devices)


@pytest.mark.parametrize(("variable", "kernels"), [({}, "oneDNN"), ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "Eigen")])
def test_a_job_computes_with_the_kernels_that_it_tells(variable, kernels):
    """If ONEDNN_VERBOSE is set, oneDNN prints what it computes."""
    code = (
        "import json, os;"
        "from fercv.engine.setup import set_up;"
        "from fercv.engine.backend import keras;"
        "engine = set_up('cnn fold 00', 7);"
        "model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(3, 3)]);"
        "model.compile('sgd', 'mse');"
        "model.train_on_batch(keras.ops.zeros((2, 8, 8, 1)), keras.ops.zeros((2, 6, 6, 3)));"
        "print(json.dumps([engine.software['kernels'], os.environ['TF_ENABLE_ONEDNN_OPTS']]))"
    )
    environment = {key: value for key, value in os.environ.items() if key != "TF_ENABLE_ONEDNN_OPTS"}
    environment |= {"PYTHONPATH": str(REPOSITORY / "scripts"), "ONEDNN_VERBOSE": "1"} | variable
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    *said, told = done.stdout.splitlines()
    # On a processor with AVX512_BF16 TensorFlow would take oneDNN even if the variable was not set.
    assert json.loads(told) == [kernels, variable.get("TF_ENABLE_ONEDNN_OPTS", "1")]
    computed = [line.split(",") for line in said if line.startswith("onednn_verbose") and ",exec," in line]
    convolved = {words[7] for words in computed if "convolution" in words}
    assert convolved == ({"forward_training", "backward_weights"} if kernels == "oneDNN" else set())


def test_the_precision_that_auto_chooses_is_returned_used_and_logged(monkeypatch, caplog):
    caplog.set_level("INFO", "fercv")
    for computes, precision, policy in [(True, "bfloat16", "mixed_bfloat16"), (False, "float32", "float32")]:
        monkeypatch.setattr(devices, "on_processor", lambda: True)
        monkeypatch.setattr(devices, "processor_in_bfloat16", lambda computes=computes: (computes, "as it is"))
        engine = set_up("cnn fold 00", 7, precision="auto")
        assert engine.precision == precision
        assert keras.config.dtype_policy().name == policy
        assert caplog.messages[-1] == (
            f"cnn fold 00: tensorflow on {', '.join(engine.devices)} with the kernels of oneDNN, 1 thread, "
            f"in {precision}, as it is"
        )


def test_what_keras_draws_follows_from_the_seed():
    drawn = []
    for seed in (7, 7, 8):
        set_up("tests", seed)
        drawn.append(np.asarray(keras.initializers.GlorotUniform()((3, 4))))
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).all()
