"""The devices that a job computes on, and the precision that it computes in."""

import contextlib
import logging
import os
from pathlib import Path

from fercv.engine import leases
from fercv.engine.backend import BACKEND, native

log = logging.getLogger("fercv")


def devices() -> list[str]:
    """Names of the devices that Keras computes on: its GPUs or TPUs, or the processor where it has none."""
    return native.devices()


def on_processor() -> bool:
    """Whether Keras computes on the processor, because it can use no GPU or TPU."""
    return all("cpu" in name.lower() for name in devices())


def take_gpu(name: str, jobs_per_gpu: int) -> None:
    """Choose the GPU that this process computes on, see `fercv.engine.leases`. Nothing may have looked for one yet.

    Args:
        name: of the job, for messages, e.g. "cnn fold 03".
        jobs_per_gpu: how many jobs may compute on a GPU at a time; 0 for a job that computes on the processor.

    Raises:
        OSError: see `leases.lease_gpu`.
    """
    if jobs_per_gpu == 0:
        leases.hide_gpus()
    else:
        leases.lease_gpu(name, jobs_per_gpu)


def give_back_unusable_gpu() -> None:
    """Give back a leased GPU that Keras cannot use. A warning then says how to make it usable."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1") or not on_processor():
        return
    leases.release_gpu()
    if gpus := leases.nvidia_gpus():
        log.warning(
            "nvidia-smi lists %d GPU(s), but Keras can use none and computes on the processor; "
            "`%s` installs %s with CUDA",
            len(gpus), native.INSTALL_FOR_GPUS, BACKEND,
        )  # fmt: skip


def choose_precision(asked: str, width: float) -> tuple[str, str]:
    """The precision to compute in, and why.

    Args:
        asked: `float32` or `bfloat16`, which are obeyed, or `auto`. `auto` chooses bfloat16 where the hardware computes
            in it and the model is wide enough to gain by it, see benchmarks/README.md.
        width: the model's width multiplier, 1.0 for one of full width.

    Returns:
        `float32` or `bfloat16`; the reason, for the log.
    """
    if asked != "auto":
        return asked, "as it is asked for"
    if width < 0.25:
        return "float32", "as a model this narrow is faster in it"
    computes, reason = processor_in_bfloat16() if on_processor() else gpus_in_bfloat16()
    return "bfloat16" if computes else "float32", reason


def processor_in_bfloat16() -> tuple[bool, str]:
    """Whether the processor computes faster in bfloat16, and why, for the log."""
    if BACKEND != "tensorflow":
        return False, f"as {BACKEND} is not known to be faster in bfloat16 on a processor"
    names = {"avx512_bf16", "amx_bf16"}
    with contextlib.suppress(OSError):
        flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("flags")[2].split("\n")[0].split())
        if names & flags:
            return True, f"as the processor has {' and '.join(sorted(names & flags))}"
    return False, "as the processor has neither avx512_bf16 nor amx_bf16"


def gpus_in_bfloat16() -> tuple[bool, str]:
    """Whether all GPUs compute in bfloat16, and why, for the log. TPUs always do."""
    for capability in native.compute_capabilities():
        if capability is None:
            return False, "as a GPU does not tell whether it computes in bfloat16"
        if capability < (8, 0):
            found = ".".join(map(str, capability))
            return False, f"as a GPU has compute capability {found}, and bfloat16 begins with 8.0"
    return True, "as the device computes in it"
