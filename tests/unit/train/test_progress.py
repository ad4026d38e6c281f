"""What a training run says on the terminal while it runs."""

from types import SimpleNamespace

import numpy as np
import pytest

from fercv.train import progress
from fercv.train.progress import Progress, duration


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until a test moves it."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(progress.jobs, "STARTED", clock.now - 10)
    return clock


def run(clock, epochs=40, steps=20, folds=20, done=0):
    """The progress of a run. It takes 10 s to start and 60 s for the first batch; the others take 5 s."""
    task = SimpleNamespace(
        name="cnn fold 00", definition={"epochs": epochs}, steps=steps, training=np.arange(1539), folds=folds
    )
    of_run = Progress(task, 590_119, done)
    clock.now += 60
    of_run.batch_done()
    for _ in range(3):
        clock.now += 5
        of_run.batch_done()
    return of_run


def shown(caplog):
    """The lines that go to the terminal."""
    return [record.getMessage() for record in caplog.records if getattr(record, "on_terminal", False)]


@pytest.fixture(autouse=True)
def everything_is_logged(caplog):
    caplog.set_level("INFO", "fercv")


def test_the_first_fold_says_how_long_all_will_take_and_what_makes_it_less(clock, caplog):
    run(clock)
    assert shown(caplog) == [
        "cnn fold 00: 1,539 images, 590,119 parameters, 40 epochs: about 68 min for this fold, 20 folds one after the "
        "other 22.6 h; a smaller `scale`, fewer `models` or a lower `folds.number` take less"
    ]


def test_what_is_short_gets_no_advice(clock, caplog):
    run(clock, epochs=1, steps=10)
    assert shown(caplog)[0].endswith("1 epochs: about 2 min for this fold, 20 folds one after the other 38 min")


def test_a_run_that_goes_on_counts_only_what_is_left(clock, caplog):
    run(clock, done=39)
    assert "about 3 min for this fold" in shown(caplog)[0]


def test_other_folds_say_it_in_the_log_alone(clock, caplog):
    run(clock, folds=1)
    assert shown(caplog) == []
    assert caplog.records[0].getMessage().endswith("40 epochs: about 68 min")


def test_the_terminal_gets_a_line_now_and_then_and_the_log_gets_all(clock, caplog):
    of_run = run(clock, epochs=9, folds=1)
    for epoch in range(1, 10):
        clock.now += 4
        record = {"epoch": epoch, "loss": 1.5, "accuracy": 0.25, "val_loss": 1.25, "val_accuracy": 0.5}
        of_run.epoch_done(record, {"seconds": 30.0, "validation_seconds": 1.0, "images_per_second": 51.3})
    assert len([line for line in caplog.messages if "epoch " in line]) == 9
    lines = shown(caplog)
    assert [line.split(":")[0] for line in lines] == [f"cnn fold 00 epoch {epoch}/9" for epoch in (1, 4, 7, 9)]
    assert lines[0].endswith(
        "loss 1.5000, accuracy 0.2500, validation loss 1.2500, validation accuracy 0.5000, 51 images/s, 4 min left"
    )
    assert lines[-1].endswith("51 images/s")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1 s"), (40.4, "40 s"), (100, "2 min"), (3600, "60 min"), (12600, "3.5 h"), (180000, "2.1 days")],
)
def test_a_duration_is_told_in_a_fitting_unit(seconds, text):
    assert duration(seconds) == text
