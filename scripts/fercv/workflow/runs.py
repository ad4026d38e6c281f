"""A run's own file, which tells what the files of its folds cannot: which folds it is about, and which have failed.

Snakemake's main process writes it. With it, another process can say how far the run is, see scripts/watch.py.
"""

import contextlib
import json
from pathlib import Path
from typing import NamedTuple

from fercv.data.sources import file_stamps
from fercv.workflow.progress import FoldProgress, progress_path, read_progress

FoldKey = tuple[str, str]  # names of the model and the fold


class FoldStatus(NamedTuple):
    """Where a fold is.

    state: "waiting", "training", "done" or "failed".
    progress: what it says of itself; None if it has not begun to train.
    is_earlier: whether an earlier run has trained it.
    """

    state: str
    progress: FoldProgress | None = None
    is_earlier: bool = False


class Planned(NamedTuple):
    """What a run is to do with a fold.

    trains: whether it trains it; otherwise the fold was done before.
    left: the stamp of the fold's file of progress before the run trains the fold, see `stamp`. As long as the file has
        it, an earlier training speaks there.
    """

    trains: bool
    left: tuple[int, ...] | None = None


class Run(NamedTuple):
    """What a run's file says.

    began: when the run began, in seconds since 1970.
    ended: when it ended; None while it goes on, and for ever if it was killed.
    folds: all folds that it is about.
    failed: the folds whose jobs have failed.
    """

    began: float
    ended: float | None
    folds: dict[FoldKey, Planned]
    failed: set[FoldKey]


def run_path(directory: str | Path, experiment: str) -> Path:
    """Path of the file of an experiment's last run that trained folds."""
    return Path(directory, "results", experiment, "logs", "train_fold", "run.json")


def write_run(path: Path, run: Run) -> None:
    """Write a run's file at once, so that a reader never sees half of it. An error of the system is passed over."""
    content = {
        "began": run.began,
        "ended": run.ended,
        "folds": [[*fold, *planned] for fold, planned in run.folds.items()],
        "failed": sorted(run.failed),
    }
    part = path.with_name(f"part.{path.name}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(content) + "\n", encoding="utf-8")
        part.replace(path)


def read_run(path: Path) -> Run | None:
    """Read a run's file; None if there is none, or if it is none that `write_run` wrote."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        began, ended = content["began"], content["ended"]
        folds = {
            (model, fold): Planned(bool(trains), None if left is None else tuple(left))
            for model, fold, trains, left in content["folds"]
        }
        return Run(float(began), ended if ended is None else float(ended), folds, set(map(tuple, content["failed"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def stamp(path: Path) -> tuple[int, ...] | None:
    """What changes whenever a file does, and is the same on all machines that share it; None if there is no file."""
    (stamps,) = file_stamps([path])
    return stamps and stamps[1:]  # The first one is the number that this machine gives the disk.


def plan(directory: str | Path, experiment: str, fold: FoldKey, trains: bool) -> Planned:
    """What a run is to do with a fold, decided before it trains it."""
    return Planned(trains, stamp(progress_path(directory, experiment, *fold)))


def folds_of_run(run: Run, directory: str | Path, experiment: str) -> dict[FoldKey, FoldStatus]:
    """Where each fold of a run is, by the run's file and the folds' own."""
    folds = {}
    for fold, planned in run.folds.items():
        path = progress_path(directory, experiment, *fold)
        progress = None if planned.trains and stamp(path) == planned.left else read_progress(path)
        if not planned.trains:
            state = "done"
        elif fold in run.failed:
            state = "failed"
        else:
            state = "waiting" if progress is None else "done" if progress.end else "training"
        folds[fold] = FoldStatus(state, progress, is_earlier=not planned.trains)
    return folds


def newest_run(directory: str | Path) -> str | None:
    """Name of the experiment in `directory` whose last run began last; None if there is none."""
    runs = {path: read_run(path) for path in Path(directory).glob("results/*/logs/train_fold/run.json")}
    began = {path.parents[2].name: run.began for path, run in runs.items() if run}
    return max(began, key=began.get, default=None)
