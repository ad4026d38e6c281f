"""Checkpoints of a training run: what it needs to go on from an epoch's end as if it had never stopped.

A checkpoint is one file that is either whole or not there: it is written aside, synced to the disk and renamed. It
begins with a line of JSON (what run it belongs to, and the run's state but for its arrays), goes on with the arrays in
NumPy's npy format and ends with the SHA-256 of all before. It is read without pickle: no code can hide in it.
"""

import base64
import contextlib
import fcntl
import hashlib
import json
import logging
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

log = logging.getLogger("fercv")

FORMAT = 1
DIGEST_BYTES = hashlib.sha256().digest_size


class State(NamedTuple):
    """What a run was at the end of an epoch.

    numbers: of lists, dicts, texts and numbers alone, as JSON keeps them exactly.
    arrays: NumPy arrays of any dtype but object.
    """

    numbers: dict
    arrays: list[np.ndarray]


class UnusableError(Exception):
    """A checkpoint that must not be used; the message says why."""


def write_checkpoint(path: Path, run: dict, state: State) -> None:
    """Write a checkpoint in one piece; where that fails, what stood there before is left.

    Args:
        path: of the checkpoint; its folder is made.
        run: what determines the training, as JSON can hold it; see `read_checkpoint`.
        state: what to keep.

    Raises:
        OSError: it cannot be written, for instance because the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = part_of(path)
    try:
        with aside.open("wb") as file:
            hashing = Hashing(file)
            header = {"format": FORMAT, "run": run, "numbers": state.numbers, "arrays": len(state.arrays)}
            hashing.write(json.dumps(header).encode() + b"\n")
            for array in state.arrays:
                np.lib.format.write_array(hashing, np.asarray(array), allow_pickle=False)
            file.write(hashing.sha256.digest())
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        sync(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def read_checkpoint(path: Path, run: dict) -> State:
    """Read a checkpoint back.

    Args:
        path: of the checkpoint.
        run: what determines the training; the checkpoint must have been written with the same.

    Raises:
        FileNotFoundError: there is none.
        UnusableError: it is damaged, or of another run.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        digest = hashlib.sha256()
        remaining = size - DIGEST_BYTES
        while remaining > 0 and (block := file.read(min(1 << 20, remaining))):
            digest.update(block)
            remaining -= len(block)
        if size <= DIGEST_BYTES or file.read() != digest.digest():
            raise UnusableError("it is damaged: its checksum does not fit its content")
        file.seek(0)
        header = json.loads(file.readline())
        if header.get("format") != FORMAT:
            raise UnusableError(f"it is of the format {header.get('format')}, expected {FORMAT}")
        # As JSON gives it back: tuples are lists there.
        run = json.loads(json.dumps(run))
        differing = [key for key in {**header["run"], **run} if header["run"].get(key) != run.get(key)]
        if differing:
            raise UnusableError(f"it belongs to another run, with other {', '.join(differing)}")
        arrays = [np.lib.format.read_array(file, allow_pickle=False) for _ in range(header["arrays"])]
    return State(header["numbers"], arrays)


def sync(path: str | Path) -> None:
    """Have a file's content, or a folder's entries, on the disk: they are there after a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Hashing:
    """A file to write to that hashes what passes, for `np.lib.format.write_array`."""

    def __init__(self, file):
        self.file, self.sha256 = file, hashlib.sha256()

    def write(self, content) -> int:
        """Write bytes; return their number."""
        self.sha256.update(content)
        return self.file.write(content)


class Checkpoints:
    """The checkpoints of one run: restored at its start, saved as it goes on.

    Args:
        path: of the checkpoint.
        run: what determines the training, see `read_checkpoint`.
        share: how much of the training time saving may take, e.g. 0.05; 0 switches saving off.
        name: for messages, e.g. "cnn fold 03".
    """

    def __init__(self, path: Path, run: dict, share: float, name: str):
        self.path, self.run, self.share, self.name = path, run, share, name
        self.saved_at, self.cost = time.monotonic(), 0.0

    def restore(self) -> State | None:
        """What the last checkpoint holds; None without one, and, with a warning why, where it can't be used."""
        try:
            return read_checkpoint(self.path, self.run)
        except FileNotFoundError:
            return None
        except (UnusableError, OSError) as reason:
            log.warning("%s: %s is not used, %s; training starts from the beginning", self.name, self.path, reason)
            return None

    def save(self, take_state: Callable[[], State], epoch: int, last: bool) -> None:
        """Save the state after an epoch, unless that came too soon after the one before for the share of the time.

        The first epoch's and the last one's are saved in any case. A full disk costs the checkpoint, not the training.

        Args:
            take_state: gives the state; called only where it is saved, as copying it takes time and memory.
            epoch: number of epochs behind it.
            last: whether the training is over.
        """
        began = time.monotonic()
        if self.share == 0 or (not last and self.cost > self.share * (began - self.saved_at)):
            return
        try:
            write_checkpoint(self.path, self.run, take_state())
        except OSError as error:
            log.warning(
                "%s: no checkpoint after epoch %d (%s: %s); training goes on, but would start again further back",
                self.name, epoch, self.path, error.strerror,
            )  # fmt: skip
        self.saved_at = time.monotonic()
        self.cost = self.saved_at - began


