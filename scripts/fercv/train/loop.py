"""Training one model: the loop over epochs."""

import logging
import math
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from fercv.data.preprocessing import model_inputs
from fercv.data.tables import FINAL_HISTORY, HISTORY, TIMING
from fercv.engine.backend import keras, native
from fercv.engine.setup import fuse_update, training_layers
from fercv.evaluate.measures import log_loss
from fercv.nets.models import build_model, predict
from fercv.train.augmentation import augment
from fercv.train.checkpoint import Checkpoints, Snapshot, UnusableError
from fercv.train.optimizer import class_weights, learning_rate, make_optimizer
from fercv.train.progress import SHOWN, Progress
from fercv.workflow.errors import InputError
from fercv.workflow.hashing import derive_seed
from fercv.workflow.progress import ProgressFile

log = logging.getLogger("fercv")
# Training rows that are measured after each epoch where no validation rows say how many.
SAMPLE_ROWS = 1000


class Task(NamedTuple):
    """Everything that determines the training of one model.

    name: for messages, e.g. "cnn fold 03" or "cnn final model".
    definition: a complete definition of the config.
    seed: seed of shuffling and augmentation; `engine.setup.set_up` sets that of weights and dropout.
    images: uint8 (n, height, width); may be memory-mapped, rows are read batch by batch.
    labels: int (n,).
    classes: number of classes.
    training: row numbers to learn from.
    validation: row numbers to measure on after each epoch; the measures have no effect on the training. None where all
        rows are to be learned from.
    inner_validation: row numbers that early stopping monitors, neither in `training` nor in `validation`; None where
        early stopping is off. The weights of the epoch with the lowest loss on them are kept.
    checkpoints: the run's checkpoints; None to restore and save none.
    progress: the fold's file of progress; None to write none, and say on the terminal how far the training is.
    """

    name: str
    definition: dict
    seed: int
    images: np.ndarray
    labels: np.ndarray
    classes: int
    training: np.ndarray
    validation: np.ndarray | None
    inner_validation: np.ndarray | None = None
    checkpoints: Checkpoints | None = None
    progress: ProgressFile | None = None

    @property
    def batch_size(self) -> int:
        """Rows of a batch: the definition's number, or all training rows where they are fewer."""
        return min(self.definition["batch_size"], len(self.training))

    @property
    def sample(self) -> np.ndarray:
        """As many training rows as there are validation rows, the same after each epoch, to measure on them as well."""
        rng = np.random.default_rng(derive_seed(self.seed, "sample"))
        size = SAMPLE_ROWS if self.validation is None else len(self.validation)
        return rng.choice(self.training, min(size, len(self.training)), replace=False)

    @property
    def measured(self) -> dict[str, np.ndarray]:
        """The rows that are measured after each epoch, under the names that their measures begin with."""
        return {"clean": self.sample} | ({} if self.validation is None else {"val": self.validation})

    @property
    def steps(self) -> int:
        """Batches of an epoch. Rows that do not fill a last batch are left out of the epoch."""
        return len(self.training) // self.batch_size


@dataclass
class TrainingState:
    """The state of a run at the end of an epoch. All other things follow from the task and the epoch's number.

    model: compiled Keras model, with its weights, its optimizer's moments, and the seeds of what dropout draws next.
    history, timing: see `Trained`.
    best_loss: lowest loss on the inner validation rows so far.
    best_weights: the weights that gave it; None without early stopping.
    epochs_without_gain: how many epochs have passed since then.
    """

    model: object
    history: list[dict] = field(default_factory=list)
    timing: list[dict] = field(default_factory=list)
    best_loss: float = math.inf
    best_weights: list | None = None
    epochs_without_gain: int = 0

    @property
    def variables(self) -> list:
        """The variables of model and optimizer, in an order that does not change."""
        return [*self.model.variables, *self.model.optimizer.variables]


class Trained(NamedTuple):
    """What a training run leaves behind.

    model: float32 Keras model, uncompiled.
    history: one dict per epoch: epoch (from 1), loss, accuracy, clean_loss, clean_accuracy, val_loss, val_accuracy,
        learning_rate, kept. loss and accuracy are means over the batches of the epoch, with augmentation and dropout;
        the loss also with class weights and label smoothing. The others are measured after the epoch, without these, in
        the precision of the training: clean_ on `Task.sample`, val_ on the validation rows, if there are any. val_loss
        is `evaluate.measures.log_loss`, as in metrics.json. learning_rate is that of the middle of the epoch. kept is 1
        for the epoch whose weights the model has: the last one, or the best one by early stopping.
    timing: one dict per epoch: epoch, seconds (of the training steps), images_per_second, validation_seconds.
    """

    model: object
    history: list[dict]
    timing: list[dict]


