"""Which folds Snakemake has recorded as finished, and the checkpoints that they need no more."""

import base64
import contextlib
import logging
from pathlib import Path

log = logging.getLogger("fercv")


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
