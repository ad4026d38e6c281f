import hashlib
import json

import numpy as np
import pytest

from fercv.train.checkpoint import (
    Checkpoints,
    Snapshot,
    UnusableError,
    read_checkpoint,
    write_checkpoint,
)

RUN = {"definition": {"epochs": 3, "settings": {"width": 0.5}}, "code": "abc", "threads": 1, "classes": ("a", "b")}
STATE = Snapshot(
    {"history": [{"epoch": 1, "loss": 0.1 + 0.2}], "best_loss": float("inf"), "epochs_without_gain": 0},
    [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.uint32), np.zeros((0, 2))],
)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "demo" / "checkpoints" / "cnn_00.checkpoint"
    write_checkpoint(path, RUN, STATE)
    return path


def test_what_is_read_is_what_was_written(path):
    numbers, arrays = read_checkpoint(path, RUN)
    assert numbers == STATE.numbers
    for read, written in zip(arrays, STATE.arrays, strict=True):
        assert (read.dtype, read.shape) == (written.dtype, written.shape)
        np.testing.assert_array_equal(read, written)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("size", [2**20 - 1, 2**20, 2**20 + 1, 2**21 + 2])
def test_one_of_any_size_is_read(tmp_path, size):
    """It is read in blocks of 2**20 bytes."""
    path, checksum = tmp_path / "one", 32
    write_checkpoint(path, {}, Snapshot({}, [np.zeros(2**20, np.uint8)]))
    around = path.stat().st_size - 2**20
    array = np.arange(size + checksum - around).astype(np.uint8)
    write_checkpoint(path, {}, Snapshot({}, [array]))
    assert path.stat().st_size == size + checksum
    np.testing.assert_array_equal(read_checkpoint(path, {}).arrays[0], array)


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
    monkeypatch.setattr("fercv.train.checkpoint.FORMAT", 2)
    with pytest.raises(UnusableError, match="format 1, expected 2"):
        read_checkpoint(path, RUN)


def test_one_that_cannot_be_read_is_told(path, caplog, monkeypatch):
    def broken(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("fercv.train.checkpoint.read_checkpoint", broken)
    assert Checkpoints(path, RUN, 0.05, "cnn fold 00").restore() is None
    assert "is not used, [Errno 5] Input/output error" in caplog.text


def test_no_pickle_is_read(path):
    with pytest.raises(ValueError, match="Object arrays"):
        write_checkpoint(path, RUN, Snapshot({}, [np.array([{}], dtype=object)]))
    assert read_checkpoint(path, RUN).numbers == STATE.numbers


def test_a_full_disk_leaves_the_checkpoint_before_and_costs_a_warning(path, caplog, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    before = path.read_bytes()
    monkeypatch.setattr("os.fsync", full)
    Checkpoints(path, RUN, 1.0, "cnn fold 00").save(lambda: STATE, 1, last=True)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"cnn fold 00: no checkpoint after epoch 1 ({path}: No space left on device); training goes")
    assert line.endswith("start again from an earlier epoch")


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

    monkeypatch.setattr("fercv.train.checkpoint.write_checkpoint", write)
    checkpoints = Checkpoints(tmp_path / "one", RUN, 0.1, "cnn fold 00")
    for epoch in range(1, 31):
        clock[0] += 4
        checkpoints.save(lambda epoch=epoch: Snapshot({"history": [{}] * epoch}, []), epoch, last=epoch == 30)
    # Saving takes one second and may take a tenth of the time. So ten seconds, three epochs of four seconds each, pass
    # between two checkpoints. The first and the last epoch are always saved.
    assert written == [1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 30]


def test_the_first_epoch_is_saved_even_if_the_clock_stands_still(tmp_path, monkeypatch):
    monkeypatch.setattr("time.monotonic", lambda: 7.0)
    Checkpoints(tmp_path / "one", RUN, 0.05, "cnn fold 00").save(lambda: STATE, 1, last=False)
    assert read_checkpoint(tmp_path / "one", RUN).numbers == STATE.numbers


def test_what_one_run_saves_it_restores_and_another_does_not(tmp_path, caplog):
    Checkpoints(tmp_path / "one", RUN, 0.05, "cnn fold 00").save(lambda: STATE, 1, last=False)
    checked = []
    restored = Checkpoints(tmp_path / "one", RUN, 0.05, "cnn fold 00").restore(checked.append)
    assert restored.numbers == STATE.numbers
    assert [saved is restored for saved in checked] == [True]
    assert caplog.text == ""
    assert Checkpoints(tmp_path / "one", RUN | {"code": "abd"}, 0.05, "cnn fold 00").restore() is None


def test_a_state_that_does_not_fit_the_run_is_told_and_not_used(path, caplog):
    def refuse(saved):
        raise UnusableError("its weights are of other shapes")

    assert Checkpoints(path, RUN, 0.05, "cnn fold 00").restore(refuse) is None
    assert "is not used, its weights are of other shapes; training starts from the beginning" in caplog.text


def test_a_share_of_zero_saves_nothing(tmp_path):
    Checkpoints(tmp_path / "one", RUN, 0, "cnn fold 00").save(lambda: STATE, 1, last=True)
    assert not (tmp_path / "one").exists()


def npy_header(shape, dtype="<f4"):
    """The start of an npy array that declares this shape and dtype and holds nothing."""
    described = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(described).to_bytes(2, "little") + described


WHOLE = {"format": 1, "run": RUN, "numbers": {}, "arrays": 1}


NO_JSON, NO_HEADER = "its first line is no JSON", "its first line does not hold format, run, numbers, arrays"


@pytest.mark.parametrize(
    ("first_line", "arrays", "said"),
    [
        (b"not JSON", b"", NO_JSON),
        (b"\xff", b"", NO_JSON),
        (b"[" * 100_000, b"", NO_JSON),
        (b"[]", b"", NO_HEADER),
        *((json.dumps({k: v for k, v in WHOLE.items() if k != key}).encode(), b"", NO_HEADER) for key in WHOLE),
        (json.dumps(WHOLE | {"run": []}).encode(), b"", NO_HEADER),
        (json.dumps(WHOLE | {"arrays": "1"}).encode(), b"", NO_HEADER),
        (json.dumps(WHOLE | {"arrays": 10**12}).encode(), b"", "no array at byte"),
        (json.dumps(WHOLE).encode(), npy_header((10**13,)), "no array at byte"),
        (json.dumps(WHOLE).encode(), npy_header((10**30,)), "no array at byte"),
        (json.dumps(WHOLE).encode(), npy_header((10**4,), "|S2147483647") + b"x" * 16, "no array at byte"),
        (json.dumps(WHOLE).encode(), npy_header((-1,)), "no array at byte"),
        (json.dumps(WHOLE).encode(), npy_header((2,), "|O8") + b"x" * 16, "no array at byte"),
        # The checksum, which follows the arrays, would fit: it has 32 bytes.
        (json.dumps(WHOLE).encode(), npy_header((8,)), "no array at byte"),
    ],
)
def test_a_crafted_one_with_a_valid_checksum_is_not_used(tmp_path, caplog, first_line, arrays, said):
    path, content = tmp_path / "crafted", first_line + b"\n" + arrays
    path.write_bytes(content + hashlib.sha256(content).digest())
    assert Checkpoints(path, RUN, 0.05, "cnn fold 00").restore() is None
    assert f"is not used, it is damaged: {said}" in caplog.text
