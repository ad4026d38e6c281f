"""Train one model on all folds but one, and predict that one."""

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from fercv.data.folds import inner_split
from fercv.engine.setup import set_up
from fercv.evaluate.measures import fold_measures
from fercv.nets.models import predict, save_model
from fercv.train.checkpoint import Checkpoints, sync
from fercv.train.loop import train
from fercv.workflow import jobs
from fercv.workflow.finished import checkpoint_path, finished_mark, remove_recorded
from fercv.workflow.hashing import derive_seed, file_digest
from fercv.workflow.locks import locked

log = logging.getLogger("fercv")


def main(snakemake):
    """Write model.keras, history.csv, predictions.csv, metrics.json and timing.csv of one fold."""
    config, definition, fold = snakemake.config, snakemake.params.definition, snakemake.wildcards.fold
    name = f"{snakemake.wildcards.model} fold {fold}"
    seed = derive_seed(snakemake.params.seed, snakemake.wildcards.model, int(fold))
    path = checkpoint_path(config["directory"], config["experiment"], snakemake.wildcards.model, fold)
    with locked(path.with_suffix(".lock"), name):
        finished_mark(path).unlink(missing_ok=True)
        width = definition["settings"].get("width", 1.0)
        resources = jobs.resources(snakemake) | {"name": name}
        engine = set_up(seed=seed, precision=definition["precision"], width=width, **resources)._asdict()
        run = description_of_run(snakemake, seed) | engine
        checkpoints = Checkpoints(path, run, config["checkpoints"]["share"], name)
        train_and_write(snakemake, checkpoints, seed, name, engine)
        # Before this fold's checkpoint goes, its outputs must be there even after a power cut.
        for file in [*snakemake.output, Path(snakemake.output.model).parent]:
            sync(file)
        if path.exists():
            finished_mark(path).touch()
    # Else who can tell which folds are recorded: that waits for the end of the run, when all are.
    if config["marks_are_files"]:
        remove_recorded(config["directory"], config["experiment"])


def description_of_run(snakemake, seed):
    """Everything that the fold's training follows from; a checkpoint of any other run is refused."""
    return {
        "definition": snakemake.params.definition,
        "classes": snakemake.params.classes,
        "fold": snakemake.wildcards.fold,
        "seed": seed,
        "code": snakemake.params.code["digest"],
        "images": file_digest(snakemake.input.images),
        "samples": file_digest(snakemake.input.samples),
        "folds": file_digest(snakemake.input.folds),
    }


def train_and_write(snakemake, checkpoints, seed, name, engine):
    """Train, from the checkpoint where there is one, and write the outputs; metrics.json tells what computed them."""
    definition, classes, fold = snakemake.params.definition, snakemake.params.classes, int(snakemake.wildcards.fold)
    images = np.load(snakemake.input.images, mmap_mode="r")
    samples = pd.read_csv(snakemake.input.samples, usecols=["label", "duplicate_group"])
    folds = pd.read_csv(snakemake.input.folds)
    labels = samples["label"].to_numpy()
    validation = folds.loc[folds["fold"] == fold, "index"].to_numpy()
    training, watch = folds.loc[folds["fold"] != fold, "index"].to_numpy(), None
    if definition["early_stopping"]["enabled"]:
        groups = samples["duplicate_group"].to_numpy()[training]
        watched = inner_split(labels[training], groups, definition["early_stopping"]["fraction"], seed)
        training, watch = training[~watched], training[watched]

    trained = train(definition, images, labels, training, validation, len(classes), seed, watch, name, checkpoints)
    probabilities = predict(trained.model, images, validation, definition["batch_size"])

    predictions = pd.DataFrame(probabilities, columns=classes)
    predictions.insert(0, "index", validation)
    predictions.insert(1, "label", labels[validation])
    metrics = fold_measures(predictions, classes)
    metrics |= {"epochs": len(trained.history), "training_rows": len(training)}
    metrics |= {key: engine[key] for key in ("software", "precision", "threads")}
    save_model(trained.model, snakemake.output.model)
    pd.DataFrame(trained.history).to_csv(snakemake.output.history, index=False, lineterminator="\n")
    predictions.to_csv(snakemake.output.predictions, index=False, lineterminator="\n")
    metrics["predictions_sha256"] = file_digest(snakemake.output.predictions)
    Path(snakemake.output.metrics).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    pd.DataFrame(trained.timing).to_csv(snakemake.output.timing, index=False, lineterminator="\n")


if __name__ == "__main__":
    jobs.run(main, snakemake)  # noqa: F821
