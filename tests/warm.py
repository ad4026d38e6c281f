"""Snakemake and its jobs without the time that their imports take, which is most of the time of a small run.

Two processes import what is needed: one Snakemake, the other what the scripts use. Each run of Snakemake, and each of
its jobs, is then a fork of one of them. The program's own modules are not among these imports: a run takes them from
the copy of the repository that it is about. Runs that are killed, or that have an environment of their own, need new
processes, as users have them. One of these compares its results with those of a warm run, byte for byte: see
test_determinism.py.
"""

import atexit
import contextlib
import functools
import importlib
import json
import multiprocessing
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import connection
from pathlib import Path
from unittest import mock

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["snakemake.cli", "jsonschema", "warm"])
# Where the jobs' process listens. A job's command runs CLIENT, which hands the job over.
SOCKET = "FERCV_WARM_JOBS"
CLIENT = Path(__file__).with_name("warm_job.py")
OF_JOBS = (
    "tensorflow",
    "keras",
    "pandas",
    "matplotlib.figure",
    "sklearn.metrics",
    "scipy.stats",
    "PIL.Image",
    "rich",
    "jinja2",
    "docutils.core",
)


def run_snakemake(
    arguments: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None, warm: bool = False
) -> subprocess.CompletedProcess:
    """Run `python -m snakemake` to its end.

    Args:
        arguments: of Snakemake.
        folder: where it is started.
        variables: of the environment, on top of those of the tests. If there are any, all processes are new ones: they
            may change what happens while a process starts and imports.
        warm: whether the processes are forks even if there are variables.

    Returns:
        The finished process, with its stdout and stderr as text.
    """
    arguments, environment = list(map(str, arguments)), os.environ | (variables or {})
    if variables and not warm:
        command = [sys.executable, "-m", "snakemake", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    if "--dry-run" not in arguments:
        environment[SOCKET] = f"{jobs_folder().name}/socket"
    with tempfile.TemporaryDirectory() as said:
        files = [Path(said, name) for name in ("stdout", "stderr")]
        process = SERVER.Process(target=snakemake, args=(arguments, folder, environment, files))
        process.start()
        process.join()
        out, err = (file.read_text(encoding="utf-8") for file in files)
        return subprocess.CompletedProcess(arguments, process.exitcode, out, err)


def snakemake(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], files: Sequence[Path]) -> None:
    """Run Snakemake in this process, with its stdout and stderr in files."""
    from snakemake.cli import main

    for number, file in enumerate(files, start=1):
        written = os.open(file, os.O_WRONLY | os.O_CREAT)
        os.dup2(written, number)
        os.close(written)
    take_over(folder, environment, ["snakemake", *arguments])
    if SOCKET in environment:
        # Snakemake puts this before the name of a script.
        sys.executable = f"{sys.executable} -I -S {CLIENT}"
    sys.exit(to_the_end(main))


def take_over(folder: str | Path, environment: Mapping[str, str], command: Sequence[str]) -> None:
    """Give this process the folder, the environment and the command line of another one."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = list(command)


def to_the_end(main: Callable[[], None]) -> int:
    """Call a function as if the process was started for it; return the exit status."""
    status = 0
    try:
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    # A fork leaves out what a process has registered for its end.
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    return status


@functools.cache
def jobs_folder() -> tempfile.TemporaryDirectory:
    """Start the process that the jobs are forks of; return the folder of its socket."""
    folder = tempfile.TemporaryDirectory(prefix="fercv-jobs-")
    process = SERVER.Process(target=serve_jobs, args=(f"{folder.name}/socket",), daemon=True)
    process.start()
    while not Path(folder.name, "socket").exists():
        assert process.is_alive()
        time.sleep(0.05)
    return folder


def serve_jobs(path: str) -> None:
    """Fork this process for each job that asks for it."""
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    os.environ |= {"MPLBACKEND": "agg"}
    # TensorFlow describes itself while it is imported.
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 2)
    for module in OF_JOBS:
        importlib.import_module(module)
    # Nobody asks for the exit status of a fork: it tells its client by the socket.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.create_server(path, family=socket.AF_UNIX, backlog=100) as listener:
        # When the tests have ended, however they did, this process ends too.
        tests = multiprocessing.parent_process().sentinel
        while tests not in connection.wait([listener, tests]):
            asking, _ = listener.accept()
            with asking:
                if os.fork() == 0:
                    listener.close()
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    status = job(asking)
                    asking.sendall(bytes([status % 256]))
                    os._exit(status)


def job(asking: socket.socket) -> int:
    """Run a script in this process; return the exit status."""
    size, streams, _, _ = socket.recv_fds(asking, 8, 3)
    with asking.makefile("rb") as request:
        script, folder, environment = json.loads(request.read(int.from_bytes(size)))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    take_over(folder, environment, [script])
    sys.path[:0] = [str(Path(script).parent), *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]

    # A new process would import this at its start.
    sys.modules.pop("sitecustomize", None)
    with contextlib.suppress(ImportError):
        importlib.import_module("sitecustomize")
    # A script of a rule ends its process at once. This one must still tell the status.
    with mock.patch.object(os, "_exit", sys.exit):
        return to_the_end(lambda: runpy.run_path(script, run_name="__main__"))
