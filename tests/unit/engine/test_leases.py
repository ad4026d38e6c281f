"""One GPU for each job: real processes, real locks, and a stand-in for nvidia-smi."""

import contextlib
import os
import random
import selectors
import subprocess
import sys
from collections import Counter

import pytest
from helpers import REPOSITORY, nvidia_smi_of

from fercv.engine import leases

HOLDER = """
import logging, os, sys
from fercv.engine import leases
if sys.argv[3] == "without locks":
    leases.FileLock.acquire = lambda lock, timeout: None
logging.basicConfig(format="%(message)s", stream=sys.stderr, level=logging.INFO)
leases.SECONDS_BETWEEN_TRIES = 0.05
leases.lease_gpu("cnn fold " + sys.argv[1], int(sys.argv[2]))
print(*(f"{name}={os.environ.get(name)}" for name in leases.VARIABLES), flush=True)
sys.stdin.read()
"""


class Machine:
    """Starts jobs on a machine of its own: stand-in programs on the PATH, and a temporary folder for the locks."""

    def __init__(self, folder):
        self.folder, self.programs = folder, folder / "bin"
        self.programs.mkdir()
        self.started = []
        self.locks = "with locks"

    def environment(self, **changes):
        inherited = {name: value for name, value in os.environ.items() if name not in leases.VARIABLES}
        own = {"TMPDIR": str(self.folder), "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}"}
        return inherited | own | {"PYTHONPATH": str(REPOSITORY / "scripts")} | changes

    def start(self, name, jobs_per_gpu, **environment):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, name, str(jobs_per_gpu), self.locks],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=self.environment(**environment),
        )  # fmt: skip
        self.started.append(process)
        return process

    def visible(self, jobs_per_gpu=1, **environment):
        """The variables that a single job sees, {variable: value}, and its messages."""
        said, messages = self.start("00", jobs_per_gpu, **environment).communicate(timeout=60)
        found = dict(pair.split("=", 1) for pair in said.split())
        return {name: value for name, value in found.items() if value != "None"}, messages


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    yield machine
    for process in machine.started:
        with process:
            process.kill()


def crowd(machine, jobs, jobs_per_gpu, kills):
    """Start jobs together. Whenever one gets a GPU, end or kill random ones, until each job has had a GPU.

    Returns:
        The largest number of living jobs on each GPU.
    """
    draw = random.Random(3)
    waiting, holding, most = {}, {}, Counter()
    with selectors.DefaultSelector() as ready:
        for number in range(jobs):
            process = machine.start(f"{number:02}", jobs_per_gpu)
            waiting[process.stdout] = process
            ready.register(process.stdout, selectors.EVENT_READ)
        while waiting:
            events = ready.select(timeout=60)
            assert events, f"{len(waiting)} jobs wait for ever"
            for key, _ in events:
                gpu = key.fileobj.readline().split()[0].removeprefix("CUDA_VISIBLE_DEVICES=")
                holding[waiting.pop(key.fileobj)] = gpu
                ready.unregister(key.fileobj)
            most |= Counter(holding.values())
            # If all places are taken, one job must end before another one can start.
            while holding and (len(holding) >= 3 * jobs_per_gpu or not draw.randrange(3)):
                process = draw.choice(list(holding))
                # From here on another job may take its place.
                del holding[process]
                if kills:
                    process.kill()
                else:
                    process.stdin.close()
                process.wait()
    return most


@pytest.mark.parametrize("kills", [False, True], ids=["ending", "killed"])
def test_never_more_jobs_on_a_gpu_than_allowed_and_none_waits_for_ever(machine, kills):
    nvidia_smi_of(machine.programs, 3)
    most = crowd(machine, jobs=8, jobs_per_gpu=2, kills=kills)
    assert set(most) == {"GPU-0", "GPU-1", "GPU-2"}
    assert max(most.values()) <= 2
    # No lease is left behind: a killed job gives back its GPU.
    for process in machine.started:
        process.kill()
        process.wait()
    again = [machine.start(f"{number:02}", 2) for number in range(6)]
    gpus = Counter(process.stdout.readline().split()[0] for process in again)
    assert gpus == {f"CUDA_VISIBLE_DEVICES=GPU-{number}": 2 for number in range(3)}


