"""One call before anything is built: it settles the GPU, the threads, the seeds and the precision of a job."""

import logging
from typing import NamedTuple

from fercv.engine.backend import BACKEND, keras, native, software
from fercv.engine.devices import choose_precision, devices, give_back_unusable_gpu, on_processor, take_gpu

log = logging.getLogger("fercv")


class Engine(NamedTuple):
    """What a job computes with. The last bits of its results depend on this and on its input alone.

    software: versions, see `backend.software`.
    precision: `float32` or `bfloat16`.
    threads: number of processor threads.
    devices: names, see `devices.devices`.
    """

    software: dict[str, str]
    precision: str
    threads: int
    devices: list[str]


def set_up(
    name: str, seed: int, *, threads: int = 1, jobs_per_gpu: int = 0, precision: str = "float32", width: float = 1.0
) -> Engine:
    """Settle GPU, threads, precision and seeds, in this order. Call it once, before anything is built.

    The GPU and the threads must be settled before the backend looks for devices: JAX starts its threads when it does.
    `auto` chooses the precision by the GPU.

    Args:
        name: of the job, for messages, e.g. "cnn fold 03".
        seed: seed of weights, dropout and everything else that Keras draws, 0 <= seed < 2**32.
        threads: number of processor threads that this job may use.
        jobs_per_gpu: how many jobs may compute on a GPU at a time; 0 for a job that computes on the processor.
        precision: `float32`, `bfloat16` for Keras' mixed_bfloat16 policy (weights stay float32), or `auto`, see
            `devices.choose_precision`.
        width: the model's width multiplier, on which `auto` depends.
    """
    take_gpu(name, jobs_per_gpu)
    native.fix_order(threads)
    give_back_unusable_gpu()
    precision, reason = choose_precision(precision, width)
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    log.info(
        "%s: %s on %s%s, %d thread%s, in %s, %s",
        name, BACKEND, ", ".join(devices()), f" with the kernels of {native.KERNELS}" if on_processor() else "",
        threads, "" if threads == 1 else "s", precision, reason,
    )  # fmt: skip
    return Engine(software(), precision, threads, devices())


def training_layers():
    """Layers for building a model that will be trained: `keras.layers`, or faster layers with the same weights."""
    if BACKEND != "tensorflow":
        return keras.layers
    from fercv.engine import fused

    return fused.training_layers(on_processor())


def fuse_update(optimizer) -> None:
    """Make an optimizer's update faster, in place, where that is possible."""
    if BACKEND == "tensorflow" and on_processor():
        from fercv.engine import fused

        fused.fuse_update(optimizer)
