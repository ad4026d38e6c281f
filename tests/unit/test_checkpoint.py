import subprocess
import sys

import numpy as np
import pytest
from helpers import REPOSITORY
from snakemake.persistence.file import FilePersistence

from fercv.checkpoint import (
    Checkpoints,
    State,
    UnusableError,
    checkpoint_path,
    finished_mark,
    held,
    read_checkpoint,
    remove_recorded,
    write_checkpoint,
)

RUN = {"definition": {"epochs": 3, "settings": {"width": 0.5}}, "code": "abc", "threads": 1, "classes": ("a", "b")}
STATE = State(
    {"history": [{"epoch": 1, "loss": 0.1 + 0.2}], "best_loss": float("inf"), "waited": 0},
    [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.uint32), np.zeros((0, 2))],
)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "checkpoints" / "cnn_00.checkpoint"
    write_checkpoint(path, RUN, STATE)
    return path


def test_what_is_read_is_what_was_written(path):
    numbers, arrays = read_checkpoint(path, RUN)
    assert numbers == STATE.numbers
    for read, written in zip(arrays, STATE.arrays, strict=True):
        assert (read.dtype, read.shape) == (written.dtype, written.shape)
        np.testing.assert_array_equal(read, written)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_equal_states_are_equal_bytes(path):
    before = path.read_bytes()
    write_checkpoint(path, RUN, STATE)
    assert path.read_bytes() == before


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 200, 400, -33, -32, -1])
def test_a_truncated_one_is_refused(path, length):
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UnusableError, match="damaged"):
        read_checkpoint(path, RUN)


@pytest.mark.parametrize("place", [0, 40, 300, -40, -1])
def test_one_with_a_flipped_bit_is_refused(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(content)
    with pytest.raises(UnusableError, match="damaged"):
        read_checkpoint(path, RUN)


def test_one_with_more_behind_it_is_refused(path):
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(UnusableError, match="damaged"):
        read_checkpoint(path, RUN)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"code": "abd"}, "code"),
        ({"definition": {"epochs": 4, "settings": {"width": 0.5}}}, "definition"),
        ({"threads": 2, "code": "x"}, "code, threads"),
        ({"more": 1}, "more"),
    ],
)
def test_one_of_another_run_is_refused_by_what_differs(path, change, named):
    with pytest.raises(UnusableError, match=f"belongs to another run, with other {named}$"):
        read_checkpoint(path, RUN | change)


def test_one_of_another_format_is_refused(path, monkeypatch):
    monkeypatch.setattr("fercv.checkpoint.FORMAT", 2)
    with pytest.raises(UnusableError, match="format 1, expected 2"):
        read_checkpoint(path, RUN)


