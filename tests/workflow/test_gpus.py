"""Fold jobs on a machine where a stand-in for nvidia-smi lists GPUs. Keras can compute on none of them."""

import csv
import os
import re
import subprocess
import time
from datetime import datetime

from filelock import FileLock
from helpers import nvidia_smi_of

TARGET = "results/demo-tiny/fc/folds/00/metrics.json"
WAIT = 10


def time_of(log, text):
    """The time at which the log's first line with a text was written."""
    line = next(line for line in log.read_text(encoding="utf-8").splitlines() if text in line)
    return datetime.fromisoformat(line[:23].replace(",", "."))


def test_a_fold_waits_for_its_gpu_and_says_so(workflow, tmp_path):
    nvidia_smi_of(tmp_path, 1)
    environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    del environment["CUDA_VISIBLE_DEVICES"]
    leases = tmp_path / f"fer-crossval-gpus-{os.getuid()}"
    leases.mkdir()
    log = tmp_path / "results/demo-tiny/logs/train_fold/fc_00.log"
    lock = FileLock(leases / "GPU-0.0.lock")
    lock.acquire()
    running = subprocess.Popen(
        workflow.command(TARGET), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    end = time.monotonic() + 120
    while "waiting for one of 1 GPU(s)" not in (log.read_text(encoding="utf-8") if log.exists() else ""):
        assert running.poll() is None, running.stdout.read()
        assert time.monotonic() < end
        time.sleep(0.1)
    time.sleep(WAIT)
    lock.release()
    said = running.communicate(timeout=120)[0]
    assert running.returncode == 0, said
    assert "WARNING: fc fold 00: waiting for one of 1 GPU(s); each is leased to 1 job(s)" in said
    lines = [line.split(" INFO ")[1] for line in log.read_text(encoding="utf-8").splitlines() if " INFO " in line]
    assert lines[0].startswith("fc fold 00: has GPU GPU-0, after ")
    assert lines[1] == (
        "fc fold 00: tensorflow on CPU:0 with the kernels of oneDNN, 1 thread, in float32, as a model this narrow is "
        "faster in it"
    )
    # Waiting does not count as training: the epochs together are no longer than the time from the lease to their end.
    with (tmp_path / TARGET).with_name("timing.csv").open(encoding="utf-8") as file:
        trained = sum(float(epoch["seconds"]) + float(epoch["validation_seconds"]) for epoch in csv.DictReader(file))
    assert float(re.search(r"after (\d+) s of waiting", lines[0])[1]) >= WAIT
    assert 0 < trained < (time_of(log, "epoch 3/3") - time_of(log, "has GPU")).total_seconds()
