"""Train one model on the images of all folds: the final model, for use elsewhere."""

from fercv.workflow.jobs import run

import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from fercv.data import tables
from fercv.engine.setup import Engine
from fercv.nets.models import save_model
from fercv.train.job import run_training, training_record
from fercv.train.loop import Task, Trained
from fercv.workflow.finished import FINAL


def main(snakemake):
    """Write model.keras, history.csv, timing.csv and training.json of the final model."""
    run_training(snakemake, FINAL, partial(write_final, snakemake.output, snakemake.params.classes))


def write_final(output, classes: list[str], trained: Trained, task: Task, engine: Engine) -> None:
    """Write the outputs. training.json says what the model was trained on and with what it was computed."""
    save_model(trained.model, output.model)
    tables.write_table(pd.DataFrame(trained.history), output.history)
    tables.write_table(pd.DataFrame(trained.timing), output.timing)
    counts = np.bincount(task.labels[task.training], minlength=task.classes).tolist()
    held_back = 0 if task.inner_validation is None else len(task.inner_validation)
    record = training_record(trained, task, engine)
    record |= {"rows_of_classes": dict(zip(classes, counts, strict=True)), "early_stopping_rows": held_back}
    Path(output.record).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
