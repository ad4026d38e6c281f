"""A Slurm cluster on loopback and a project on it, as the tests in this folder use them."""

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
from helpers import REPOSITORY, job_counts

TRACING = REPOSITORY / "tests" / "workflow" / "tracing"
GPUS = 2


class Cluster:
    """A running Slurm of one node; its commands and Snakemake are run with `environment`."""

    def __init__(self, folder: Path):
        self.environment = os.environ | {
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(TRACING),
            "FERCV_ASK_EACH_SECOND": "yes",
        }
        # Jobs must see the GPUs that Slurm gives them. The tests' own setting would hide all GPUs.
        del self.environment["CUDA_VISIBLE_DEVICES"]

    def command(self, *arguments):
        """Run one of Slurm's commands; return what it prints."""
        done = subprocess.run(arguments, env=self.environment, capture_output=True, text=True, check=True)
        return done.stdout

    def jobs(self):
        """All jobs ever submitted, as scontrol shows them: {id: {field: value}}, in the order of their ids."""
        jobs = {}
        for line in self.command("scontrol", "show", "job", "--oneliner").splitlines():
            fields = dict(re.findall(r"(\S+?)=(\S*)", line))
            if "JobId" in fields:
                jobs[int(fields["JobId"])] = fields
        return dict(sorted(jobs.items()))

    def processes_of(self, job_id):
        """Slurm's own processes on the node that look after a job."""
        titles = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
        return [title for title in titles if title.startswith(f"slurmstepd: [{job_id}.")]

    def jobs_after(self, earlier):
        """The jobs that are not among `earlier`, in the order of their submission."""
        return [fields for number, fields in self.jobs().items() if number not in earlier]


class Project:
    """A copy of the repository in which the tiny experiment is run on the cluster."""

    def __init__(self, folder: Path, cluster: Cluster):
        self.folder, self.cluster = folder, cluster
        self.batches, self.once = folder / "batches", folder / "once"
        self.results = folder / "results" / "demo-tiny"
        self.launched = []

    def launch(self, *arguments, fault=None):
        """Start the README's command with a target or options; all output of Snakemake goes to one pipe."""
        environment = self.cluster.environment | {"FERCV_BATCHES": str(self.batches), "FERCV_ONCE": str(self.once)}
        if fault:
            environment["FERCV_SIGNAL"] = fault
        command = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm", *arguments]
        command += ["--configfile", "experiments/demo-tiny.yaml"]
        process = subprocess.Popen(
            command, cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.launched.append(process)
        return process

    def run(self, *arguments, check=True):
        """Run Snakemake to its end; return its output."""
        process = self.launch(*arguments)
        said = process.communicate(timeout=400)[0]
        assert check is None or (process.returncode == 0) == check, said[-6000:]
        return said

    def planned(self, *arguments):
        """The jobs of a dry run as {rule: number}, without the target `all`."""
        counts = job_counts(self.run(*arguments, "--dry-run", "--quiet", "rules"))
        return {rule: count for rule, count in counts.items() if rule != "all"}

    def edit(self, name, pattern, replacement):
        """Change the first match of a pattern in a file."""
        path = self.folder / name
        changed, number = re.subn(pattern, replacement, path.read_text(encoding="utf-8"), count=1)
        assert number == 1, f"{pattern!r} is not in {name}"
        path.write_text(changed, encoding="utf-8")

    def contents(self):
        """{path: content} of all results that are promised to be the same bytes."""
        found = {path.relative_to(self.results): path for path in self.results.rglob("*") if path.is_file()}
        return {
            str(name): path.read_bytes()
            for name, path in found.items()
            if name.parts[0] not in ("logs", "benchmarks") and name.name not in ("timing.csv", "report.html")
        }

    def trained(self):
        """Number of training batches of all processes together."""
        return self.batches.stat().st_size if self.batches.exists() else 0

    def processes(self):
        """The processes that work in this project, wherever Slurm has started them, and their command lines."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            command = process.info["cmdline"] or []
            if any(str(self.folder) in argument for argument in command):
                found.append((process, command))
        return found

    def fold_processes(self):
        """Those of them that train a fold."""
        return [process for process, command in self.processes() if command[-1].endswith("train_fold.py")]


def wait_until(condition, seconds=120):
    """Wait until a condition is true; return its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)
    return value


class Watching(threading.Thread):
    """Notes again and again which jobs run on a GPU at the same time."""

    def __init__(self, cluster):
        super().__init__()
        self.cluster, self.over, self.seen = cluster, threading.Event(), []

    def run(self):
        while not self.over.wait(0.3):
            listed = self.cluster.command("squeue", "--noheader", "--states=RUNNING", "--Format=tres-per-job,JobID")
            self.seen.append([line for line in listed.splitlines() if "gpu" in line])
