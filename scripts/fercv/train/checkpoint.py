"""Checkpoints of a training run. A run goes on from one as if it had never stopped.

A checkpoint is one file. It is written under another name, synced to the disk and then renamed, so that it is either
whole or not there. Its first line is JSON: which run it belongs to, and the numbers of the run's state. Then come the
arrays in NumPy's npy format, and last the SHA-256 of all before. It is read without pickle: no code can hide in it.
"""

import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fercv.workflow.finished import part_of

log = logging.getLogger("fercv")
FORMAT = 1
DIGEST_BYTES = hashlib.sha256().digest_size


class Snapshot(NamedTuple):
    """What a run was at the end of an epoch.

    numbers: of lists, dicts, texts and numbers alone, as JSON keeps them exactly.
    arrays: NumPy arrays of any dtype but object.
    """

    numbers: dict
    arrays: list[np.ndarray]


class UnusableError(Exception):
    """A checkpoint that must not be used; the message says why."""


def write_checkpoint(path: Path, run: dict, state: Snapshot) -> None:
    """Write a checkpoint as a whole. If that fails, the checkpoint that was there before stays.

    Args:
        path: of the checkpoint; its folder is made.
        run: what determines the training, in types that JSON knows; see `read_checkpoint`.
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


def read_checkpoint(path: Path, run: dict) -> Snapshot:
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
        header = read_header(file)
        if header.get("format") != FORMAT:
            raise UnusableError(f"it is of the format {header.get('format')}, expected {FORMAT}")
        # The header went through JSON, which makes lists of tuples. `run` must do the same.
        run = json.loads(json.dumps(run))
        differing = [key for key in {**header["run"], **run} if header["run"].get(key) != run.get(key)]
        if differing:
            raise UnusableError(f"it belongs to another run, with other {', '.join(differing)}")
        arrays = [read_array(file, size - DIGEST_BYTES) for _ in range(header["arrays"])]
    return Snapshot(header["numbers"], arrays)


def read_header(file) -> dict:
    """Read the first line of a checkpoint. UnusableError if it is none that `write_checkpoint` writes."""
    kinds = {"format": int, "run": dict, "numbers": dict, "arrays": int}
    try:
        header = json.loads(file.readline())
    except (ValueError, RecursionError):
        raise UnusableError("it is damaged: its first line is no JSON") from None
    if not isinstance(header, dict) or any(type(header.get(key)) is not kind for key, kind in kinds.items()):
        raise UnusableError(f"it is damaged: its first line does not hold {', '.join(kinds)}")
    return header


def read_array(file, end: int) -> np.ndarray:
    """Read the next array of a checkpoint, whose arrays end at byte `end`. UnusableError if there is none.

    NumPy makes room for an array before it reads it, so the size that is declared is compared with the file's first.
    """
    start = file.tell()
    try:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize > end - file.tell():
            raise ValueError
        file.seek(start)
        return np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, OverflowError):
        raise UnusableError(f"it is damaged: no array at byte {start}") from None


def sync(path: str | Path) -> None:
    """Write a file's content, or a folder's list of files, through to the disk, so that a power cut loses nothing."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Hashing:
    """A file that also hashes what is written to it, for `np.lib.format.write_array`."""

    def __init__(self, file):
        self.file, self.sha256 = file, hashlib.sha256()

    def write(self, content) -> int:
        """Write bytes; return their number."""
        self.sha256.update(content)
        return self.file.write(content)


class Checkpoints:
    """The checkpoints of one run. It restores one at its start, and saves one after an epoch.

    Args:
        path: of the checkpoint.
        run: what determines the training, see `read_checkpoint`.
        share: share of the training time that saving may take, e.g. 0.05; 0 switches saving off.
        name: for messages, e.g. "cnn fold 03".
    """

    def __init__(self, path: Path, run: dict, share: float, name: str):
        self.path, self.run, self.share, self.name = path, run, share, name
        self.saved_at, self.cost = time.monotonic(), 0.0

    def restore(self, check: Callable[[Snapshot], None] = lambda saved: None) -> Snapshot | None:
        """Read the last checkpoint. None if there is none, or if it cannot be used; a warning then says why.

        Args:
            check: raises UnusableError if the state that was read does not fit the run.
        """
        try:
            saved = read_checkpoint(self.path, self.run)
            check(saved)
            return saved
        except FileNotFoundError:
            return None
        except (UnusableError, OSError) as reason:
            log.warning("%s: %s is not used, %s; training starts from the beginning", self.name, self.path, reason)
            return None

    def save(self, take_snapshot: Callable[[], Snapshot], epoch: int, last: bool) -> None:
        """Save the state after an epoch, if saving has not yet taken its share of the time.

        The first and the last epoch are always saved. If the disk is full, a warning says so and training goes on.

        Args:
            take_snapshot: returns the state. It is called only if the state is saved, as copying takes time and memory.
            epoch: how many epochs are done.
            last: whether the training is over.
        """
        began = time.monotonic()
        if self.share == 0 or (not last and self.cost > self.share * (began - self.saved_at)):
            return
        try:
            write_checkpoint(self.path, self.run, take_snapshot())
        except OSError as error:
            log.warning(
                "%s: no checkpoint after epoch %d (%s: %s); training goes on, but after a stop it would start again "
                "from an earlier epoch",
                self.name, epoch, self.path, error.strerror,
            )  # fmt: skip
        self.saved_at = time.monotonic()
        self.cost = self.saved_at - began
