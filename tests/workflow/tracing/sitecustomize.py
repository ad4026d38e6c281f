"""Watches and disturbs the jobs of a workflow, for tests: Python imports a module of this name when it starts.

FERCV_CALLS: a folder; each process leaves a file in it: its script, then `module function` a line for each function of
    the library that it called.
FERCV_BATCHES: a file that grows by a byte with each training batch.
FERCV_SIGNAL: `<what> <number> <signal>`; a train_fold job sends itself the signal at this point: `batch 5 9` before its
    fifth training batch, `history.csv 1 9` when it opens a file of this name for the first time, `rename 2 9` before it
    renames its second file, `write 9 9` at the ninth piece that it writes of checkpoints.
"""

import atexit
import importlib.util
import os
import sys
import threading
from pathlib import Path

seen, calls = set(), set()
counted = {"batch": 0, "file": 0}
what, number, signal = os.environ.get("FERCV_SIGNAL", "none 0 0").split()


def reached(kind):
    """Count a point that is watched for, and send the signal at the one asked for."""
    counted[kind] += 1
    if counted[kind] == int(number):
        os.kill(os.getpid(), int(signal))


def note_call(frame, event, argument):
    """Note a function when it is called for the first time, by its file and qualified name."""
    code = frame.f_code
    if event == "call" and code not in seen:
        seen.add(code)
        path = Path(code.co_filename)
        if path.parent.name == "fercv":
            calls.add(f"fercv.{path.stem} {code.co_qualname}")


def write_calls():
    """Write what was noted."""
    sys.setprofile(None)
    if calls:
        Path(os.environ["FERCV_CALLS"], str(os.getpid())).write_text("\n".join([sys.argv[0], *sorted(calls)]))


class Wrapping:
    """Wraps functions of a module when that is imported, so that their calls are counted first."""

    def __init__(self, module, find_owner, function, before):
        """Call `before` ahead of each call of `function` of what `find_owner` finds in the module."""
        self.module, self.find_owner, self.function, self.before = module, find_owner, function, before

    def find_spec(self, name, path=None, target=None):
        """Find the module as usual, and change it after it has been executed."""
        if name != self.module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def execute_and_wrap(module):
            execute(module)
            owner = self.find_owner(module)
            original = getattr(owner, self.function)

            def wrapped(*arguments):
                self.before()
                return original(*arguments)

            setattr(owner, self.function, wrapped)

        spec.loader.exec_module = execute_and_wrap
        return spec


def before_batch():
    """Count a training batch."""
    if what == "batch":
        reached("batch")
    with open(os.environ["FERCV_BATCHES"], "ab") as file:  # noqa: PTH123
        file.write(b".")


def note_file(event, arguments):
    """Watch files that are opened or renamed."""
    named = event == "open" and isinstance(arguments[0], str) and arguments[0].endswith(what)
    if ((named and arguments[1] and "r" not in arguments[1]) or (event == "os.rename" and what == "rename")) and (
        "train_fold" in sys.argv[0]
    ):
        reached("file")


if "FERCV_CALLS" in os.environ:
    atexit.register(write_calls)
    sys.setprofile(note_call)
    threading.setprofile(note_call)
if "FERCV_BATCHES" in os.environ:
    sys.meta_path.insert(0, Wrapping("fercv.training", lambda module: module, "augment", before_batch))
if what == "write":
    hashing = Wrapping("fercv.checkpoint", lambda module: module.Hashing, "write", lambda: reached("file"))
    sys.meta_path.insert(0, hashing)
if what not in ("none", "batch", "write"):
    sys.addaudithook(note_file)
