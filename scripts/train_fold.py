"""Train one model on all folds but one, and predict that one."""

from fercv.workflow.jobs import run

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from fercv.data import tables
from fercv.data.arrays import open_images
from fercv.data.exclusions import excluded_rows
from fercv.data.folds import inner_split
from fercv.engine.setup import Engine, set_up
from fercv.evaluate.measures import fold_measures
from fercv.nets.architectures import width_of
from fercv.nets.models import predict, save_model
from fercv.train.checkpoint import Checkpoints, sync
from fercv.train.loop import Task, train
from fercv.workflow.errors import InputError
from fercv.workflow.finished import checkpoint_path, finished_mark, remove_recorded
from fercv.workflow.hashing import derive_seed, file_digest
from fercv.workflow.locks import locked
from fercv.workflow.progress import ProgressFile, progress_path
from fercv.workflow.resources import resources_of

log = logging.getLogger("fercv")


def main(snakemake):
    """Write model.keras, history.csv, predictions.csv, metrics.json and timing.csv of one fold."""
    config, model, fold = snakemake.config, snakemake.wildcards.model, snakemake.wildcards.fold
    definition, name = snakemake.params.definition, f"{model} fold {fold}"
    seed = derive_seed(snakemake.params.seed, model, int(fold))
    path = checkpoint_path(config["directory"], config["experiment"], model, fold)
    with locked(path.with_suffix(".lock"), name):
        finished_mark(path).unlink(missing_ok=True)
        engine = set_up(
            seed=seed,
            precision=definition["precision"],
            width=width_of(definition["settings"]),
            **resources_of(snakemake) | {"name": name},
        )
        run = describe_run(snakemake, seed, engine)
        checkpoints = Checkpoints(path, run, config["checkpoints"]["share"], name)
        task = read_task(snakemake, seed, name, checkpoints)
        train_and_write(snakemake.output, task, snakemake.params.classes, engine)
        # The checkpoint may be removed only when the outputs are safe on the disk, even after a power cut.
        for file in [*snakemake.output, Path(snakemake.output.model).parent]:
            sync(file)
        if path.exists():
            finished_mark(path).touch()
    # If the marks are not files, a job cannot tell which folds Snakemake has recorded. Then the Snakefile removes the
    # checkpoints at the end of the run.
    if config["marks_are_files"]:
        remove_recorded(config["directory"], config["experiment"])


def describe_run(snakemake, seed: int, engine: Engine) -> dict:
    """Everything that determines the fold's training. A checkpoint is refused where any of this differs."""
    return {
        "definition": snakemake.params.definition,
        "classes": snakemake.params.classes,
        "fold": snakemake.wildcards.fold,
        "seed": seed,
        "code": snakemake.params.code["digest"],
        "images": file_digest(snakemake.input.images),
        "samples": file_digest(snakemake.input.samples),
        "folds": file_digest(snakemake.input.folds),
        "excluded": snakemake.params.excluded,
        **engine._asdict(),
    }


def read_task(snakemake, seed: int, name: str, checkpoints: Checkpoints) -> Task:
    """The fold's task for `fercv.train.loop.train`."""
    config, model, fold = snakemake.config, snakemake.wildcards.model, snakemake.wildcards.fold
    definition = snakemake.params.definition
    classes = len(snakemake.params.classes)
    samples = tables.read_table(snakemake.input.samples, tables.SAMPLES, below={"label": classes})
    below = {"index": len(samples), "fold": config["folds"]["number"]}
    folds = tables.read_table(snakemake.input.folds, tables.FOLDS, below=below)
    labels = samples["label"].to_numpy()
    training, inner_validation = folds.loc[folds["fold"] != int(fold), "index"].to_numpy(), None
    if definition["exclude_from_training"]:
        left_out = excluded_rows(definition["exclude_from_training"], samples["source"], snakemake.params.excluded)
        training = without_excluded(training, left_out, labels, snakemake.params.classes, name)
    if definition["early_stopping"]["enabled"]:
        groups = folds.set_index("index").loc[training, "group"].to_numpy()
        inner = inner_split(labels[training], groups, definition["early_stopping"]["fraction"], seed)
        training, inner_validation = training[~inner], training[inner]
    return Task(
        name=name,
        definition=definition,
        seed=seed,
        images=open_images(snakemake.input.images, len(samples)),
        labels=labels,
        classes=classes,
        training=training,
        validation=folds.loc[folds["fold"] == int(fold), "index"].to_numpy(),
        inner_validation=inner_validation,
        checkpoints=checkpoints,
        progress=ProgressFile(progress_path(config["directory"], config["experiment"], model, fold), model, fold),
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
    log.info("%s: %d of %d training images are left out", name, len(training) - len(kept), len(training))
    return kept


def train_and_write(output, task: Task, classes: list[str], engine: Engine) -> None:
    """Train, from the checkpoint if there is one, and write the outputs. metrics.json says with what."""
    trained = train(task)
    batch_size, mirrored = task.definition["batch_size"], task.definition["mirrored_prediction"]
    probabilities = predict(trained.model, task.images, task.validation, batch_size, mirrored)
    predictions = tables.predictions_table(task.validation, task.labels[task.validation], probabilities, classes)
    save_model(trained.model, output.model)
    tables.write_table(pd.DataFrame(trained.history), output.history)
    tables.write_table(pd.DataFrame(trained.timing), output.timing)
    tables.write_table(predictions, output.predictions)
    metrics = fold_measures(predictions, classes) | {
        "epochs": len(trained.history),
        "training_rows": len(task.training),
        "software": engine.software,
        "precision": engine.precision,
        "threads": engine.threads,
        "predictions_sha256": file_digest(output.predictions),
    }
    Path(output.metrics).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
