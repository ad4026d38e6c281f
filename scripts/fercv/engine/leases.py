"""One GPU for each job on one machine, where no scheduler assigns them.

Snakemake's local executor at best counts GPUs. It does not tell a job which GPU to use, and all jobs would use the
first. So a job leases one: each GPU has as many lock files as jobs may use it at a time, and a job that holds one of
these locks computes on that GPU. The kernel releases the lock when the process ends, even where it is killed.
"""

import logging
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger("fercv")

# CUDA and ROCm use the GPUs that these variables name.
VARIABLES = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
SECONDS_BETWEEN_TRIES = 1
# The lock that this process holds. It is kept until the process ends: only then is the GPU's memory free again.
leases: list[FileLock] = []


def lease_gpu(name: str, jobs_per_gpu: int) -> None:
    """Let this process see one GPU that fewer than `jobs_per_gpu` others use; wait until there is one.

    Nothing happens where there is no GPU, or where a scheduler or the user has set one of VARIABLES. Call it before
    anything computes.

    Args:
        name: of the job, for messages, e.g. "cnn fold 03".
        jobs_per_gpu: how many processes of this user may compute on a GPU at a time.

    Raises:
        OSError: the lock files cannot be made, or their file system has no `flock`.
    """
    if any(variable in os.environ for variable in VARIABLES):
        return
    gpus, variable = nvidia_gpus(), "CUDA_VISIBLE_DEVICES"
    if not gpus:
        gpus, variable = amd_gpus(), "HIP_VISIBLE_DEVICES"
    if not gpus:
        return
    folder = Path(tempfile.gettempdir(), f"fer-crossval-gpus-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    # No GPU gets its second job before each of them has its first.
    places = [(gpu, folder / f"{gpu}.{number}.lock") for number in range(jobs_per_gpu) for gpu in gpus]
    began = time.monotonic()
    gpu = take_free_place(places)
    if gpu is None:
        log.warning(
            "%s: waiting for one of %d GPU(s); each is leased to %d job(s), and gpus.jobs_per_gpu allows no more",
            name, len(gpus), jobs_per_gpu,
        )  # fmt: skip
    while gpu is None:
        time.sleep(SECONDS_BETWEEN_TRIES)
        gpu = take_free_place(places)
    os.environ[variable] = gpu
    log.info("%s: has GPU %s, after %.0f s of waiting", name, gpu, time.monotonic() - began)


def take_free_place(places: list[tuple[str, Path]]) -> str | None:
    """Lock the first file of (GPU, lock file) that nobody holds; return its GPU, or None where all are held."""
    for gpu, path in places:
        # filelock's soft locks would outlive a killed process.
        lock = FileLock(path, thread_local=False, fallback_to_soft=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        leases.append(lock)
        return gpu
    return None


def release_gpu() -> None:
    """Give back the GPU that this process leased and cannot use."""
    while leases:
        leases.pop().release()


def hide_gpus() -> None:
    """Hide all GPUs from this process, unless a scheduler or the user has set one of VARIABLES."""
    if not any(variable in os.environ for variable in VARIABLES):
        os.environ.update(dict.fromkeys(VARIABLES[:2], "-1"))


def nvidia_gpus() -> list[str]:
    """UUIDs of the GPUs that nvidia-smi lists. A GPU that MIG divides is replaced by its instances.

    CUDA numbers GPUs in another order than nvidia-smi, so only a UUID is unambiguous, see
    https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#env-vars.
    """
    listed = output_of("nvidia-smi", "-L")
    gpus = re.findall(r"^GPU .*\(UUID: (\S+)\)((?:\n +MIG .*)*)", listed, re.MULTILINE)
    return [uuid for gpu, parts in gpus for uuid in re.findall(r"\(UUID: (\S+)\)", parts) or [gpu]]


def amd_gpus() -> list[str]:
    """Numbers of the GPUs that rocm-smi lists."""
    return sorted(set(re.findall(r"^GPU\[(\d+)\]", output_of("rocm-smi", "--showid"), re.MULTILINE)), key=int)


def output_of(program: str, *arguments: str) -> str:
    """What a program prints; an empty text where it is missing, fails or takes more than a minute."""
    if shutil.which(program) is None:
        return ""
    try:
        done = subprocess.run(
            [program, *arguments], capture_output=True, encoding="utf-8", errors="replace", timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
