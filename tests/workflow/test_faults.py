"""Real faults: kills, full disks and broken checkpoints. In the end the results have the same bytes as without them."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time

import psutil
import pytest
from helpers import REPOSITORY, Workflow, copy_repository

from fercv.train.checkpoint import UnusableError, read_checkpoint
from fercv.workflow.progress import read_progress

pytestmark = pytest.mark.slow

OVERLAY = {
    "models": ["cnn"],
    "checkpoints": {"share": 1.0},
    "scales": {
        "tiny": {
            "definitions": {
                "cnn": {"epochs": 4, "early_stopping": {"enabled": True, "patience": 3, "fraction": 0.2}},
            }
        }
    },
}
FOLD = "results/demo-tiny/cnn/folds/00"
TARGET = f"{FOLD}/metrics.json"
CHECKPOINTS = "results/demo-tiny/checkpoints"
LOG = "results/demo-tiny/logs/train_fold/cnn_00.log"
PROGRESS = "results/demo-tiny/logs/train_fold/cnn_00.jsonl"
# All that determines a fold's training. tests/unit/train/test_train_fold.py changes each of these.
RUN = {
    "definition", "classes", "fold", "seed", "code", "images", "samples", "folds", "excluded", "devices", "software",
    "precision", "threads",
}  # fmt: skip
OUTPUTS = ("model.keras", "history.csv", "predictions.csv", "metrics.json")
EPOCHS = 4

# A process that a shell starts in the background ignores SIGINT, and so do all its children. The tests send SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)


class FaultyWorkflow(Workflow):
    """Runs the fold 00 of the cnn in the tiny experiment, with the fault that a test asks for."""

    def __init__(self, folder):
        super().__init__(folder)
        self.batches = folder / "batches"
        self.overlay, self.options = OVERLAY, []

    def environment(self, fault=None):
        environment = {
            "PYTHONPATH": str(REPOSITORY / "tests" / "workflow" / "tracing"),
            "FERCV_BATCHES": str(self.batches),
        }
        return os.environ | environment | ({"FERCV_SIGNAL": fault} if fault else {})

    def command(self, *arguments):
        return super().command(*arguments, *self.options, overlay=self.overlay)

    def train(self, *arguments, fault=None, check=True):
        """Run the fold to the end, or to where the fault strikes; return the finished process."""
        command = self.command(TARGET, *arguments)
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment(fault))
        assert check is None or (done.returncode == 0) == check, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    def launch(self, **environment):
        """Start Snakemake in a process group of its own; all its output goes to one pipe."""
        return subprocess.Popen(
            self.command(TARGET),
            env=self.environment() | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def start(self):
        """Launch Snakemake and return its process when some of the fold's batches are trained."""
        process = self.launch()
        wait_until(lambda: self.trained() >= 5 or process.poll() is not None, 120)
        assert process.poll() is None, process.stdout.read()
        return process

    def unlock(self):
        """Unlock the folder, as the pages advise after a kill of Snakemake."""
        subprocess.run(self.command("--unlock"), check=True, capture_output=True)

    def trained(self):
        """Number of training batches of all processes together."""
        return self.batches.stat().st_size if self.batches.exists() else 0

    def outputs(self):
        return {name: (self.folder / FOLD / name).read_bytes() for name in OUTPUTS}

    def has_outputs(self):
        return any((self.folder / FOLD / name).exists() for name in OUTPUTS)

    def log(self):
        return (self.folder / LOG).read_text(encoding="utf-8")


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)


