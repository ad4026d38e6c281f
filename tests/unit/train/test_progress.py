"""What a fold says while it trains."""

from types import SimpleNamespace

import numpy as np
import pytest

from fercv.train import progress
from fercv.train.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until a test moves it."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(progress, "STARTED", clock.now - 10)
    return clock


class Lines(list):
    """A file of progress: the lines that were added to it."""

    def add(self, event, **values):
        self.append({"event": event} | values)


def run(clock, epochs=40, steps=20, done=0, **of_task):
    """The progress of a run. It takes 10 s to start and 60 s for the first batch; the others take 5 s."""
    rows = [{"epoch": epoch, "loss": 1.5} for epoch in range(1, done + 1)]
    took = [
        {"epoch": row["epoch"], "seconds": 95.0, "validation_seconds": 5.0, "images_per_second": 6.4} for row in rows
    ]
    values = {"name": "cnn fold 00", "validation": np.arange(35), "progress": Lines()} | of_task
    task = SimpleNamespace(
        definition={"epochs": epochs}, steps=steps, batch_size=32, training=np.arange(659), **values
    )  # fmt: skip
    of_run = Progress(task, 590_119, rows, took)
    clock.now += 60
    of_run.batch_done()
    for _ in range(3):
        clock.now += 5
        of_run.batch_done()
    return of_run


@pytest.fixture(autouse=True)
def everything_is_logged(caplog):
    caplog.set_level("INFO", "fercv")


def test_the_first_batches_tell_how_long_the_fold_will_take(clock, caplog):
    lines = run(clock).task.progress
    assert caplog.messages == ["cnn fold 00: 659 images, 590,119 parameters, 40 epochs: about 68 min"]
    assert lines == [
        {
            "event": "start", "epochs": 40, "epochs_done": 0, "steps": 20, "images": 640, "validation_images": 35,
            "parameters": 590_119, "startup_seconds": 10.0,
        },
        {"event": "speed", "images_per_second": 6.4},
    ]  # fmt: skip


def test_a_run_that_goes_on_counts_only_what_is_left_and_has_the_lines_of_all_epochs(clock, caplog):
    lines = run(clock, done=39).task.progress
    assert caplog.messages[0].endswith("about 3 min")
    assert lines[0]["epochs_done"] == 39
    assert [line["epoch"] for line in lines[1:-1]] == list(range(1, 40))
    assert lines[39] == {
        "event": "epoch", "epoch": 39, "epochs": 40, "loss": 1.5, "images_per_second": 6.4, "seconds": 3900.0
    }  # fmt: skip


def test_each_epoch_is_a_line_in_the_log_and_in_the_file_and_none_on_the_terminal(clock, caplog):
    of_run = run(clock, epochs=9)
    for epoch in range(1, 10):
        record = {"epoch": epoch, "loss": 1.5, "accuracy": 0.25, "val_loss": 1.25, "val_accuracy": 0.5}
        of_run.epoch_done(record, {"seconds": 30.0, "validation_seconds": 1.0, "images_per_second": 51.3})
    of_run.end()
    lines = [line for line in caplog.messages if "epoch " in line]
    assert [line.split(":")[0] for line in lines] == [f"cnn fold 00 epoch {epoch}/9" for epoch in range(1, 10)]
    assert lines[0].endswith(
        "loss 1.5000, accuracy 0.2500, validation loss 1.2500, validation accuracy 0.5000, 51 images/s, 4 min left"
    )
    assert lines[-1].endswith("51 images/s")
    assert not any(getattr(record, "on_terminal", False) for record in caplog.records)
    *epochs, end = of_run.task.progress[2:]
    assert [(line["epoch"], line["seconds"]) for line in epochs] == [(epoch, 31.0 * epoch) for epoch in range(1, 10)]
    assert end == {"event": "end", "epochs_done": 9}


def test_a_final_model_has_no_file_and_speaks_on_the_terminal_itself(clock, caplog):
    of_run = run(clock, name="cnn final model", validation=None, progress=None)
    record = {"epoch": 1, "loss": 1.5, "accuracy": 0.25}
    of_run.epoch_done(record, {"seconds": 30.0, "validation_seconds": 1.0, "images_per_second": 51.3})
    of_run.end()
    assert caplog.messages == [
        "cnn final model: 659 images, 590,119 parameters, 40 epochs: about 68 min",
        "cnn final model epoch 1/40: loss 1.5000, accuracy 0.2500, 51 images/s, 20 min left",
    ]
    assert all(record.on_terminal for record in caplog.records)
