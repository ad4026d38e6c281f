"""Which folds Snakemake has recorded as finished, and the checkpoints that they need no more."""

import base64
import contextlib
import logging
from pathlib import Path

log = logging.getLogger("fercv")
# Stands in the place of a fold's name where a model is trained on all folds.
FINAL = "final"


def outputs_folder(experiment: str, model: str, fold: str) -> Path:
    """The folder of what the training of a fold writes, or that of the final model; below the working directory."""
    return Path("results", experiment, model, *([FINAL] if fold == FINAL else ["folds", fold]))


def checkpoint_path(directory: str | Path, experiment: str, model: str, fold: str) -> Path:
    """Path of the checkpoint of a fold, or of the final model, which Snakemake does not know.

    Snakemake removes the outputs of a job that fails, and shadow folders with all that is in them.
    """
    return Path(directory, "results", experiment, "checkpoints", f"{model}_{fold}.checkpoint")


def remove_recorded(directory: str | Path, experiment: str) -> None:
    """Remove the checkpoints of folds that are finished and that Snakemake has recorded as complete.

    A fold's job doesn't remove its own checkpoint. If Snakemake is killed or gives up before it has recorded the
    outputs, it has them made again. With the last epoch's checkpoint that takes seconds. If a checkpoint can't be
    removed, a warning says so.

    Snakemake marks outputs that it has begun and not yet recorded. If its marks are files, they tell which folds are
    recorded. If it keeps them in a database, call this only when all folds that were begun are recorded.

    Args:
        directory: where Snakemake runs, with `results` and `.snakemake`.
        experiment: name of the experiment.
    """
    folder = Path(directory, "results", experiment, "checkpoints")
    try:
        open_outputs = marked_incomplete(Path(directory, ".snakemake", "incomplete"))
        for mark in folder.glob("*.finished"):
            model, _, fold = mark.stem.rpartition("_")
            outputs = outputs_folder(experiment, model, fold)
            recorded = all(Path(output).parent != outputs for output in open_outputs)
            # If a job failed, Snakemake removes its marks as well, and then deletes the outputs.
            if recorded and Path(directory, outputs, "model.keras").exists():
                path = mark.with_suffix(".checkpoint")
                for file in (path, part_of(path), mark):
                    file.unlink(missing_ok=True)
    except OSError as error:
        log.warning("checkpoints of finished folds are left in %s: %s", folder, error)
    with contextlib.suppress(OSError):
        folder.rmdir()


def finished_mark(path: Path) -> Path:
    """Path of the empty file beside a checkpoint which says that the fold's outputs are complete and on the disk."""
    return path.with_suffix(".finished")


def marked_incomplete(folder: Path) -> list[str]:
    """The outputs that Snakemake has marked as begun and not recorded.

    A mark is a file. Its path below `folder` is the path of the output in base64.
    """
    outputs = []
    for marker in folder.rglob("*"):
        name = "".join(part.removeprefix("@") for part in marker.relative_to(folder).parts)
        with contextlib.suppress(ValueError):
            outputs.append(base64.urlsafe_b64decode(name).decode())
    return outputs


def part_of(path: Path) -> Path:
    """Where a checkpoint is written before it takes its name."""
    return path.with_name(f"{path.name}.part")
