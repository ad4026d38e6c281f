"""The last lines of a run: where the results are and how good they are, or what went wrong.

Snakemake says several times that a job has failed, and adds what helps developers of workflows. Here the reason is said
once, at the very end. The complete messages are in Snakemake's own log, whose path it tells.
"""

import atexit
import contextlib
import csv
import logging
import math
import re
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from fercv.data.sources import file_stamps
from fercv.workflow.chance import beats_chance

LONGEST = 10  # failures or leftovers that are listed
KILLED = "was it killed, for instance for want of memory? Give the same command again to go on"
VECTORS = ("svg", "pdf")  # endings of vector graphics, of which each lies beside a PNG of the same name


class Ending:
    """What has happened in a run so far, and what is to be said at its end.

    Args:
        directory: where Snakemake runs.
    """

    def __init__(self, directory: str | Path):
        self.directory = Path(directory)
        self.logs, self.stamps, self.interrupted = {}, {}, False

    def watch(self, logger: logging.Logger) -> None:
        """Take note from now on of what happens, and keep Snakemake from saying what the last lines say better.

        Args:
            logger: Snakemake's.
        """
        logger.addFilter(self.note)
        for handler in own_handlers(logger):
            handler.setFormatter(Plain(handler.formatter, self))
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self.interrupt)

    def note(self, record: logging.LogRecord) -> bool:
        """Take note of a job that starts, fails or has come to its end. As a filter it lets everything pass."""
        event = event_of(record)
        if event == "job_info" and record.log:  # a target such as `all` is a job without a log
            self.stamps[record.jobid] = file_stamps([self.directory / log_path(record.log[0])])
        elif event == "job_error" and not self.interrupted:
            own, *of_scheduler = map(log_path, record.log or [""])
            # A job that failed before it came to its script has left an earlier job's log as it was.
            has_written = file_stamps([self.directory / own]) != self.stamps.get(record.jobid)
            self.logs[record.jobid] = (record.rule_name, own, has_written, of_scheduler)
        elif event == "job_finished":
            self.logs.pop(record.job_id, None)
        return True

    def interrupt(self, number, frame) -> None:
        """Stop Snakemake as Ctrl-C does. Further ones are ignored: they would only break off its clean-up."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.interrupted = True
        raise KeyboardInterrupt

    def tell_failures(self) -> None:
        """Have the reasons for which jobs failed said after everything else."""
        if self.interrupted:
            tell_at_exit(
                ["Interrupted. Give the same command again to go on: folds continue after their last saved epoch."]
            )
            return
        failures = {}
        for rule, *logs in self.logs.values():
            path, text = reason(self.directory, *logs)
            failures.setdefault((rule, *text), []).append(path)
        lines = [f"{len(failures)} jobs failed, for instance:"] if len(failures) > LONGEST else []
        for (rule, *text), paths in list(failures.items())[:LONGEST]:
            count, named = ("", "its log") if len(paths) == 1 else (f" {len(paths)} times", "the first log")
            lines += [f"{rule} failed{count}{f'; {named} is {paths[0]}' if paths[0] else ''}:", *text]
        tell_at_exit(lines)

    def tell_results(
        self, config: dict, folds: Sequence[str], pictures: Iterable[str], complete: bool, final: bool
    ) -> None:
        """Have it said after everything else where the results are and how good they are.

        Args:
            config: the complete configuration.
            folds: names of the folds.
            pictures: paths of the pictures that are made for some models only.
            complete: whether all tables are up to date.
            final: whether the final models are.
        """
        results = Path("results", config["experiment"])
        lines = [f"The results are in {results}."]
        if complete:
            folders = {model: self.directory / results / model for model in config["models"]}
            scores = {model: score for model, folder in folders.items() if (score := accuracy(folder))}
            named = ", ".join(f"{model} {score.text}" for model, score in scores.items())
            lines += [f"Accuracy over {len(folds)} folds, with its 95 % interval: {named}."] if named else []
            doubtful = [f"{model} ({score.chance})" for model, score in scores.items() if not score.beats_chance]
            if doubtful:
                lines += [
                    "Perhaps not better than always naming the most frequent class, whose accuracy stands in "
                    f"parentheses: {', '.join(doubtful)}."
                ]
            lines += [f"{results / 'report.html'} shows all of them on one page: open it in a browser."]
        if final:
            lines += [f"Each final model is in {results}/<model>/final, with a card and a zip of all that is needed."]
        if config["new_images"]:
            lines += [f"What each model says of the new images is in {results}/<model>/new_images.csv and .png."]
        old = leftovers(self.directory, results, config["models"], folds, pictures, config["vector_figures"])
        if old:
            more = f" and {len(old) - LONGEST} more" if len(old) > LONGEST else ""
            lines += [
                f"No longer part of the experiment: {', '.join(old[:LONGEST])}{more}. Delete what you do not need."
            ]
        tell_at_exit(lines)


class Plain(logging.Formatter):
    """Snakemake's formatter, without what the last lines say better.

    Args:
        formatter: Snakemake's.
        ending: of the run.
    """

    def __init__(self, formatter: logging.Formatter, ending: Ending):
        super().__init__()
        self.formatter, self.ending = formatter, ending

    def format(self, record: logging.LogRecord) -> str:
        """The text of a message; nothing if it is not to be shown."""
        event, text = event_of(record), str(record.msg)
        # Snakemake's last error only says that some job has failed, and its exception how the shell ended.
        is_repeated = event == "error" and re.search("At least one job did not complete|CalledProcessError in", text)
        if self.ending.interrupted or self.ending.logs:
            if is_repeated or text.startswith("Exiting because a job execution failed"):
                return ""
        elif event == "error" and "CalledProcessError in" in text:
            return ""
        if event == "job_error":
            return "" if self.ending.interrupted else f"Job {record.jobid} ({record.rule_name}) failed."
        return self.formatter.format(record)


def own_handlers(logger: logging.Logger) -> list[logging.Handler]:
    """The handlers by which Snakemake itself writes to the terminal. One that the user has chosen has another name."""
    return [handler for handler in logger.handlers if handler.name == "DefaultStreamHandler"]


def event_of(record: logging.LogRecord) -> str:
    """The kind of a message of Snakemake, e.g. "job_error"."""
    return getattr(getattr(record, "event", None), "value", "")


def tell_at_exit(lines: list[str]) -> None:
    """Write lines to the terminal when the process ends, after everything that Snakemake says."""
    if lines:
        atexit.register(print, "\n".join(["", *lines]), file=sys.stderr, flush=True)


def log_path(text: str) -> str:
    """The path of a log as Snakemake names it; beside it Snakemake may say that the file is temporary or the like."""
    return text.split(" (")[0]


def reason(directory: Path, own: str, has_written: bool, of_scheduler: Sequence[str]) -> tuple[str, list[str]]:
    """Why a job failed.

    Args:
        directory: where Snakemake runs.
        own: path of the job's log below `directory`, or "".
        has_written: whether the job has written into it. If not, what stands there is an earlier job's.
        of_scheduler: paths of the logs that a cluster's scheduler has written about the job.

    Returns:
        The path of the log that tells, and what it says from its last error on. Without an error these are the last
        lines of the scheduler's log, or of the job's own.
    """
    texts = {path: read_lines(directory / path) for path in ([own] * has_written + [*of_scheduler])}
    for path, lines in texts.items():
        starts = [number for number, line in enumerate(lines) if re.match(r"[-\d]+ [:,\d]+ ERROR ", line)]
        if starts:
            first, *others = lines[starts[-1] :]
            return path, [first.split(" ERROR ", 1)[1], *others]
    for path in of_scheduler:
        if texts[path]:
            return path, texts[path][-2:]
    if texts.get(own):
        return own, [
            *texts[own][-2:],
            f"it ended without an error; {KILLED}",
        ]
    return own, [f"it ended before it wrote a line there; {KILLED}"]


def read_lines(path: Path) -> list[str]:
    """The lines of a text file that are not empty; none if it cannot be read."""
    with contextlib.suppress(OSError):
        return [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return []


class Score(NamedTuple):
    """An accuracy for a message: with its interval if it has one; by chance; and whether it is surely above that."""

    text: str
    chance: str
    beats_chance: bool


def accuracy(folder: Path) -> Score | None:
    """The accuracy that the tables in a model's folder state; nothing where they state none."""
    rows = []
    try:
        for name in ("summary.csv", "pooled_metrics.csv"):
            with (folder / name).open(encoding="utf-8", newline="") as file:
                rows += [next(row for row in csv.DictReader(file) if row["measure"] == "accuracy")]
        summary, pooled = rows
        mean, low, high, chance = (float(summary[name] or "nan") for name in ("mean", "low", "high", "chance"))
        beats = beats_chance(mean, low, chance, images=int(pooled["rows"]))
    except (OSError, ValueError, KeyError, StopIteration):
        return None
    interval = "" if math.isnan(low) else f" ({low:.3f} to {high:.3f})"
    return Score(f"{mean:.3f}{interval}", f"{chance:.3f}", beats)