def test_one_that_cannot_be_read_is_told(path, caplog, monkeypatch):
    def broken(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("fercv.checkpoint.read_checkpoint", broken)
    assert Checkpoints(path, RUN, 0.05, "cnn fold 00").restore() is None
    assert "is not used, [Errno 5] Input/output error" in caplog.text


def test_where_locks_are_not_supported_a_line_says_so(tmp_path, caplog, monkeypatch):
    def unsupported(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", unsupported)
    with held(tmp_path / "locks" / "cnn_00.lock", "cnn fold 00"):
        assert "cannot be locked (Function not implemented)" in caplog.text


def test_no_pickle_is_read(path):
    with pytest.raises(ValueError, match="Object arrays"):
        write_checkpoint(path, RUN, State({}, [np.array([{}], dtype=object)]))
    assert read_checkpoint(path, RUN).numbers == STATE.numbers


def test_a_full_disk_leaves_the_checkpoint_before_and_costs_a_warning(path, caplog, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", full)
    Checkpoints(path, RUN, 1.0, "cnn fold 00").save(lambda: STATE, 1, last=True)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert "cnn fold 00: no checkpoint after epoch 1" in caplog.text
    assert "No space left on device" in caplog.text


def test_one_that_is_damaged_is_told_and_not_used(path, caplog):
    path.write_bytes(b"x" * 100)
    assert Checkpoints(path, RUN, 0.05, "cnn fold 00").restore() is None
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"cnn fold 00: {path} is not used, it is damaged")


def test_none_is_no_reason_for_a_word(tmp_path, caplog):
    assert Checkpoints(tmp_path / "none", RUN, 0.05, "cnn fold 00").restore() is None
    assert caplog.text == ""


def test_saving_takes_its_share_of_the_time_and_no_more(tmp_path, monkeypatch):
    clock, written = [0.0], []
    monkeypatch.setattr("time.monotonic", lambda: clock[0])

    def write(path, run, state):
        clock[0] += 1
        written.append(len(state.numbers["history"]))

    monkeypatch.setattr("fercv.checkpoint.write_checkpoint", write)
    checkpoints = Checkpoints(tmp_path / "one", RUN, 0.1, "cnn fold 00")
    for epoch in range(1, 31):
        clock[0] += 4
        checkpoints.save(lambda epoch=epoch: State({"history": [{}] * epoch}, []), epoch, last=epoch == 30)
    # A second each, of at least ten in between: every third epoch of four seconds; the first and the last in any case.
    assert written == [1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 30]


def test_a_share_of_zero_saves_nothing(tmp_path):
    Checkpoints(tmp_path / "one", RUN, 0, "cnn fold 00").save(lambda: STATE, 1, last=True)
    assert not (tmp_path / "one").exists()


@pytest.fixture
def two_folds(tmp_path):
    """Two folds with their checkpoints and outputs, and Snakemake's own records of files."""
    for fold in ("00", "01"):
        path = checkpoint_path(tmp_path, "an-experiment", "a_cnn", fold)
        write_checkpoint(path, RUN, STATE)
        finished_mark(path).touch()
        outputs = tmp_path / "results" / "an-experiment" / "a_cnn" / "folds" / fold
        outputs.mkdir(parents=True)
        (outputs / "model.keras").touch()
    folder = tmp_path / ".snakemake"
    return tmp_path, FilePersistence(path=folder, nolock=True)


def left(directory):
    return sorted(path.name for path in (directory / "results" / "an-experiment").glob("checkpoints/*"))


def test_the_checkpoints_of_recorded_folds_are_removed(two_folds):
    directory, _ = two_folds
    checkpoint_path(directory, "an-experiment", "a_cnn", "01").with_suffix(".checkpoint.part").touch()
    remove_recorded(directory, "an-experiment")
    assert not (directory / "results" / "an-experiment" / "checkpoints").exists()


@pytest.mark.parametrize("output", ["model.keras", "timing.csv"])
def test_the_checkpoint_of_a_fold_that_is_not_recorded_stays(two_folds, output):
    directory, persistence = two_folds
    persistence._mark_incomplete(f"results/an-experiment/a_cnn/folds/01/{output}", None)
    persistence._mark_incomplete("results/another-experiment/a_cnn/folds/00/model.keras", None)
    persistence._mark_incomplete("x" * 400, None)
    remove_recorded(directory, "an-experiment")
    assert left(directory) == ["a_cnn_01.checkpoint", "a_cnn_01.finished"]


def test_the_checkpoint_of_a_fold_without_outputs_stays(two_folds):
    directory, _ = two_folds
    (directory / "results" / "an-experiment" / "a_cnn" / "folds" / "00" / "model.keras").unlink()
    remove_recorded(directory, "an-experiment")
    assert left(directory) == ["a_cnn_00.checkpoint", "a_cnn_00.finished"]


def test_the_checkpoint_of_a_fold_that_failed_stays_beside_outputs_that_were_kept(two_folds):
    """Snakemake's --keep-incomplete keeps them, and takes its own marks off them."""
    directory, _ = two_folds
    finished_mark(checkpoint_path(directory, "an-experiment", "a_cnn", "00")).unlink()
    remove_recorded(directory, "an-experiment")
    assert left(directory) == ["a_cnn_00.checkpoint"]


def test_checkpoints_that_cannot_be_removed_cost_a_warning(two_folds, monkeypatch, caplog):
    def refused(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.unlink", refused)
    remove_recorded(two_folds[0], "an-experiment")
    assert "Read-only file system" in caplog.text


HOLDER = """
import sys, time
sys.path.insert(0, {scripts!r})
from pathlib import Path
from fercv.checkpoint import held
with held(Path({path!r}), "cnn fold 00"):
    print("held", flush=True)
    time.sleep({seconds})
"""


def start_holder(path, seconds):
    code = HOLDER.format(scripts=str(REPOSITORY / "scripts"), path=str(path), seconds=seconds)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_second_process_waits_and_says_for_whom(tmp_path, caplog):
    path = tmp_path / "locks" / "cnn_00.lock"
    holder = start_holder(path, 2)
    assert holder.stdout.readline() == "held\n"
    with held(path, "cnn fold 00"):
        assert holder.wait(10) == 0
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"cnn fold 00: waiting, process {holder.pid} on ")
    assert not path.parent.exists()


def test_the_lock_goes_with_a_killed_process(tmp_path, caplog):
    path = tmp_path / "cnn_00.lock"
    holder = start_holder(path, 600)
    holder.stdout.readline()
    holder.kill()
    holder.wait()
    with held(path, "cnn fold 00"):
        assert path.read_text(encoding="utf-8").startswith("process ")
    assert caplog.text == ""


def test_of_many_processes_one_at_a_time_holds_it(tmp_path):
    """Also where each takes the file away behind it."""
    trace = tmp_path / "trace"
    code = HOLDER.replace("time.sleep({seconds})", "\n".join([
        "open({trace!r}, 'a').write('(')", "    time.sleep(0.02)", "    open({trace!r}, 'a').write(')')"
    ]))  # fmt: skip
    code = code.format(scripts=str(REPOSITORY / "scripts"), path=str(tmp_path / "locks" / "lock"), trace=str(trace))
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL) for _ in range(8)]
    assert [process.wait(60) for process in processes] == [0] * 8
    assert trace.read_text(encoding="utf-8") == "()" * 8
