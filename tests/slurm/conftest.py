"""A real Slurm cluster, and the tiny experiment run on it, for the tests in this folder."""

import getpass
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from helpers import TINY, copy_repository
from loopback import GPUS, Cluster, Project, Watching

SCRIPT = Path(__file__).with_name("cluster.sh")


@pytest.fixture(scope="session")
def cluster():
    """A cluster for all tests. Without Slurm's programs they are skipped, or fail if FERCV_NEEDS_SLURM is set."""
    path = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"
    missing = [name for name in ("munged", "slurmctld", "slurmd") if shutil.which(name, path=path) is None]
    if missing:
        reason = f"{', '.join(missing)} not found: on Debian, `tests/slurm/cluster.sh install` as root gets them"
        (pytest.fail if "FERCV_NEEDS_SLURM" in os.environ else pytest.skip)(reason)
    # munged refuses folders that others cannot enter, and pytest's folders are such.
    folder = Path(tempfile.gettempdir(), f"fercv-slurm-{os.getpid()}")
    environment = os.environ | {"GPUS": str(GPUS)}
    subprocess.run([SCRIPT, "start", folder], check=True, env=environment)
    yield Cluster(folder)
    subprocess.run([SCRIPT, "stop", folder], check=True, env=environment)
    assert not folder.exists()


@pytest.fixture(scope="session")
def on_slurm(cluster, tmp_path_factory):
    """The tiny experiment, run to its end on the cluster: the project, its jobs, and what ran on GPUs meanwhile."""
    project = Project(tmp_path_factory.mktemp("on_slurm") / "project", cluster)
    copy_repository(project.folder)
    shutil.copyfile(TINY, project.folder / "experiments" / "demo-tiny.yaml")
    watching = Watching(cluster)
    watching.start()
    try:
        project.run()
    finally:
        watching.over.set()
        watching.join()
    return project, cluster.jobs_after({}), watching.seen


@pytest.fixture
def project(on_slurm, tmp_path):
    """A copy of the project with the finished experiment, to be changed."""
    shutil.copytree(on_slurm[0].folder, tmp_path / "project")
    project = Project(tmp_path / "project", on_slurm[0].cluster)
    project.batches.unlink()
    yield project
    # What a test that failed has left would go on, and submit jobs beside those of the next one.
    for process in project.launched:
        process.kill()
    # Slurm ends the process group of a job. A Snakemake that waits for a fold can be in another group, and stays.
    for process, _ in project.processes():
        process.send_signal(signal.SIGKILL)
    project.cluster.command("scancel", "--full", "--user", getpass.getuser())
