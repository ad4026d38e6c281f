"""What a terminal shows while folds train."""

import json
import os
import pty
import re
import signal
import subprocess
import threading
import time

import pytest

FC = {"models": ["fc"], "scales": {"tiny": {"definitions": {"fc": {"epochs": 2000, "batch_size": 16}}}}}
LINE = re.compile(
    r"fc: 0 of 2 folds done(, fold 0[01] in epoch \d+/2000){1,2}"
    r"(; training ends in about [\d.]+ (s|min|h|days), at (\w{3} )?\d\d:\d\d)?"
)
INTERRUPTED = "Interrupted. Give the same command again to go on: folds continue after their last saved epoch."


class Terminal:
    """A program on a terminal of its own, and what it has shown so far."""

    def __init__(self, command):
        self.shown = b""
        shows, terminal = pty.openpty()
        # A process that a shell starts in the background ignores SIGINT, and so do all its children.
        self.process = subprocess.Popen(
            command, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        os.close(terminal)
        self.reader = threading.Thread(target=self.read, args=(shows,), daemon=True)
        self.reader.start()

    def read(self, shows):
        """Read to the end, which is an error on Linux."""
        try:
            while more := os.read(shows, 10_000):
                self.shown += more
        except OSError:
            os.close(shows)

    def lines(self):
        """The lines that are shown, of which the last one may be half there."""
        return self.shown.decode().replace("\r\n", "\n").split("\n")

    def wait_for(self, count, pattern, seconds):
        """Wait until this many lines match."""
        end = time.monotonic() + seconds
        while sum(bool(pattern.fullmatch(line)) for line in self.lines()[:-1]) < count:
            assert self.process.poll() is None and time.monotonic() < end, self.shown.decode()
            time.sleep(0.1)


@pytest.mark.slow
def test_on_a_terminal_a_line_now_and_then_says_how_far_all_folds_are(workflow):
    """Also where Snakemake itself is asked to be quiet; and Ctrl-C ends it as before."""
    terminal = Terminal(workflow.command("train", "--quiet", "all", overlay=FC))
    try:
        terminal.wait_for(2, LINE, 180)
        os.killpg(terminal.process.pid, signal.SIGINT)
        assert terminal.process.wait(60) != 0
        terminal.reader.join(10)
    finally:
        terminal.process.kill()
    profile, *lines, last = [line for line in terminal.lines() if line]
    assert profile.startswith("Using workflow specific profile")
    assert last == INTERRUPTED
    assert len(lines) >= 2 and all(LINE.fullmatch(line) for line in lines), lines
    files = sorted((workflow.folder / "results/demo-tiny/logs/train_fold").glob("*.jsonl"))
    assert [file.name for file in files] == ["fc_00.jsonl", "fc_01.jsonl"]
    for file in files:
        first = json.loads(file.read_text(encoding="utf-8").splitlines()[0])
        assert (first["model"], first["epochs"]) == ("fc", 2000)