def train(task: Task) -> Trained:
    """Train one model.

    An epoch visits the training rows in an order drawn from (seed, epoch), in full batches. Images are augmented, then
    standardized. A run that was stopped and goes on from a checkpoint ends with the same bits as one that was not.

    Raises:
        InputError: the loss is no longer a number.
    """
    state = TrainingState(compiled_model(task))
    restore(state, task)
    progress = Progress(task, state.model.count_params(), state.history, state.timing)
    while len(state.history) < task.definition["epochs"] and not has_stopped(state, task):
        began = time.perf_counter()
        means = train_epoch(state, task, progress)
        trained = time.perf_counter()
        measures = {name: measure(state, task, rows) for name, rows in task.measured.items()}
        keep_best(state, task)
        record_epoch(state, task, means, measures, seconds=(trained - began, time.perf_counter() - trained))
        progress.epoch_done(state.history[-1], state.timing[-1])
        save(state, task)
    if has_stopped(state, task):
        log.info("%s: early stopping, no lower loss for %d epochs", task.name, state.epochs_without_gain)
    progress.end()
    kept = len(state.history) - state.epochs_without_gain
    history = [record | {"kept": int(record["epoch"] == kept)} for record in state.history]
    return Trained(final_model(state, task), history, state.timing)


def compiled_model(task: Task):
    """Build and compile the model, its weights freshly drawn."""
    definition, shape = task.definition, (*task.images.shape[1:], 1)
    model = build_model(definition["architecture"], shape, task.classes, definition["settings"], training_layers())
    model.compile(
        optimizer=make_optimizer(definition),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=definition["label_smoothing"]),
        metrics=["accuracy"],
        jit_compile=native.JIT_COMPILE,
    )
    model.optimizer.build(model.trainable_variables)
    fuse_update(model.optimizer)
    # The metrics make their variables when they first see outputs. If the training step saw them first, TensorFlow
    # would trace it twice.
    anything = np.full((1, task.classes), 1 / task.classes, np.float32)
    model.compute_metrics(None, anything, anything)
    model.reset_metrics()
    return model


def restore(state: TrainingState, task: Task) -> None:
    """Bring a fresh state to the point where the checkpoint was saved. Without a checkpoint it stays fresh."""
    saved = task.checkpoints.restore(lambda saved: check_fits(saved, state, task)) if task.checkpoints else None
    if saved is None:
        return
    for key, value in saved.numbers.items():
        setattr(state, key, value)
    variables = state.variables
    for variable, value in zip(variables, saved.arrays, strict=False):
        variable.assign(value)
    others = len(variables) + len(native.random_state())
    native.set_random_state(saved.arrays[len(variables) : others])
    state.best_weights = saved.arrays[others:] or None
    done, epochs = len(state.history), task.definition["epochs"]
    log.info("%s: goes on after epoch %d of %d", task.name, done, epochs, extra=SHOWN)


def check_fits(saved: Snapshot, state: TrainingState, task: Task) -> None:
    """Raise UnusableError if what was saved is not the state of such a run after one of its epochs."""
    kinds = {"history": list, "timing": list, "best_loss": float, "epochs_without_gain": int}
    if {key: type(value) for key, value in saved.numbers.items()} != kinds:
        raise UnusableError("it is damaged: its numbers are not those of a run")
    epochs = list(range(1, min(len(saved.numbers["history"]), task.definition["epochs"]) + 1))
    # Which epoch is kept is known at the end of the run.
    history = [column for column in (FINAL_HISTORY if task.validation is None else HISTORY) if column != "kept"]
    for key, columns in (("history", history), ("timing", TIMING)):
        rows = saved.numbers[key]
        if not all(isinstance(row, dict) and list(row) == list(columns) for row in rows):
            raise UnusableError(f"it is damaged: its {key} has not the columns {', '.join(columns)}")
        if not all(type(value) in (int, float) for row in rows for value in row.values()):
            raise UnusableError(f"it is damaged: its {key} holds what is no number")
        if not epochs or [row["epoch"] for row in rows] != epochs:
            raise UnusableError(f"it is damaged: its {key} has not one row for each epoch")
    best = [] if task.inner_validation is None else state.model.weights
    values = [*state.variables, *native.random_state(), *best]
    expected = [(tuple(value.shape), keras.backend.standardize_dtype(value.dtype)) for value in values]
    if [(array.shape, array.dtype.name) for array in saved.arrays] != expected:
        raise UnusableError("it is damaged: its arrays are not those of the model and its optimizer")


def save(state: TrainingState, task: Task) -> None:
    """Save a checkpoint of the epoch that has just ended, if the run keeps checkpoints and it is time for one."""
    if task.checkpoints is None:
        return

    def snapshot():
        numbers = {key: getattr(state, key) for key in ("history", "timing", "best_loss", "epochs_without_gain")}
        arrays = [*state.variables, *native.random_state(), *(state.best_weights or [])]
        return Snapshot(numbers, [keras.ops.convert_to_numpy(array) for array in arrays])

    epoch = len(state.history)
    task.checkpoints.save(snapshot, epoch, last=epoch == task.definition["epochs"] or has_stopped(state, task))


