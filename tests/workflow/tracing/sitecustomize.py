"""Watches and disturbs the jobs of a workflow, for tests. Python imports a module of this name when it starts.

FERCV_CALLS: a folder. Each process writes a file there: its script, then a line `module function` for each function of
    the library that it called.
FERCV_BATCHES: a file that grows by a byte with each batch that is prepared, which is one batch before its training.
FERCV_SIGNAL: `<what> <number> <signal>`; a train_fold job sends itself the signal at this point: `batch 5 9` before its
    fifth batch is prepared, `history.csv 1 9` when it opens a file of this name for the first time, `rename 2 9`
    before it renames its second file, `write 9 9` before its ninth write to a checkpoint. With `batch 5 19 again` it
    sends the signal again and again: it stops, and stops at once again if somebody continues it.
FERCV_ONCE: a file. Only the process that can create it sends the signal, so the signal is sent once.
FERCV_WITHOUT_LOCKS: a process gets any lock of a file at once, even if another process holds it.
FERCV_ASK_EACH_SECOND: Snakemake asks its scheduler for news each second, however long there has been none.
"""

import asyncio
import atexit
import fcntl
import importlib.util
import inspect
import os
import sys
import threading
from pathlib import Path

seen, calls = set(), set()
counted = {"batch": 0, "file": 0}
what, number, signal, *again = os.environ.get("FERCV_SIGNAL", "none 0 0").split()


def reached(kind):
    """Count an event of this kind. Send the signal at the event that FERCV_SIGNAL names."""
    counted[kind] += 1
    if counted[kind] == int(number) and is_first():
        os.kill(os.getpid(), int(signal))
        while again:
            os.kill(os.getpid(), int(signal))


def is_first():
    """Whether to send the signal: always without FERCV_ONCE, otherwise if it has not been sent before."""
    try:
        Path(os.environ["FERCV_ONCE"]).touch(exist_ok=False)
    except KeyError:
        return True
    except FileExistsError:
        return False
    return True


def ask_each_second(executors):
    """Have a remote executor sleep for a second between its questions."""
    executors.RemoteExecutor.sleep = lambda executor: asyncio.sleep(1)


def note_call(frame, event, argument):
    """Note a function when it is called for the first time, by its file and qualified name."""
    code = frame.f_code
    # The import of a module runs the bodies of its classes, even if nothing uses them. They don't count.
    if event == "call" and code not in seen and code.co_flags & inspect.CO_OPTIMIZED:
        seen.add(code)
        path = Path(code.co_filename)
        if path.parts[-4:-2] == ("scripts", "fercv"):
            calls.add(f"fercv.{path.parent.name}.{path.stem} {code.co_qualname}")


def write_calls():
    """Write the calls that were noted to a file."""
    sys.setprofile(None)
    if calls:
        Path(os.environ["FERCV_CALLS"], str(os.getpid())).write_text("\n".join([sys.argv[0], *sorted(calls)]))


def write_calls_before(leave):
    """What to call in the place of `os._exit`, with which a script ends without what is registered for its end."""

    def write_and_leave(status):
        write_calls()
        leave(status)

    return write_and_leave


class Changing:
    """Changes a module when it is imported."""

    def __init__(self, module, change):
        """Call `change` with the module."""
        self.module, self.change = module, change

    def find_spec(self, name, path=None, target=None):
        """Find the module as usual, and change it after it has been executed."""
        if name != self.module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def execute_and_change(module):
            execute(module)
            self.change(module)

        spec.loader.exec_module = execute_and_change
        return spec


def calling_first(before, find_owner, function):
    """A change of a module: each call of `function`, which `find_owner` finds in the module, calls `before` first."""

    def change(module):
        owner = find_owner(module)
        original = getattr(owner, function)

        def wrapped(*arguments):
            before()
            return original(*arguments)

        setattr(owner, function, wrapped)

    return change


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
    os._exit = write_calls_before(os._exit)
    sys.setprofile(note_call)
    threading.setprofile(note_call)
if "FERCV_BATCHES" in os.environ:
    counting = calling_first(before_batch, lambda module: module, "augment")
    sys.meta_path.insert(0, Changing("fercv.train.loop", counting))
if "FERCV_WITHOUT_LOCKS" in os.environ:
    fcntl.flock = lambda file, operation: None
if "FERCV_ASK_EACH_SECOND" in os.environ:
    sys.meta_path.insert(0, Changing("snakemake_interface_executor_plugins.executors.remote", ask_each_second))
if what == "write":
    counting = calling_first(lambda: reached("file"), lambda module: module.Hashing, "write")
    sys.meta_path.insert(0, Changing("fercv.train.checkpoint", counting))
if what not in ("none", "batch", "write"):
    sys.addaudithook(note_file)