def test_without_locks_all_take_the_first_gpu(machine):
    """The control: the same jobs, with locks that stop none of them."""
    nvidia_smi_of(machine.programs, 3)
    machine.locks = "without locks"
    assert max(crowd(machine, jobs=8, jobs_per_gpu=2, kills=False).values()) > 2


def test_a_gpu_gets_a_second_job_only_when_each_has_one(machine):
    nvidia_smi_of(machine.programs, 3)
    processes = [machine.start(f"{number:02}", 2) for number in range(3)]
    assert len({process.stdout.readline() for process in processes}) == 3


def test_a_job_that_waits_says_for_what_and_afterwards_how_long(machine):
    nvidia_smi_of(machine.programs, 1)
    first = machine.start("00", 1)
    assert first.stdout.readline().startswith("CUDA_VISIBLE_DEVICES=GPU-0 ")
    second = machine.start("01", 1)
    said = second.stderr.readline()
    assert said.startswith("cnn fold 01: waiting for one of 1 GPU(s); each is leased to 1 job(s)")
    first.kill()
    assert second.stdout.readline().startswith("CUDA_VISIBLE_DEVICES=GPU-0 ")
    assert second.stderr.readline().startswith("cnn fold 01: has GPU GPU-0, after ")


@pytest.mark.parametrize("variable", leases.VARIABLES)
@pytest.mark.parametrize("value", ["0", "1,0", "-1", ""])
def test_what_a_scheduler_or_the_user_has_set_is_obeyed_and_nothing_is_leased(machine, variable, value):
    nvidia_smi_of(machine.programs, 2)
    assert machine.visible(**{variable: value}) == ({variable: value}, "")
    assert not list(machine.folder.glob("**/*.lock"))


def test_without_a_gpu_nothing_is_leased_or_said(machine):
    assert machine.visible() == ({}, "")
    failing = machine.programs / "nvidia-smi"
    failing.write_text("#!/bin/sh\necho NVIDIA-SMI has failed\nexit 9\n")
    failing.chmod(0o755)
    assert machine.visible() == ({}, "")
    assert not list(machine.folder.glob("**/*.lock"))


def test_a_gpu_that_is_divided_is_leased_in_its_parts(machine):
    program = machine.programs / "nvidia-smi"
    program.write_text(
        "#!/bin/sh\ncat <<END\n"
        "GPU 0: A100 (UUID: GPU-aa)\n"
        "  MIG 1g.5gb      Device  0: (UUID: MIG-aa0)\n"
        "  MIG 1g.5gb      Device  1: (UUID: MIG-aa1)\n"
        "GPU 1: A100 (UUID: GPU-bb)\n"
        "END\n"
    )
    program.chmod(0o755)
    seen = {machine.start(f"{number:02}", 1).stdout.readline().split()[0].split("=")[1] for number in range(3)}
    assert seen == {"MIG-aa0", "MIG-aa1", "GPU-bb"}


def test_an_amd_gpu_is_leased_by_its_number(machine):
    program = machine.programs / "rocm-smi"
    program.write_text(
        "#!/bin/sh\n[ $* = --showid ] || exit 1\ncat <<END\n"
        "=== ROCm System Management Interface ===\n"
        "GPU[0]\t\t: Device Name: \t\tInstinct\nGPU[0]\t\t: Device ID: \t\t0x74a1\n"
        "GPU[1]\t\t: Device Name: \t\tInstinct\n"
        "END\n"
    )
    program.chmod(0o755)
    first = machine.start("00", 1)
    assert first.stdout.readline().split()[1] == "HIP_VISIBLE_DEVICES=0"
    assert machine.visible()[0] == {"HIP_VISIBLE_DEVICES": "1"}


def test_a_gpu_that_is_given_back_is_free_for_others(tmp_path, monkeypatch):
    nvidia_smi_of(tmp_path, 1)
    monkeypatch.setattr(leases.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for _ in range(2):
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        with contextlib.ExitStack() as given_back:
            given_back.callback(leases.release_gpu)
            leases.lease_gpu("cnn fold 00", 1)
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-0"
            places = [("GPU-0", path) for path in tmp_path.glob("*/*.lock")]
            assert leases.take_free_place(places) is None


def test_what_nvidia_smi_says_need_not_be_utf_8(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_bytes(b"#!/bin/sh\nprintf 'GPU 0: Card \\351 (UUID: GPU-7)\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert leases.nvidia_gpus() == ["GPU-7"]
