"""The line that says how far a run is, and about when its training ends."""

import datetime
import logging
import time
from types import SimpleNamespace

import pytest

from fercv.workflow import status
from fercv.workflow.events import EventFiles
from fercv.workflow.progress import FoldProgress, ProgressFile, progress_path
from fercv.workflow.status import FoldStatus, Status, clock, seconds_left, summarize

NOW = datetime.datetime(2026, 11, 26, 14, 0).timestamp()


def begun(ago, done, epochs=40, seconds=60.0, startup=0.0, speed=None, ended=False):
    """What a fold says that began to train `ago` seconds before NOW; an epoch takes it `seconds`, without any stop."""
    start = {"time": NOW - ago, "epochs": epochs, "epochs_done": 0, "images": 600, "startup_seconds": startup}
    times = [(epoch, NOW - ago + epoch * seconds) for epoch in range(1, done + 1)]
    lines = [{"time": then, "epoch": epoch, "seconds": epoch * seconds, "val_accuracy": 0.5} for epoch, then in times]
    end = {"time": NOW - ago + done * seconds, "epochs_done": done} if ended else None
    told = {"time": NOW - ago, "images_per_second": speed} if speed else None
    return FoldStatus("done" if ended else "training", FoldProgress(start, told, lines, end))


def folds(model, *first, number=20):
    """The folds of a model: the given ones first, and the others waiting."""
    states = [*first, *[FoldStatus("waiting")] * (number - len(first))]
    return {(model, f"{fold:02d}"): state for fold, state in enumerate(states)}


def test_it_names_the_folds_that_train_and_says_when_the_training_ends():
    ended = begun(2400, 40, ended=True), begun(2400, 40, ended=True)
    run = folds("cnn", *ended, begun(2400, 5), begun(2400, 5), number=6)
    # Four folds at a time until now. Two have 35 minutes left each, and two take 40 minutes.
    assert seconds_left(run, NOW) == (pytest.approx(2 * (2100 - 60 + 2400) / 4, abs=1), [])
    assert summarize(run, NOW) == (
        "cnn: 2 of 6 folds done, fold 02 in epoch 6/40, fold 03 in epoch 6/40; training ends in about 37 min, at 14:37"
    )


def test_two_folds_at_a_time_take_half_as_long_as_one():
    one = folds("cnn", begun(600, 10), number=3)
    two = folds("cnn", begun(600, 10), begun(600, 10), number=4)
    assert seconds_left(one, NOW) == (30 * 60 + 2 * 2400, [])
    assert seconds_left(two, NOW) == (30 * 60 + 2400, [])
    assert summarize(two, NOW).endswith("; training ends in about 70 min, at 15:10")


def test_the_last_fold_takes_as_long_as_it_takes_whatever_trained_beside_it():
    run = folds("cnn", *[begun(600, 10, epochs=10, ended=True)] * 3, begun(600, 10), number=4)
    assert seconds_left(run, NOW) == (30 * 60, [])


def test_the_start_of_each_job_counts_and_so_does_the_time_since_the_last_epoch():
    run = folds("cnn", begun(90, 1, epochs=10, startup=30.0), number=3)
    # 9 epochs, of which half a minute is over, and two folds of 10 epochs and a start.
    assert seconds_left(run, NOW)[0] == pytest.approx(9 * 60 - 30 + 2 * 630)


def test_a_long_epoch_is_not_counted_as_over_before_it_is():
    run = folds("cnn", begun(3600, 1, epochs=2), number=1)
    assert seconds_left(run, NOW)[0] == 0
    run = folds("cnn", begun(3600, 1, epochs=3), number=1)
    assert seconds_left(run, NOW)[0] == 60


def test_a_model_of_unknown_speed_is_named():
    run = folds("cnn", begun(600, 10), number=1) | folds("fc", begun(0, 0), number=2) | folds("fc_dropout", number=2)
    assert summarize(run, NOW) == (
        "cnn: 0 of 1 folds done, fold 00 in epoch 11/40; fc: 0 of 2 folds done, fold 00 in epoch 1/40; "
        "fc_dropout: 0 of 2 folds done; training ends in about 30 min, not counting fc, fc_dropout"
    )


def test_as_long_as_no_speed_is_known_there_is_no_time():
    assert summarize(folds("cnn", begun(10, 0)), NOW) == "cnn: 0 of 20 folds done, fold 00 in epoch 1/40"
    assert summarize(folds("cnn"), NOW) == "cnn: 0 of 20 folds done"


def test_many_folds_at_a_time_are_counted_and_failed_ones_do_not_train_any_more():
    run = folds("cnn", *[begun(60 * done, done) for done in range(5)], FoldStatus("failed"), number=6)
    text = summarize(run, NOW)
    assert text.startswith("cnn: 0 of 6 folds done, 5 in epochs 1 to 5 of 40, 1 failed; training ends in about ")


def test_folds_that_an_earlier_run_has_trained_are_done():
    run = folds("cnn", *[FoldStatus("done")] * 19, begun(600, 10))
    assert summarize(run, NOW) == (
        "cnn: 19 of 20 folds done, fold 19 in epoch 11/40; training ends in about 30 min, at 14:30"
    )


def test_early_stopping_makes_the_other_folds_shorter():
    run = folds("cnn", begun(600, 10, ended=True), begun(0, 0, speed=10.0), number=2)
    assert seconds_left(run, NOW)[0] == 40 * 60
    run = folds("cnn", begun(600, 10, ended=True), number=2)
    assert seconds_left(run, NOW)[0] == 10 * 60