def leftovers(
    directory: Path, results: Path, models: Sequence[str], folds: Sequence[str], pictures: Iterable[str], vector: str
) -> list[str]:
    """What an earlier run of the experiment has left: folders of models and folds, pictures of layers, vector graphics.

    Args:
        directory: where Snakemake runs.
        results: folder of the experiment, below `directory`.
        models: names of the experiment's models.
        folds: names of its folds.
        pictures: paths of all its pictures of filters and feature maps, and of those of their checks.
        vector: svg or pdf, if it has vector graphics of this kind beside all pictures.

    Returns:
        Paths below `directory`.
    """
    found = []
    for folder in sorted(path.parent for path in (directory / results).glob("*/folds")):
        if folder.name not in models:
            found.append(folder)
            continue
        found += sorted(fold for fold in (folder / "folds").iterdir() if fold.name not in folds)
        kinds = ("filters_*.png", "filter_checks.png", "feature_maps_*.png", "feature_map_checks.png")
        made = [path for kind in kinds for path in sorted(folder.glob(kind))]
        found += [path for path in made if str(path.relative_to(directory)) not in set(pictures)]
    beside = [path for pattern in ("*.png", "*/*.png") for path in sorted((directory / results).glob(pattern))]
    for picture in (path for path in beside if path.parent not in found):
        graphics = [picture.with_suffix(f".{kind}") for kind in VECTORS if kind != vector or picture in found]
        found += [graphic for graphic in graphics if graphic.exists()]
    return [str(path.relative_to(directory)) for path in found]
