"""Notes which functions of the library a process calls, for test_rebuild.py: Python imports this name at its start.

Each process leaves a file in the folder that FERCV_CALLS names: its script, then `module function` a line.
"""

import atexit
import os
import sys
import threading
from pathlib import Path

seen, calls = set(), set()


def note(frame, event, argument):
    """Note a function when it is called for the first time, by its file and qualified name."""
    code = frame.f_code
    if event == "call" and code not in seen:
        seen.add(code)
        path = Path(code.co_filename)
        if path.parent.name == "fercv":
            calls.add(f"fercv.{path.stem} {code.co_qualname}")


def write():
    """Write what was noted."""
    sys.setprofile(None)
    if calls:
        Path(os.environ["FERCV_CALLS"], str(os.getpid())).write_text("\n".join([sys.argv[0], *sorted(calls)]))


if "FERCV_CALLS" in os.environ:
    atexit.register(write)
    sys.setprofile(note)
    threading.setprofile(note)