@pytest.mark.parametrize(
    ("hours", "text"), [(0.5, "14:30"), (10, "Fri 00:00"), (6 * 24, "Wed 14:00"), (30 * 24, "2026-12-26 14:00")]
)
def test_another_day_is_named(hours, text):
    assert clock(NOW + 3600 * hours, NOW) == text


@pytest.fixture
def said(capsys):
    """A function that returns all that was written to stderr."""
    text = []

    def said():
        text.append(capsys.readouterr().err)
        return "".join(text)

    return said


@pytest.fixture
def started(tmp_path, said, monkeypatch):
    """The status of a run of the folds 00 and 01 of the cnn, which says a line every tenth of a second."""
    file(tmp_path, "00").add("end", epochs_done=9)  # of an earlier run
    monkeypatch.setattr(status, "SECONDS_IN_FILE", 0.1)
    of_run = Status(tmp_path, "mine")
    of_run.start({("cnn", "00"): True, ("cnn", "01"): True, ("cnn", "02"): False}, logging.Logger("snakemake"))
    yield of_run
    of_run.stop()


def file(folder, fold):
    """The file of a fold that has begun to train."""
    written = ProgressFile(progress_path(folder, "mine", "cnn", fold), "cnn", fold)
    written.add("start", epochs=2, epochs_done=0, images=60, startup_seconds=8.0)
    return written


def event(name, **values):
    """A record of Snakemake."""
    return SimpleNamespace(event=SimpleNamespace(value=name), **values)


def wait_for(text, said):
    """Wait until this was said."""
    end = time.monotonic() + 10
    while text not in said():
        assert time.monotonic() < end, said()
        time.sleep(0.01)


def test_it_says_nothing_until_a_fold_trains_and_ends_with_those_that_have_ended(started, tmp_path, said):
    time.sleep(0.3)
    assert said() == ""
    trained = file(tmp_path, "00")
    wait_for("cnn: 1 of 3 folds done, fold 00 in epoch 1/2\n", said)
    time.sleep(0.3)
    assert said().count("\n") == 1
    trained.add("epoch", epoch=1, seconds=4.0, val_accuracy=0.25)
    trained.add("epoch", epoch=2, seconds=8.0, val_accuracy=0.5)
    trained.add("end", epochs_done=2)
    started.stop()
    assert not started.thread.is_alive()
    assert said().splitlines()[-1] == "cnn fold 00: 2 epochs in 8 s, validation accuracy 0.5000"
    assert said().count("cnn fold 00") == 1


def test_a_fold_that_failed_trains_again_when_it_is_tried_again(started, tmp_path, said):
    job = {"rule_name": "train_fold", "wildcards": {"model": "cnn", "fold": "00"}}
    started.note(event("job_info", jobid=4, **job))
    file(tmp_path, "00")
    file(tmp_path, "01")
    started.note(event("job_error", jobid=4))
    wait_for("cnn: 1 of 3 folds done, fold 01 in epoch 1/2, 1 failed\n", said)
    started.note(event("job_info", jobid=4, **job))
    wait_for("cnn: 1 of 3 folds done, fold 01 in epoch 1/2\n", said)
    file(tmp_path, "00").add("epoch", epoch=1, seconds=4.0, val_accuracy=0.25)
    wait_for("cnn: 1 of 3 folds done, fold 00 in epoch 2/2, fold 01 in epoch 1/2; ", said)


def test_a_fold_whose_file_could_not_be_written_is_done_when_snakemake_says_so(started, tmp_path, said):
    started.note(event("job_info", jobid=4, rule_name="train_fold", wildcards={"model": "cnn", "fold": "00"}))
    started.note(event("job_finished", job_id=4))
    file(tmp_path, "01")
    wait_for("cnn: 2 of 3 folds done, fold 01 in epoch 1/2\n", said)


def test_where_nothing_is_trained_there_is_no_thread(tmp_path):
    of_run = Status(tmp_path, "mine")
    of_run.start({("cnn", "00"): False}, logging.Logger("snakemake"))
    assert of_run.thread is None
    of_run.stop()


@pytest.mark.parametrize("trains", [True, False])
def test_what_the_folds_say_is_written_for_tensorboard_if_the_setting_says_so(tmp_path, monkeypatch, trains):
    written = []
    monkeypatch.setattr(EventFiles, "update", lambda self, folds: written.append((self.folder, folds)))
    file(tmp_path, "00")
    for tensorboard in (False, True):
        of_run = Status(tmp_path, "mine", tensorboard)
        of_run.start({("cnn", "00"): False, ("cnn", "01"): trains}, logging.Logger("snakemake"))
        file(tmp_path, "01")
        of_run.stop()
        assert bool(written) == tensorboard
    folder, folds = written[-1]
    assert folder == tmp_path / "results" / "mine" / "tensorboard"
    assert {fold: progress.start["epochs"] for fold, progress in folds.items()} == {("cnn", "00"): 2, ("cnn", "01"): 2}


def test_a_long_run_is_told_once_what_takes_less(tmp_path):
    of_run = Status(tmp_path, "mine")
    of_run.folds = folds("cnn", begun(0, 0, speed=1.0))
    assert "`folds.number`" in of_run.summary()[1]
    of_run.folds = folds("cnn", begun(0, 0, speed=0.5))
    assert len(of_run.summary()) == 1
