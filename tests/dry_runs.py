"""Dry runs of Snakemake without the time that its imports take.

They take longer than the dry run itself. So one process imports Snakemake, and each dry run is a fork of it, by the
start method `forkserver` of multiprocessing. The program's own modules are not among these imports: each dry run takes
them from the copy of the repository that it is about.
"""

import atexit
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["snakemake.cli", "jsonschema", "dry_runs"])


def run_snakemake(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess:
    """Run `python -m snakemake` to its end, a dry run in a fork.

    Args:
        arguments: of Snakemake.
        folder: where it is started.
        environment: of the process; that of the tests if it is None.

    Returns:
        The finished process, with its stdout and stderr as text.
    """
    arguments, environment = list(map(str, arguments)), dict(environment or os.environ)
    if "--dry-run" not in arguments:
        command = [sys.executable, "-m", "snakemake", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    with tempfile.TemporaryDirectory() as said:
        files = [Path(said, name) for name in ("stdout", "stderr")]
        process = SERVER.Process(target=run_here, args=(arguments, folder, environment, files))
        process.start()
        process.join()
        out, err = (file.read_text(encoding="utf-8") for file in files)
        return subprocess.CompletedProcess(arguments, process.exitcode, out, err)


def run_here(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], files: Sequence[Path]) -> None:
    """Run Snakemake in this process, with its stdout and stderr in files."""
    from snakemake.cli import main

    for number, file in enumerate(files, start=1):
        written = os.open(file, os.O_WRONLY | os.O_CREAT)
        os.dup2(written, number)
        os.close(written)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["snakemake", *arguments]
    try:
        main()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            end.code = 1
        raise
    finally:
        # multiprocessing leaves out what a process has registered for its end.
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