def fold_jobs(workflow):
    """The train_fold processes of a workflow."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if command and command[-1].endswith("train_fold.py") and str(workflow.folder) in command[-1]:
            found.append(process)
    return found


def suspended_orphan(workflow):
    """Suspend a fold's process while it trains, and kill its Snakemake. The test resumes the process."""
    snakemake = workflow.start()
    (orphan,) = fold_jobs(workflow)
    orphan.suspend()
    snakemake.kill()
    snakemake.wait()
    workflow.unlock()
    return orphan


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The prepared data, and the outputs and the number of batches of a fold that nothing disturbs."""
    workflow = FaultyWorkflow(tmp_path_factory.mktemp("faults") / "undisturbed")
    workflow.folder.mkdir()
    subprocess.run(
        workflow.command("results/demo-tiny/data/folds.csv"),
        check=True,
        capture_output=True,
        env=workflow.environment(),
    )
    prepared = workflow.folder.with_name("prepared")
    shutil.copytree(workflow.folder, prepared)
    workflow.train()
    assert not (workflow.folder / CHECKPOINTS).exists()
    return prepared, workflow.outputs(), workflow.trained()


@pytest.fixture
def workflow(undisturbed, tmp_path):
    prepared, _, _ = undisturbed
    shutil.copytree(prepared, tmp_path / "run")
    return FaultyWorkflow(tmp_path / "run")


def check_the_end(workflow, undisturbed, lost_epochs=1):
    """Check the bytes against an undisturbed run, the number of batches, and that nothing is left behind."""
    _, outputs, batches = undisturbed
    assert workflow.outputs() == outputs
    assert workflow.trained() <= batches + lost_epochs * batches // EPOCHS
    assert not (workflow.folder / CHECKPOINTS).exists()


@pytest.mark.parametrize(
    ("fault", "resumed"),
    [
        ("batch 2 9", None),
        ("batch 8 9", 2),
        (".part 2 9", 1),
        ("write 900 9", 1),
        ("rename 3 9", 2),
        ("part.model.keras 1 9", 4),
        ("/model.keras 1 9", 4),
        ("history.csv 1 9", 4),
        ("metrics.json 1 9", 4),
        ("batch 8 15", 2),
        ("batch 8 2", 2),
    ],
    ids=[
        "first epoch", "middle", "checkpoint begun", "checkpoint half-written", "checkpoint not renamed",
        "model half-written", "model", "history", "metrics", "SIGTERM", "SIGINT",
    ],
)  # fmt: skip
def test_a_killed_fold_goes_on_after_its_last_epoch(workflow, undisturbed, fault, resumed):
    done = workflow.train(fault=fault, check=False)
    assert not workflow.has_outputs()
    assert "unexpected error" not in done.stderr
    workflow.train()
    check_the_end(workflow, undisturbed)
    lines = [line.split(" INFO ")[1] for line in workflow.log().splitlines() if " INFO " in line]
    assert lines[0].startswith("cnn fold 00: tensorflow on ")
    if resumed is None:
        assert lines[1].startswith("cnn fold 00 epoch 1/4")
    else:
        assert lines[1] == f"cnn fold 00: goes on after epoch {resumed} of 4"
    progress = read_progress(workflow.folder / PROGRESS)
    assert progress.start["epochs_done"] == (resumed or 0)
    assert [line["epoch"] for line in progress.epochs] == [1, 2, 3, 4]
    assert progress.end["epochs_done"] == 4


def test_retries_go_on_as_well(workflow, undisturbed):
    """A fold reaches its end although each attempt is killed after some batches."""
    workflow.train("--retries", "3", fault="batch 5 9")
    check_the_end(workflow, undisturbed, lost_epochs=3)


def test_incomplete_outputs_that_were_kept_are_not_taken_for_finished(workflow, undisturbed):
    workflow.train("--keep-incomplete", fault="predictions.csv 1 9", check=False)
    assert (workflow.folder / FOLD / "model.keras").exists()
    workflow.train()
    check_the_end(workflow, undisturbed)


def test_a_fold_in_a_shadow_folder_goes_on_as_well(workflow, undisturbed, tmp_path):
    """Snakemake removes the folder with everything that a killed job left in it."""
    copy_repository(tmp_path / "repository")
    rules = tmp_path / "repository" / "rules" / "train.smk"
    content, head, rule = rules.read_text(encoding="utf-8").partition("rule train_fold:\n")
    rules.write_text(f'{content}{head}    shadow:\n        "minimal"\n{rule}', encoding="utf-8")
    workflow.repository = tmp_path / "repository"
    workflow.train(fault="batch 8 9", check=False)
    assert (workflow.folder / ".snakemake" / "shadow").exists()
    assert not workflow.has_outputs()
    workflow.train()
    assert "cnn fold 00: goes on after epoch 2 of 4" in workflow.log()
    check_the_end(workflow, undisturbed)


def test_without_checkpoints_it_starts_from_the_beginning(workflow, undisturbed):
    """The control: the same kill, with checkpoints switched off."""
    workflow.overlay = OVERLAY | {"checkpoints": {"share": 0}}
    workflow.train(fault="batch 8 9", check=False)
    workflow.train()
    _, outputs, batches = undisturbed
    assert workflow.outputs() == outputs
    assert workflow.trained() == batches + 8 - 1


def test_a_second_snakemake_is_refused_while_the_first_one_runs(workflow, undisturbed):
    first = workflow.start()
    (job,) = fold_jobs(workflow)
    job.suspend()
    second = workflow.train(check=False)
    job.resume()
    assert "LockException" in second.stderr
    assert "Traceback" not in second.stderr
    assert first.wait(120) == 0
    check_the_end(workflow, undisturbed, lost_epochs=0)


def test_snakemake_killed_and_started_again_while_its_fold_trains_on(workflow, undisturbed):
    orphan = suspended_orphan(workflow)
    second = workflow.launch()
    try:
        wait_until(lambda: "waiting" in (workflow.log() if (workflow.folder / LOG).exists() else ""), 120)
    finally:
        orphan.resume()
    said = second.communicate(timeout=240)[0]
    assert second.returncode == 0, said
    assert f"cnn fold 00: waiting, process {orphan.pid} on " in said
    check_the_end(workflow, undisturbed, lost_epochs=0)


def test_without_the_lock_a_fold_is_trained_twice(workflow, undisturbed):
    """The control: the second process ignores the lock that the first one holds."""
    orphan = suspended_orphan(workflow)
    second = workflow.launch(FERCV_WITHOUT_LOCKS="1")
    try:
        said = second.communicate(timeout=240)[0]
    finally:
        orphan.resume()
    assert second.returncode == 0, said
    assert "waiting" not in said
    wait_until(lambda: not fold_jobs(workflow), 120)
    assert workflow.trained() > undisturbed[2]


@pytest.mark.parametrize("backend", ["file", "db"])
def test_snakemake_killed_before_its_fold_trains(workflow, undisturbed, backend):
    """The fold's process trains to its end without Snakemake. The next start takes over what it has trained."""
    workflow.options = ["--persistence-backend", backend]
    first = workflow.launch()
    # Snakemake notes down that a job runs a moment after it has started the job's process. By now it has.
    wait_until(lambda: (workflow.folder / LOG).exists() and "tensorflow on" in workflow.log(), 120)
    first.kill()
    first.wait()
    wait_until(lambda: not fold_jobs(workflow), 120)
    assert workflow.trained() == undisturbed[2]
    workflow.unlock()
    workflow.train()
    check_the_end(workflow, undisturbed, lost_epochs=0)


