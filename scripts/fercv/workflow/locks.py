"""A lock that makes the processes of one task wait for each other."""

import contextlib
import logging
import os
import socket
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger("fercv")

SECONDS_BETWEEN_TRIES = 0.2


@contextlib.contextmanager
def locked(path: Path, name: str):
    """Hold a lock while the block runs. If another process holds it, say which one, and wait.

    The kernel releases the lock when the process ends, even if it is killed. If the file system has no locks, a warning
    says so, and the block runs without one.

    Args:
        path: of the lock file, which names the process that holds the lock. Afterwards the file is removed, and its
            folder too if that is empty.
        name: of what is locked, for the messages.
    """
    # A lock of another kind would outlive a killed process.
    lock = FileLock(path, thread_local=False, fallback_to_soft=False, poll_interval=SECONDS_BETWEEN_TRIES)
    try:
        acquire(lock, path, name)
    except OSError as error:
        log.warning(
            "%s: %s cannot be locked (%s); see to it that no second Snakemake trains the same fold",
            name, path, error.strerror,
        )  # fmt: skip
    try:
        yield
    finally:
        # Remove the file before the release. A process that waits then sees that it is gone, and locks a new one.
        path.unlink(missing_ok=True)
        lock.release()
        with contextlib.suppress(OSError):
            path.parent.rmdir()


def acquire(lock: FileLock, path: Path, name: str) -> None:
    """Acquire a lock, if necessary after waiting for another process, and write into its file who has it now."""
    waited = False
    while not lock.is_locked:
        # The process that held the lock may have removed the folder.
        with contextlib.suppress(FileNotFoundError):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=-1 if waited else 0)
            except Timeout:
                log.warning("%s: waiting, %s is at work on it", name, holder(path))
                waited = True
    with contextlib.suppress(OSError):
        path.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")


def holder(path: Path) -> str:
    """The process that holds a lock, as the lock file names it."""
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8") or "another process"
    return "another process"