def has_stopped(state: TrainingState, task: Task) -> bool:
    """Whether early stopping has ended the run."""
    patience = task.definition["early_stopping"]["patience"]
    return task.inner_validation is not None and state.epochs_without_gain >= patience


def train_epoch(state: TrainingState, task: Task, progress: Progress) -> tuple[float, float]:
    """Train the next epoch; return the means of loss and accuracy over its batches."""
    model, definition, epoch = state.model, task.definition, len(state.history)
    weights = class_weights(task.labels[task.training], task.classes, definition["class_weights"])
    rng = np.random.default_rng([task.seed, epoch])
    order = rng.permutation(task.training)
    one_hot = np.eye(task.classes, dtype=np.float32)

    def prepare(rows):
        images = augment(task.images[rows], definition["augmentation"], rng)
        return rows, model_inputs(images, model.input_shape[1:])

    loss = accuracy = 0.0
    batches = np.split(order[: task.steps * task.batch_size], task.steps)
    for step, (rows, inputs) in enumerate(one_ahead(prepare, batches)):
        labels = task.labels[rows]
        model.optimizer.learning_rate = learning_rate(definition, epoch + (step + 0.5) / task.steps)
        logs = model.train_on_batch(inputs, one_hot[labels], weights[labels], return_dict=True)
        loss, accuracy = loss + float(logs["loss"]), accuracy + float(logs["accuracy"])
        check_loss(logs["loss"], task, epoch)
        progress.batch_done()
    return loss / task.steps, accuracy / task.steps


def one_ahead(function, items) -> Iterator:
    """Yield `function(item)` for each item, in order. The next one is computed while the caller uses the current one.

    So the training step need not wait for its input. The calls are made one after the other.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting = None
        for item in items:
            following = pool.submit(function, item)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()


def measure(state: TrainingState, task: Task, rows: np.ndarray) -> tuple[float, float]:
    """Loss and accuracy on the given rows after an epoch."""
    mirrored = task.definition["mirrored_prediction"]
    probabilities = predict(state.model, task.images, rows, task.batch_size, mirrored)
    labels = task.labels[rows]
    loss = log_loss(labels, probabilities)
    check_loss(loss, task, len(state.history))
    return loss, float((probabilities.argmax(axis=1) == labels).mean())


def keep_best(state: TrainingState, task: Task) -> None:
    """Keep the weights if the loss on the inner validation rows has never been lower; count the epoch otherwise."""
    if task.inner_validation is None:
        return
    loss, _ = measure(state, task, task.inner_validation)
    if loss < state.best_loss:
        state.best_loss, state.best_weights, state.epochs_without_gain = loss, state.model.get_weights(), 0
    else:
        state.epochs_without_gain += 1


def record_epoch(
    state: TrainingState,
    task: Task,
    training: tuple[float, float],
    measures: Mapping[str, tuple[float, float]],
    seconds: tuple[float, float],
) -> None:
    """Append an epoch to history and timing.

    Args:
        state: of the run.
        task: of the run.
        training: loss and accuracy of the epoch's batches.
        measures: loss and accuracy after the epoch, on each kind of rows in `Task.measured`.
        seconds: of the training steps, and of the measuring after them.
    """
    epoch = len(state.history)
    images_per_second = task.steps * task.batch_size / seconds[0]
    record = {"epoch": epoch + 1, "loss": training[0], "accuracy": training[1]}
    for name, (loss, accuracy) in measures.items():
        record |= {f"{name}_loss": loss, f"{name}_accuracy": accuracy}
    state.history.append(record | {"learning_rate": learning_rate(task.definition, epoch + 0.5)})
    state.timing.append(
        {
            "epoch": epoch + 1,
            "seconds": round(seconds[0], 3),
            "images_per_second": round(images_per_second, 1),
            "validation_seconds": round(seconds[1], 3),
        }
    )


def check_loss(loss: float, task: Task, epoch: int) -> None:
    """Refuse a loss that is not finite. Such a model is useless, so it is not saved."""
    if not math.isfinite(loss):
        raise InputError(
            f"{task.name}: the loss became {loss} in epoch {epoch + 1}; lower the definition's learning_rate (it is "
            f"{task.definition['learning_rate']}) or choose precision: float32"
        )


def final_model(state: TrainingState, task: Task):
    """The trained model in float32, made of Keras' own layers. They take the weights of any layers used in training."""
    keras.config.set_dtype_policy("float32")
    definition, shape = task.definition, (*task.images.shape[1:], 1)
    model = build_model(definition["architecture"], shape, task.classes, definition["settings"])
    model.set_weights(state.model.get_weights() if state.best_weights is None else state.best_weights)
    return model