def test_snakemake_and_its_fold_killed_together(workflow, undisturbed):
    first = workflow.start()
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    wait_until(lambda: not fold_jobs(workflow), 20)
    locked = workflow.train(check=False)
    assert "--unlock" in locked.stderr
    workflow.unlock()
    workflow.train()
    check_the_end(workflow, undisturbed)


@pytest.mark.parametrize(
    ("number", "alone", "lost_epochs", "backend"),
    [
        (signal.SIGTERM, False, 1, "file"),
        (signal.SIGINT, False, 1, "file"),
        (signal.SIGTERM, True, 0, "file"),
        # Snakemake waits for the end of the fold, but has it made again later, from the last epoch's checkpoint.
        (signal.SIGINT, True, 0, "file"),
        (signal.SIGINT, True, 0, "db"),
    ],
    ids=["SIGTERM to all", "Ctrl-C", "SIGTERM", "SIGINT", "SIGINT, records in a database"],
)
def test_snakemake_asked_to_stop(workflow, undisturbed, number, alone, lost_epochs, backend):
    """Ctrl-C and schedulers ask the whole group; `kill` asks Snakemake alone."""
    workflow.options = ["--persistence-backend", backend]
    first = workflow.start()
    (first.send_signal if alone else lambda number: os.killpg(first.pid, number))(number)
    assert first.wait(120) != 0
    assert "unexpected error" not in first.stdout.read()
    wait_until(lambda: not fold_jobs(workflow), 20)
    done = workflow.train(check=None)
    if done.returncode != 0:
        assert "--unlock" in done.stderr
        workflow.unlock()
        workflow.train()
    check_the_end(workflow, undisturbed, lost_epochs)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "other"])
def test_a_checkpoint_that_must_not_be_used_is_told_and_costs_only_time(workflow, undisturbed, damage):
    workflow.train(fault="batch 8 9", check=False)
    (path,) = (workflow.folder / CHECKPOINTS).glob("*.checkpoint")
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        del content[-1000:]
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
    else:
        header, _, rest = bytes(content).partition(b"\n")
        changed = json.loads(header)
        assert changed["run"].keys() == RUN
        for key in RUN:
            with pytest.raises(UnusableError, match=f"^it belongs to another run, with other {key}$"):
                read_checkpoint(path, changed["run"] | {key: "another"})
        changed["run"]["definition"]["epochs"] = 2
        body = json.dumps(changed).encode() + b"\n" + rest[:-32]
        content = body + hashlib.sha256(body).digest()
    path.write_bytes(content)
    reason = "belongs to another run, with other definition" if damage == "other" else "is damaged"
    done = workflow.train()
    assert re.search(rf"WARNING: cnn fold 00: \S+cnn_00.checkpoint is not used, it {reason}", done.stderr)
    check_the_end(workflow, undisturbed, lost_epochs=3)