def checkpoint_path(directory: str | Path, experiment: str, model: str, fold: str) -> Path:
    """Where a fold's checkpoint lies: outside what Snakemake knows of.

    It removes the outputs of a job that fails, and shadow folders with all that is in them.
    """
    return Path(directory, "results", experiment, "checkpoints", f"{model}_{fold}.checkpoint")


def remove_recorded(directory: str | Path, experiment: str) -> None:
    """Remove the checkpoints of folds that are finished and that Snakemake has recorded as complete.

    A fold doesn't do so itself: where Snakemake is killed or gives up before it has recorded the outputs, it has them
    made again, and the last epoch's checkpoint makes that a matter of seconds. What can't be removed costs a warning.

    What is recorded is told by the files with which Snakemake marks outputs as begun. Where it keeps these marks in a
    database, call this only when all folds that were begun are recorded.

    Args:
        directory: where Snakemake runs, with `results` and `.snakemake`.
        experiment: name of the experiment.
    """
    folder = Path(directory, "results", experiment, "checkpoints")
    try:
        open_outputs = marked_incomplete(Path(directory, ".snakemake", "incomplete"))
        for mark in folder.glob("*.finished"):
            model, _, fold = mark.stem.rpartition("_")
            outputs = Path("results", experiment, model, "folds", fold)
            recorded = all(Path(output).parent != outputs for output in open_outputs)
            # Snakemake takes its marks off the outputs of a job that failed as well, and then deletes them.
            if recorded and Path(directory, outputs, "model.keras").exists():
                path = mark.with_suffix(".checkpoint")
                for file in (path, part_of(path), mark):
                    file.unlink(missing_ok=True)
    except OSError as error:
        log.warning("checkpoints of finished folds are left in %s: %s", folder, error)
    with contextlib.suppress(OSError):
        folder.rmdir()


def finished_mark(path: Path) -> Path:
    """The empty file that says of a checkpoint that its fold's outputs are complete and on the disk."""
    return path.with_suffix(".finished")


def marked_incomplete(folder: Path) -> list[str]:
    """The outputs that Snakemake has marked as begun and not recorded: files named in base64, long names in folders."""
    outputs = []
    for marker in folder.rglob("*"):
        name = "".join(part.removeprefix("@") for part in marker.relative_to(folder).parts)
        with contextlib.suppress(ValueError):
            outputs.append(base64.urlsafe_b64decode(name).decode())
    return outputs


def part_of(path: Path) -> Path:
    """Where a checkpoint is written before it takes its name."""
    return path.with_name(f"{path.name}.part")


@contextlib.contextmanager
def held(path: Path, name: str):
    """Hold a lock for as long as the block runs; where another process holds it, say which, and wait for it.

    The kernel releases the lock with the process, however that ends. The file tells who holds it.

    Args:
        path: of the lock file; it is gone again afterwards, and its folder with it where that is empty.
        name: of what is locked, for the message.
    """
    while True:
        # Whoever held it may have taken the file away, and the folder with it.
        with contextlib.suppress(FileNotFoundError, FileExistsError):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a+", encoding="utf-8")
            lock(file, path, name)
            if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                break
            file.close()
    with file:
        with contextlib.suppress(OSError):
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                path.parent.rmdir()


def lock(file, path: Path, name: str) -> None:
    """Lock an open file, and wait for it where another process holds it."""
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            log.warning("%s: waiting, %s is at work on it", name, file.read().strip() or "another process")
            fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:
        log.warning(
            "%s: %s cannot be locked (%s); see to it that no second Snakemake trains the same fold",
            name, path, error.strerror,
        )  # fmt: skip
