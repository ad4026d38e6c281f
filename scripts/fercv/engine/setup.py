"""Settling what a job computes on and with: one call, before anything is built."""

import logging
from typing import NamedTuple

from fercv.engine.backend import BACKEND, keras, native, software
from fercv.engine.devices import choose_precision, devices, on_processor, take_gpu

log = logging.getLogger("fercv")


class Engine(NamedTuple):
    """What a job computes with, all that its last bits depend on besides its input.

    software: versions, see `backend.software`.
    precision: `float32` or `bfloat16`.
    threads: processor threads.
    devices: names, see `devices.devices`.
    """

    software: dict[str, str]
    precision: str
    threads: int
    devices: list[str]


def set_up(
    name: str, seed: int, *, threads: int = 1, jobs_per_gpu: int = 0, precision: str = "float32", width: float = 1.0
) -> Engine:
    """Settle GPU, threads, seeds and precision, in the order that they need. Call it once, before anything is built.

    A GPU must be chosen before the backend looks for one, and the precision follows from the GPU.

    Args:
        name: of the job, for messages, e.g. "cnn fold 03".
        seed: seed of weights, dropout and everything else that Keras draws, 0 <= seed < 2**32.
        threads: processor threads of this job.
        jobs_per_gpu: how many jobs may compute on a GPU at a time; 0 for a job that computes on the processor.
        precision: `float32`, `bfloat16` for Keras' mixed_bfloat16 policy (weights stay float32), or `auto`, see
            `devices.choose_precision`.
        width: the model's width multiplier, which `auto` goes by.
    """
    take_gpu(name, jobs_per_gpu)
    precision, reason = choose_precision(precision, width)
    native.fix_order(threads)
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    log.info(
        "%s: %s on %s, %d thread%s, in %s, %s",
        name, BACKEND, ", ".join(devices()), threads, "" if threads == 1 else "s", precision, reason,
    )  # fmt: skip
    return Engine(software(), precision, threads, devices())


def training_layers():
    """The layers to build a model of that is to be trained: `keras.layers`, or faster ones of the same weights."""
    if BACKEND != "tensorflow":
        return keras.layers
    from fercv.engine import fused

    return fused.training_layers(on_processor())


def compile_update(optimizer, weights: int) -> None:
    """Make an optimizer faster, in place, where its update of that many weights takes a good part of a step."""
    if BACKEND == "tensorflow" and on_processor():
        from fercv.engine import fused

        fused.compile_update(optimizer, weights)
