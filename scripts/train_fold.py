"""Train one model on all folds but one, and predict that one."""

from fercv.workflow.jobs import run

import json
from functools import partial
from pathlib import Path

import pandas as pd

from fercv.data import tables
from fercv.engine.setup import Engine
from fercv.evaluate.measures import fold_measures
from fercv.nets.models import predict, save_model
from fercv.train.job import run_training, training_record
from fercv.train.loop import Task, Trained
from fercv.workflow.hashing import file_digest


def main(snakemake):
    """Write model.keras, history.csv, predictions.csv, metrics.json and timing.csv of one fold."""
    write = partial(write_fold, snakemake.output, snakemake.params.classes)
    run_training(snakemake, snakemake.wildcards.fold, write)


def write_fold(output, classes: list[str], trained: Trained, task: Task, engine: Engine) -> None:
    """Predict the validation rows, and write the outputs. metrics.json says with what they were computed."""
    batch_size, mirrored = task.definition["batch_size"], task.definition["mirrored_prediction"]
    probabilities = predict(trained.model, task.images, task.validation, batch_size, mirrored)
    predictions = tables.predictions_table(task.validation, task.labels[task.validation], probabilities, classes)
    save_model(trained.model, output.model)
    tables.write_table(pd.DataFrame(trained.history), output.history)
    tables.write_table(pd.DataFrame(trained.timing), output.timing)
    tables.write_table(predictions, output.predictions)
    metrics = fold_measures(predictions, classes) | training_record(trained, task, engine)
    metrics |= {"predictions_sha256": file_digest(output.predictions)}
    Path(output.metrics).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
