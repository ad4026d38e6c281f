"""The progress of folds: files in which each fold says how far it is, for whoever wants to show it.

A fold in training writes one file, beside its log. Each line is a JSON object; docs/results.md describes them. A reader
skips what is no such line: while a file is written on another machine, its last line may be half there.
"""

import contextlib
import datetime
import json
import logging
import math
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger("fercv")

# What the lines of each event hold at least, besides `event` and `time`.
FIELDS = {
    "start": {"epochs": int, "epochs_done": int, "images": int, "startup_seconds": float},
    "speed": {"images_per_second": float},
    "epoch": {"epoch": int, "seconds": float, "val_accuracy": float},
    "end": {"epochs_done": int},
}
# None of these numbers is negative, and these are not 0.
POSITIVE = {"epoch", "images_per_second"}


def progress_path(directory: str | Path, experiment: str, model: str, fold: str) -> Path:
    """Path of a fold's file of progress. Snakemake does not know it, and leaves it alone if the job fails."""
    return Path(directory, "results", experiment, "logs", "train_fold", f"{model}_{fold}.jsonl")


class ProgressFile:
    """The file of one fold, as the fold's job writes it. If it cannot be written, a warning says so once.

    Args:
        path: of the file.
        model: name of the model.
        fold: name of the fold.
    """

    def __init__(self, path: Path, model: str, fold: str):
        self.path, self.of = path, {"model": model, "fold": fold}
        self.lines, self.is_whole, self.has_warned = [], False, False

    def add(self, event: str, **values) -> None:
        """Add a line. The first one replaces what an earlier job has left there.

        Args:
            event: start, speed, epoch or end.
            values: what else the line says, in types that JSON knows.
        """
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.lines.append(json.dumps({"event": event, "time": now} | self.of | values) + "\n")
        mode, lines = ("a", self.lines[-1:]) if self.is_whole else ("w", self.lines)
        try:
            self.is_whole = False  # Until the write has succeeded. After a failure, all is written again.
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open(mode, encoding="utf-8") as file:
                file.write("".join(lines))
            self.is_whole = True
        except OSError as error:
            if not self.has_warned:
                log.warning(
                    "%s fold %s: %s cannot be written (%s); training goes on, but how far it is is not shown",
                    *self.of.values(), self.path, error.strerror,
                )  # fmt: skip
            self.has_warned = True


class FoldProgress(NamedTuple):
    """What a fold's file says. Each line is a dict, whose `time` is in seconds since 1970 here.

    start: the line that the fold's training began with.
    speed: the last line that told the images per second; None until the first batches are timed.
    epochs: the lines of the epochs.
    end: the line that the training ended with; None until then.
    """

    start: dict
    speed: dict | None
    epochs: list[dict]
    end: dict | None

    @property
    def epochs_done(self) -> int:
        """How many epochs are done."""
        return self.epochs[-1]["epoch"] if self.epochs else self.start["epochs_done"]

    @property
    def last_seen(self) -> float:
        """When the last of the lines was written, in seconds since 1970."""
        return max(line["time"] for line in (self.start, self.speed, *self.epochs[-1:], self.end) if line)

    @property
    def seconds_an_epoch(self) -> float | None:
        """How long an epoch takes; None if that is not known yet. The first epoch takes longer, and does not count."""
        if len(self.epochs) > 1:
            first, last = self.epochs[0], self.epochs[-1]
            return max(0.0, last["seconds"] - first["seconds"]) / max(1, last["epoch"] - first["epoch"])
        if self.speed:
            return self.start["images"] / self.speed["images_per_second"]
        return self.epochs[0]["seconds"] if self.epochs else None

    @property
    def seconds_of_all_epochs(self) -> float | None:
        """How long all epochs take together, with the first one; None if that is not known yet."""
        if self.seconds_an_epoch is None:
            return None
        done, seconds = (self.epochs[-1]["epoch"], self.epochs[-1]["seconds"]) if self.epochs else (0, 0.0)
        return seconds + (0 if self.end else max(0, self.start["epochs"] - done) * self.seconds_an_epoch)


def read_progress(path: Path) -> FoldProgress | None:
    """Read a fold's file. None if there is none, or if it holds no line of a start."""
    lines = {event: [] for event in FIELDS}
    with contextlib.suppress(OSError):
        for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
            line = read_line(text)
            if line:
                lines[line["event"]].append(line)
    if not lines["start"]:
        return None
    last = {event: found[-1] if found else None for event, found in lines.items()}
    return FoldProgress(last["start"], last["speed"], lines["epoch"], last["end"])


def read_line(text: str) -> dict | None:
    """Read a line of a fold's file; None if it is none that a fold writes."""
    try:
        line = json.loads(text)
        kinds = FIELDS[line["event"]]
        line["time"] = datetime.datetime.fromisoformat(line["time"]).timestamp()
        numbers = all(type(line[key]) in (kind, int) and math.isfinite(line[key]) for key, kind in kinds.items())
        fits = numbers and all(line[key] > 0 or (line[key] == 0 and key not in POSITIVE) for key in kinds)
        return line if fits else None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def duration(seconds: float) -> str:
    """A time for a message, in its largest fitting unit: "40 s", "12 min", "3.5 h", "2.1 days"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    if seconds < 129600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"
