"""A job that trains a model, on all folds but one or on all of them: its rows, its checkpoint, its files."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fercv.data import tables
from fercv.data.arrays import open_images
from fercv.data.exclusions import excluded_rows
from fercv.data.folds import inner_split
from fercv.engine.setup import Engine, set_up
from fercv.nets.architectures import width_of
from fercv.train.checkpoint import Checkpoints, sync
from fercv.train.loop import Task, Trained, train
from fercv.workflow.errors import InputError
from fercv.workflow.finished import FINAL, checkpoint_path, finished_mark, remove_recorded
from fercv.workflow.hashing import derive_seed, file_digest
from fercv.workflow.locks import locked
from fercv.workflow.progress import ProgressFile, progress_path
from fercv.workflow.resources import resources_of

log = logging.getLogger("fercv")

# Share of the training images from which on it is a warning that they are left out.
MANY_LEFT_OUT = 0.25
# Steps of an epoch below which it is a warning that a model can hardly learn.
FEW_STEPS = 4


def run_training(snakemake, fold: str, write: Callable[[Trained, Task, Engine], None]) -> None:
    """Train a model, from its checkpoint if there is one, and write its files.

    Args:
        snakemake: what Snakemake tells the job.
        fold: name of the fold that is left out; FINAL to train on all of them.
        write: writes the outputs of the job.
    """
    config, model = snakemake.config, snakemake.wildcards.model
    definition = snakemake.params.definition
    name = f"{model} final model" if fold == FINAL else f"{model} fold {fold}"
    seed = derive_seed(snakemake.params.seed, model, FINAL if fold == FINAL else int(fold))
    path = checkpoint_path(config["directory"], config["experiment"], model, fold)
    with locked(path.with_suffix(".lock"), name):
        finished_mark(path).unlink(missing_ok=True)
        engine = set_up(
            seed=seed,
            precision=definition["precision"],
            width=width_of(definition["settings"]),
            **resources_of(snakemake) | {"name": name},
        )
        run = describe_run(snakemake, fold, seed, engine)
        checkpoints = Checkpoints(path, run, config["checkpoints"]["share"], name)
        task = read_task(snakemake, fold, seed, name, checkpoints)
        write(train(task), task, engine)
        # The checkpoint may be removed only when the outputs are safe on the disk, even after a power cut.
        for file in [*snakemake.output, Path(snakemake.output.model).parent]:
            sync(file)
        if path.exists():
            finished_mark(path).touch()
    # If the marks are not files, a job cannot tell which outputs Snakemake has recorded. Then the Snakefile removes the
    # checkpoints at the end of the run.
    if config["marks_are_files"]:
        remove_recorded(config["directory"], config["experiment"])


def describe_run(snakemake, fold: str, seed: int, engine: Engine) -> dict:
    """Everything that determines the training. A checkpoint is refused where any of this differs."""
    return {
        "definition": snakemake.params.definition,
        "classes": snakemake.params.classes,
        "fold": fold,
        "seed": seed,
        "code": snakemake.params.code["digest"],
        "images": file_digest(snakemake.input.images),
        "samples": file_digest(snakemake.input.samples),
        "folds": file_digest(snakemake.input.folds),
        "excluded": snakemake.params.excluded,
        **engine._asdict(),
    }


def read_task(snakemake, fold: str, seed: int, name: str, checkpoints: Checkpoints) -> Task:
    """The task for `fercv.train.loop.train`."""
    config, model, definition = snakemake.config, snakemake.wildcards.model, snakemake.params.definition
    classes = len(snakemake.params.classes)
    samples = tables.read_table(snakemake.input.samples, tables.SAMPLES, below={"label": classes})
    below = {"index": len(samples), "fold": config["folds"]["number"]}
    folds = tables.read_table(snakemake.input.folds, tables.FOLDS, below=below)
    labels = samples["label"].to_numpy()
    training, validation, inner_validation, progress = folds["index"].to_numpy(), None, None, None
    if fold != FINAL:
        is_validation = (folds["fold"] == int(fold)).to_numpy()
        training, validation = training[~is_validation], training[is_validation]
        progress = ProgressFile(progress_path(config["directory"], config["experiment"], model, fold), model, fold)
    if definition["exclude_from_training"]:
        left_out = excluded_rows(definition["exclude_from_training"], samples["source"], snakemake.params.excluded)
        training = without_excluded(training, left_out, labels, snakemake.params.classes, name)
    if definition["early_stopping"]["enabled"]:
        groups = folds.set_index("index").loc[training, "group"].to_numpy()
        inner = inner_split(labels[training], groups, definition["early_stopping"]["fraction"], seed)
        training, inner_validation = training[~inner], training[inner]
    size = definition["batch_size"]
    if len(training) < FEW_STEPS * size:
        log.warning(
            "%s: its %d training images make few batches of %d; set a smaller batch_size", name, len(training), size
        )
    return Task(
        name=name,
        definition=definition,
        seed=seed,
        images=open_images(snakemake.input.images, len(samples)),
        labels=labels,
        classes=classes,
        training=training,
        validation=validation,
        inner_validation=inner_validation,
        checkpoints=checkpoints,
        progress=progress,
    )


def without_excluded(training, left_out, labels, classes, name):
    """The training rows without those that the user's list leaves out. At least one row of each class must stay."""
    kept = training[~np.isin(training, left_out)]
    missing = np.setdiff1d(labels[training], labels[kept])
    if len(missing):
        raise InputError(
            f"{name}: exclude_from_training leaves no image of class {classes[missing[0]]} to train on; shorten the "
            "list"
        )
    left = len(training) - len(kept)
    many = left > MANY_LEFT_OUT * len(training)
    log.log(
        logging.WARNING if many else logging.INFO,
        "%s: %d of %d training images are left out, as exclude_from_training says", name, left, len(training),
    )  # fmt: skip
    return kept


def training_record(trained: Trained, task: Task, engine: Engine) -> dict:
    """How a model was trained and computed, for the json beside it."""
    return {
        "epochs": len(trained.history),
        "training_rows": len(task.training),
        "software": engine.software,
        "precision": engine.precision,
        "threads": engine.threads,
    }
