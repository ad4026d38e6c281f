"""The files that TensorBoard shows, as TensorBoard itself reads them."""

import os
import subprocess
import sys

import pytest
from helpers import REPOSITORY

pytest.importorskip("tensorboard", reason="tensorboard is not installed: pip install tensorboard")

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fercv.workflow.events import EventFiles
from fercv.workflow.progress import ProgressFile, progress_path, read_progress

FOLD = ("cnn", "07")
START = {"epochs": 3, "images": 60, "startup_seconds": 8.5}
# What each number of an epoch is called.
NAMES = {
    "loss": "loss/training",
    "accuracy": "accuracy/training",
    "clean_loss": "loss/clean_training",
    "clean_accuracy": "accuracy/clean_training",
    "val_loss": "loss/validation",
    "val_accuracy": "accuracy/validation",
    "learning_rate": "progress/learning_rate",
    "images_per_second": "progress/images_per_second",
}


class Training:
    """A fold that trains in a folder, and what TensorBoard shows of it."""

    def __init__(self, folder):
        self.path, self.files = progress_path(folder, "mine", *FOLD), EventFiles(folder, "mine")
        self.folder = folder / "results" / "mine" / "tensorboard" / "cnn" / "07"
        self.file = None

    def start(self, epochs_done=0, seed=0):
        self.file = ProgressFile(self.path, *FOLD)
        self.file.add("start", **START, epochs_done=epochs_done)
        for epoch in range(1, epochs_done + 1):
            self.epoch(epoch, seed)

    def epoch(self, epoch, seed=0):
        values = {name: seed + epoch + number / 8 for number, name in enumerate(NAMES)}
        self.file.add("epoch", epoch=epoch, seconds=4.0 * epoch, **values)

    def update(self, began=None):
        """Bring the event file up to date; `began` is when the training is to have begun, in seconds since 1970."""
        progress = read_progress(self.path)
        self.files.update({FOLD: progress and progress._replace(start=progress.start | {"time": began or 1000.0})})

    def shown(self):
        return shown(EventAccumulator(str(self.folder)).Reload())


def shown(accumulator):
    """What TensorBoard shows, as {name: [(epoch, value)]}."""
    return {tag: [(at.step, at.value) for at in accumulator.Scalars(tag)] for tag in accumulator.Tags()["scalars"]}


def curves(epochs, seed=0):
    return {
        tag: [(epoch, seed + epoch + number / 8) for epoch in range(1, epochs + 1)]
        for number, tag in enumerate(NAMES.values())
    }


@pytest.fixture
def training(tmp_path):
    return Training(tmp_path)


def test_every_number_of_every_epoch_is_shown_and_an_open_tensorboard_goes_on_with_the_next_one(training):
    training.update()
    assert not training.folder.exists()
    training.start()
    training.update()
    training.epoch(1)
    training.update()
    accumulator = EventAccumulator(str(training.folder)).Reload()
    assert shown(accumulator) == curves(1)
    for epoch in (2, 3):
        training.epoch(epoch)
        training.update()
        assert shown(accumulator.Reload()) == curves(epoch)


@pytest.mark.parametrize("seed", [0, 100])
def test_a_fold_that_goes_on_or_begins_anew_shows_each_epoch_once_also_in_an_open_tensorboard(training, seed):
    training.start()
    training.epoch(1)
    training.epoch(2)
    training.update()
    accumulator = EventAccumulator(str(training.folder)).Reload()
    training.start(epochs_done=1, seed=seed)
    training.epoch(2, seed)
    training.update(began=2000.0)
    assert training.shown() == curves(2, seed)
    assert shown(accumulator.Reload()) == curves(2, seed)
    assert len(list(training.folder.iterdir())) == 1


def test_another_run_completes_a_file(training, tmp_path):
    training.start()
    training.epoch(1)
    training.update()
    (path,) = training.folder.iterdir()
    path.write_bytes(path.read_bytes()[:-7])
    training.files = EventFiles(tmp_path, "mine")
    training.update()
    assert training.shown() == curves(1)


def test_a_folder_that_cannot_be_written_costs_one_warning_and_is_complete_later(training, caplog):
    training.start()
    training.folder.parents[1].write_text("in the way")
    training.epoch(1)
    training.update()
    training.update()
    (record,) = caplog.records
    assert record.levelname == "WARNING" and "TensorBoard does not show the folds" in record.getMessage()
    training.folder.parents[1].unlink()
    training.epoch(2)
    training.update()
    assert training.shown() == curves(2)


def test_no_backend_of_keras_is_imported(tmp_path):
    training = Training(tmp_path)
    training.start()
    training.epoch(1)
    program = (
        "import sys; from pathlib import Path; from fercv.workflow.events import events; "
        "from fercv.workflow.progress import read_progress; "
        f"events(read_progress(Path({str(training.path)!r}))); print(*sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "scripts")}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert not set(done.stdout.split()) & {"tensorflow", "keras", "jax", "torch"}
