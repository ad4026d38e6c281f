"""The files in which folds say how far they are."""

import json
import re

import pytest

from fercv.workflow.progress import ProgressFile, duration, progress_path, read_progress

START = {"epochs": 3, "epochs_done": 0, "images": 60, "startup_seconds": 8.5}


@pytest.fixture
def path(tmp_path):
    return progress_path(tmp_path, "mine", "cnn", "07")


def train(path, epochs, **start):
    """Write the file of a fold that trains this many epochs of 4 s."""
    file = ProgressFile(path, "cnn", "07")
    file.add("start", **START | start)
    file.add("speed", images_per_second=20.0)
    for epoch in range(1, epochs + 1):
        file.add("epoch", epoch=epoch, seconds=4.0 * epoch, val_accuracy=0.25 * epoch)
    return file


def test_each_line_is_there_at_once_and_says_of_which_fold_it_is_and_when(path):
    file = train(path, 2)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["event"] for line in lines] == ["start", "speed", "epoch", "epoch"]
    for line in lines:
        assert (line["model"], line["fold"]) == ("cnn", "07")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line["time"])
    progress = read_progress(path)
    assert (progress.epochs_done, progress.seconds_an_epoch, progress.end) == (2, 4.0, None)
    file.add("end", epochs_done=2)
    assert read_progress(path).end["epochs_done"] == 2


def test_before_the_first_epoch_the_speed_tells_how_long_one_takes(path):
    train(path, 0)
    assert (read_progress(path).epochs_done, read_progress(path).seconds_an_epoch) == (0, 3.0)


def test_the_first_epoch_takes_longer_and_tells_nothing_about_the_others(path):
    file = train(path, 0)
    file.add("epoch", epoch=1, seconds=20.0, val_accuracy=0.25)
    assert (read_progress(path).seconds_an_epoch, read_progress(path).seconds_of_all_epochs) == (3.0, 26.0)
    file.add("epoch", epoch=2, seconds=24.0, val_accuracy=0.25)
    assert (read_progress(path).seconds_an_epoch, read_progress(path).seconds_of_all_epochs) == (4.0, 28.0)
    file.add("end", epochs_done=2)
    assert read_progress(path).seconds_of_all_epochs == 24.0


def test_a_new_job_begins_the_file_anew(path):
    train(path, 3).add("end", epochs_done=3)
    train(path, 1)
    assert (read_progress(path).epochs_done, read_progress(path).end) == (1, None)


def test_a_file_that_cannot_be_written_costs_a_warning_and_is_whole_later(path, caplog):
    path.parent.parent.mkdir(parents=True)
    path.parent.write_text("in the way")
    file = train(path, 2)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert re.match(rf"cnn fold 07: {path} cannot be written \(.+\); training goes on", record.getMessage())
    path.parent.unlink()
    file.add("epoch", epoch=3, seconds=12.0, val_accuracy=0.75)
    assert [line["epoch"] for line in read_progress(path).epochs] == [1, 2, 3]


def test_a_line_that_went_only_half_to_the_disk_is_written_again(path, monkeypatch):
    file = train(path, 1)

    class FullDisk:
        def write(self, text):
            with open(path, "a") as half:  # noqa: PTH123
                half.write(text[:20])
            raise OSError(28, "No space left on device")

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    with monkeypatch.context() as patch:
        patch.setattr(type(path), "open", lambda *_, **__: FullDisk())
        file.add("epoch", epoch=2, seconds=8.0, val_accuracy=0.5)
    assert read_progress(path).epochs_done == 1
    file.add("epoch", epoch=3, seconds=12.0, val_accuracy=0.75)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line).get("epoch") for line in lines] == [None, None, 1, 2, 3]


def test_a_file_that_ends_anywhere_is_read_as_far_as_it_goes(path):
    train(path, 2).add("end", epochs_done=2)
    content = path.read_bytes()
    ends = [end for end in range(len(content)) if content[end : end + 1] == b"\n"]
    for size in range(len(content) + 1):
        path.write_bytes(content[:size])
        progress, lines = read_progress(path), sum(end <= size for end in ends)
        assert (progress is None) == (lines < 1)
        if progress:
            assert len(progress.epochs) == max(0, min(lines - 2, 2))


@pytest.mark.parametrize(
    "broken",
    [
        "", "{", "[]", "3", "null", '"epoch"', "{}", '{"event": []}', '{"event": "page"}', '{"event": "epoch"}',
        '{"event": "epoch", "time": "now", "epoch": 9, "seconds": 1.0, "val_accuracy": 0.5}',
        '{"event": "epoch", "time": 3, "epoch": 9, "seconds": 1.0, "val_accuracy": 0.5}',
        '{"event": "epoch", "time": "2026-01-02T03:04:05Z", "epoch": "9", "seconds": 1.0, "val_accuracy": 0.5}',
        '{"event": "epoch", "time": "2026-01-02T03:04:05Z", "epoch": true, "seconds": 1.0, "val_accuracy": 0.5}',
        '{"event": "epoch", "time": "2026-01-02T03:04:05Z", "epoch": 0, "seconds": 1.0, "val_accuracy": 0.5}',
        '{"event": "epoch", "time": "2026-01-02T03:04:05Z", "epoch": 9, "seconds": -1, "val_accuracy": 0.5}',
        '{"event": "epoch", "time": "2026-01-02T03:04:05Z", "epoch": 9, "seconds": NaN, "val_accuracy": 0.5}',
        '{"event": "epoch", "time": "2026-01-02T03:04:05Z", "epoch": 1e999, "seconds": 1.0, "val_accuracy": 0.5}',
        '{"event": "epoch", "time": "2026-01-02T03:04:05Z", "epoch": 9, "seconds": %s, "val_accuracy": 1}' % 10**400,
        '{"event": "speed", "time": "2026-01-02T03:04:05Z", "images_per_second": 0.0}',
        "[" * 100_000, "\x00\xff",
    ],
)  # fmt: skip
def test_a_line_that_no_fold_writes_is_skipped(path, broken):
    train(path, 2)
    undisturbed = read_progress(path)
    with path.open("a", encoding="latin-1") as file:
        file.write(f"{broken}\n")
    assert read_progress(path) == undisturbed


def test_without_a_file_nothing_is_known(path):
    assert read_progress(path) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1 s"), (40.4, "40 s"), (100, "2 min"), (3600, "60 min"), (12600, "3.5 h"), (180000, "2.1 days")],
)
def test_a_duration_is_told_in_a_fitting_unit(seconds, text):
    assert duration(seconds) == text
