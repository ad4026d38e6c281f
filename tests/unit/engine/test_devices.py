import os

import pytest

from fercv.engine import devices, leases


def test_gpus_that_keras_does_not_use_are_one_warning_with_its_mending_and_free_for_others(
    nvidia_smi, monkeypatch, caplog
):
    devices.take_gpu("cnn fold 00", 1)
    devices.give_back_unusable_gpu()
    (record,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "2 GPU(s)" in record.getMessage()
    assert "requirements-gpu.txt" in record.getMessage()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-0"
    assert leases.leases == []


def test_gpus_that_the_user_hid_are_no_warning(nvidia_smi, monkeypatch, caplog):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    devices.take_gpu("cnn fold 00", 1)
    devices.give_back_unusable_gpu()
    assert not caplog.records


def test_a_job_that_asks_for_no_gpu_sees_none(nvidia_smi, caplog):
    devices.take_gpu("summarize_architecture cnn", 0)
    devices.give_back_unusable_gpu()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"
    assert not caplog.records


def test_no_nvidia_smi_no_warning(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    devices.take_gpu("cnn fold 00", 1)
    devices.give_back_unusable_gpu()
    assert not caplog.records


@pytest.mark.parametrize("asked", ["float32", "bfloat16"])
def test_a_precision_that_is_asked_for_is_taken(asked):
    assert devices.choose_precision(asked, 1.0) == (asked, "as it is asked for")


@pytest.mark.parametrize(
    ("flags", "chosen", "reason"),
    [
        ("fpu avx512_bf16 sse2", "bfloat16", "the processor has avx512_bf16"),
        ("fpu amx_bf16 avx512_bf16", "bfloat16", "the processor has amx_bf16 and avx512_bf16"),
        ("fpu avx512f", "float32", "the processor has neither avx512_bf16 nor amx_bf16"),
    ],
)
def test_the_precision_follows_what_the_processor_has(flags, chosen, reason, monkeypatch):
    text = f"processor\t: 0\nmodel name\t: Some\nflags\t\t: {flags}\nbogomips\t: 1\n\nprocessor\t: 1\n"
    monkeypatch.setattr("pathlib.Path.read_text", lambda *_, **__: text)
    monkeypatch.setattr(devices, "on_processor", lambda: True)
    assert devices.choose_precision("auto", 0.25) == (chosen, f"as {reason}")
    assert devices.choose_precision("auto", 0.125) == ("float32", "as a model this narrow is faster in it")


@pytest.mark.parametrize(
    ("capabilities", "chosen", "reason"),
    [
        ([(8, 0), (9, 0)], "bfloat16", "the device computes in it"),
        ([(9, 0), (7, 5)], "float32", "a GPU has compute capability 7.5, and bfloat16 begins with 8.0"),
        ([None], "float32", "a GPU does not tell whether it computes in bfloat16"),
    ],
)
def test_the_precision_follows_what_the_gpus_can(capabilities, chosen, reason, monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(devices, "on_processor", lambda: False)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: capabilities)
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": gpu} if gpu else {}
    )
    assert devices.choose_precision("auto", 1.0) == (chosen, f"as {reason}")
    assert devices.choose_precision("auto", 0.125) == ("float32", "as a model this narrow is faster in it")


def test_only_tensorflow_takes_bfloat16_on_a_processor_by_itself(monkeypatch):
    monkeypatch.setattr(devices, "on_processor", lambda: True)
    monkeypatch.setattr(devices, "BACKEND", "jax")
    assert devices.choose_precision("auto", 1.0) == (
        "float32",
        "as jax is not known to be faster in bfloat16 on a processor",
    )
    assert devices.choose_precision("bfloat16", 1.0)[0] == "bfloat16"
