"""cluster.sh when a daemon doesn't start. Stand-ins for the three daemons need neither Slurm nor root."""

import os
import subprocess
from pathlib import Path

import psutil
import pytest

SCRIPT = Path(__file__).with_name("cluster.sh")

# A stand-in that leaves a process behind, as slurmctld does. The pid file is written only after a while.
DAEMON = """#!/bin/sh
for argument in "$@"; do
  case $argument in
  --pid-file=*) file=${argument#*=} ;;
  */slurm.conf) file=$(sed -n "s/^SlurmctldPidFile=//p" "$argument") ;;
  esac
done
sleep 600 </dev/null >/dev/null 2>&1 &
echo $! >>"$PIDS"
(sleep 0.5; echo $! >"$file") </dev/null >/dev/null 2>&1 &
"""
BROKEN = "#!/bin/sh\necho broken >&2\nexit 1\n"
SILENT = "#!/bin/sh\nexit 0\n"


@pytest.fixture
def start(tmp_path):
    """Start a cluster of stand-ins, {name: its code}; return the finished script, the folder and the daemons' pids."""
    pids = tmp_path / "pids"

    def start_and_look(programs):
        for name, code in programs.items():
            (tmp_path / "bin" / name).parent.mkdir(exist_ok=True)
            (tmp_path / "bin" / name).write_text(code, encoding="utf-8")
            (tmp_path / "bin" / name).chmod(0o755)
        environment = os.environ | {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "PIDS": str(pids)}
        command = [SCRIPT, "start", tmp_path / "cluster"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        return done, tmp_path / "cluster", [int(pid) for pid in pids.read_text(encoding="utf-8").split()]

    yield start_and_look
    for pid in map(int, pids.read_text(encoding="utf-8").split()):
        if is_running(pid):
            psutil.Process(pid).kill()


def is_running(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    ("programs", "started"),
    [
        ({"munged": DAEMON, "slurmctld": BROKEN}, 1),
        ({"munged": DAEMON, "slurmctld": SILENT}, 1),
        ({"munged": DAEMON, "slurmctld": DAEMON, "slurmd": BROKEN, "scancel": SILENT, "squeue": SILENT}, 2),
    ],
    ids=["slurmctld fails", "slurmctld dies unheard", "slurmd fails"],
)
def test_a_start_that_fails_leaves_nothing_behind(start, programs, started):
    done, folder, pids = start(programs)
    assert done.returncode == 1
    assert "the cluster did not start" in done.stderr
    assert len(pids) == started
    assert not any(map(is_running, pids))
    assert not folder.exists()


def test_a_folder_that_is_there_already_is_left_alone(tmp_path):
    (tmp_path / "file").touch()
    done = subprocess.run([SCRIPT, "start", tmp_path], capture_output=True, text=True)
    assert done.returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