@pytest.fixture
def small_disk(workflow):
    """The results folder on a file system of its own, which can be filled up and made read-only."""
    results = workflow.folder / "results"
    kept = workflow.folder / "kept"
    results.rename(kept)
    results.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", results], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("file systems cannot be mounted here")
    shutil.copytree(kept, results, dirs_exist_ok=True)
    yield results
    subprocess.run(["umount", "--lazy", results], check=True)


def fill(disk, left):
    """Fill a disk until only this many bytes are free."""
    status = os.statvfs(disk)
    with (disk / "filler").open("wb") as file:
        file.write(b"x" * (status.f_bavail * status.f_frsize - left))
    return disk / "filler"


def test_a_disk_too_full_for_the_checkpoint_costs_a_warning(workflow, small_disk, undisturbed):
    fill(small_disk, 2_000_000)
    done = workflow.train()
    assert re.search(r"WARNING: cnn fold 00: no checkpoint after epoch 1 .*No space left on device", done.stderr)
    check_the_end(workflow, undisturbed, lost_epochs=0)


def test_a_disk_too_full_for_the_outputs_stops_with_one_line_and_goes_on_later(workflow, small_disk, undisturbed):
    filler = fill(small_disk, 0)
    done = workflow.train(check=False)
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert not workflow.has_outputs()
    filler.unlink()
    workflow.train()
    check_the_end(workflow, undisturbed, lost_epochs=4)


def test_a_read_only_results_folder_is_told(workflow, small_disk, undisturbed):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    done = workflow.train(check=False)
    assert "Read-only file system" in done.stderr
    assert "Traceback" not in done.stderr
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    workflow.train()
    check_the_end(workflow, undisturbed, lost_epochs=0)


def test_a_model_that_diverges_is_named_and_the_others_finish(tmp_path):
    workflow = Workflow(tmp_path)
    overlay = {"scales": {"tiny": {"definitions": {
        "cnn": {"optimizer": "sgd", "learning_rate": 10, "settings": {"batch_normalization": False}}
    }}}}  # fmt: skip
    done = workflow.run("evaluate", "--keep-going", overlay=overlay, check=False)
    assert done.returncode != 0
    results = tmp_path / "results" / "demo-tiny"
    for fold in ("00", "01"):
        assert re.search(rf"^cnn fold {fold}: the loss became (nan|inf) in epoch \d", done.stderr, re.MULTILINE)
        assert not (results / "cnn" / "folds" / fold / "model.keras").exists()
    assert "Traceback" not in done.stderr
    assert (results / "fc" / "confusion_matrix.png").exists()
    assert not (results / "cnn" / "confusion_matrix.csv").exists()
    assert not (results / "comparison.csv").exists()


def test_of_a_model_with_one_fold_that_always_fails_nothing_is_pooled(tmp_path):
    workflow = Workflow(tmp_path)
    tracing = {
        "PYTHONPATH": str(REPOSITORY / "tests" / "workflow" / "tracing"),
        "FERCV_BATCHES": str(tmp_path / "batches"),
        "FERCV_SIGNAL": "cnn_01.log 1 9",
    }
    failed = workflow.run("evaluate", "--keep-going", "--retries", "1", check=False, **tracing)
    assert failed.returncode != 0
    assert len(re.findall("Train cnn on all folds but 01", failed.stdout + failed.stderr)) == 2
    assert re.search(r"\ntrain_fold failed; its log is \S+/cnn_01\.log:\n(.*\n)*.* was it killed,", failed.stderr)
    results = tmp_path / "results" / "demo-tiny"
    assert (results / "cnn" / "folds" / "00" / "metrics.json").exists()
    assert (results / "fc" / "confusion_matrix.png").exists()
    for name in ("accuracy.png", "metrics.csv", "summary.csv", "confusion_matrix.csv", "held_out_predictions.csv"):
        assert not (results / "cnn" / name).exists()
    assert not (results / "comparison.csv").exists()
    assert workflow.jobs("results/demo-tiny/comparison.csv")["train_fold"] == 1
