"""What tests of the workflow use: the repository, and a way to run Snakemake on it."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from warm import run_snakemake

REPOSITORY = Path(__file__).parents[1]
TINY = REPOSITORY / "tests" / "workflow" / "tiny.yaml"


class Workflow:
    """Runs Snakemake on the repository's Snakefile, or on that of a copy, in a folder of its own."""

    def __init__(self, folder: Path):
        """Use `folder` as the working directory: results and .snakemake land there."""
        self.folder, self.repository = folder, REPOSITORY

    def command(self, *arguments, configfile=TINY, overlay=None):
        """The command line of `snakemake --cores 2` with the arguments.

        `configfile` and then the dict `overlay` are laid over config.yaml. They come last on the command line, since
        --configfile takes all that follows it.
        """
        command = [sys.executable, "-m", "snakemake", "--snakefile", self.repository / "Snakefile"]
        command += ["--directory", self.folder, "--cores", "2", *arguments]
        configfiles = [configfile] if configfile is not None else []
        if overlay is not None:
            configfiles.append(self.folder / "overlay.yaml")
            configfiles[-1].write_text(yaml.safe_dump(overlay), encoding="utf-8")
        if configfiles:
            command += ["--configfile", *configfiles]
        return list(map(str, command))

    def run(self, *arguments, configfile=TINY, overlay=None, check=True, **environment):
        """Run `command(...)`; return the finished process, stdout and stderr as text.

        All other keywords are environment variables.
        """
        command = self.command(*arguments, configfile=configfile, overlay=overlay)
        done = run_snakemake(command[3:], REPOSITORY, environment)
        if check:
            assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done

    def jobs(self, *arguments, **keywords):
        """The jobs of a dry run, as {rule: number of jobs}; empty where there is nothing to be done."""
        output = self.run(*arguments, "--dry-run", "--quiet", "rules", **keywords)
        return job_counts(output.stdout + output.stderr)


def job_counts(text: str) -> dict[str, int]:
    """Read Snakemake's table of job counts."""
    counts = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and words[1].isdigit() and words[0] != "total":
            counts[words[0]] = int(words[1])
    return counts


def job_messages(process) -> list[str]:
    """The messages of the jobs that a finished Snakemake process ran, or would run."""
    return re.findall(r"^Job \d+: (.*)$", process.stdout + process.stderr, re.MULTILINE)


def contents(workflow: Workflow) -> dict[str, bytes]:
    """The bytes of every result file, but for those that hold times."""
    results = workflow.folder / "results"
    files = {path.relative_to(results): path for path in results.rglob("*") if path.is_file()}
    return {
        str(name): path.read_bytes()
        for name, path in files.items()
        if name.parts[1] not in ("logs", "benchmarks") and name.name not in ("timing.csv", "report.html")
    }


def copy_repository(folder: Path) -> None:
    """Copy the repository into a new folder: all files that git tracks or would track, without tests and docs."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if (REPOSITORY / name).is_file() and not name.startswith(("tests/", "docs/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, folder / name)


def need(package: str, lock: str, variable: str) -> None:
    """Skip the test where an optional package is not installed. Where the variable is set, the test fails instead."""
    if importlib.util.find_spec(package) is None:
        assert variable not in os.environ, f"{package} is not installed"
        pytest.skip(f"{package} is not installed: pip install -r {lock}")


def nvidia_smi_of(folder: Path, gpus: int) -> None:
    """Put a stand-in for nvidia-smi into a folder. It lists this many GPUs: GPU-0, GPU-1, ..."""
    lines = [f"echo 'GPU {number}: Card (UUID: GPU-{number})'" for number in range(gpus)]
    program = folder / "nvidia-smi"
    program.write_text("\n".join(["#!/bin/sh", *lines]) + "\n", encoding="utf-8")
    program.chmod(0o755)
