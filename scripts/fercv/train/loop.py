"""Training one fold: the loop over epochs."""

import logging
import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from fercv.data.preprocessing import model_inputs
from fercv.engine.backend import keras
from fercv.engine.setup import compile_update, training_layers
from fercv.nets.models import build_model, predict
from fercv.train.augmentation import augment
from fercv.train.checkpoint import State
from fercv.train.optimizer import class_weights, learning_rate, make_optimizer
from fercv.workflow.errors import InputError

log = logging.getLogger("fercv")


class TrainedFold(NamedTuple):
    """What a training run leaves behind.

    model: float32 Keras model, uncompiled.
    history: one dict an epoch: epoch (from 1), loss, accuracy, val_loss, val_accuracy, learning_rate. loss and accuracy
        are means over the epoch's batches as they were trained on, augmented, with dropout, loss with class weights;
        val_loss and val_accuracy are measured after the epoch, without any of it, in the precision of the training.
    timing: one dict an epoch: epoch, seconds (of the training steps), images_per_second, validation_seconds.
    """

    model: object
    history: list[dict]
    timing: list[dict]


def train(
    definition, images, labels, training, validation, classes, seed, watch=None, name="model", checkpoints=None
) -> TrainedFold:
    """Train one model on the rows of one fold.

    An epoch visits the training rows in an order drawn from (seed, epoch), in full batches: what doesn't fill the last
    one is left out this time. Images are augmented, then standardized.

    Args:
        definition: a complete definition of the config.
        images: uint8 (n, height, width); may be memory-mapped, rows are read batch by batch.
        labels: int (n,).
        training: row numbers to learn from.
        validation: row numbers to measure on after each epoch; they decide nothing.
        classes: number of classes.
        seed: what shuffling and augmentation are drawn from; weights and dropout come from `backend.configure`.
        watch: row numbers that early stopping watches, not in `training` or `validation`; None switches it off. The
            weights of the epoch with the lowest loss on them are kept.
        name: for messages, e.g. "cnn fold 03".
        checkpoints: a `fercv.checkpoint.Checkpoints` to go on from and to save to; None for neither. A run that was
            stopped and goes on ends with the same bits as one that was not.

    Raises:
        InputError: the loss is no longer a number.
    """
    layers = training_layers()
    model = build_model(definition["architecture"], (*images.shape[1:], 1), classes, definition["settings"], layers)
    # XLA takes longer to compile such a net for a processor than it saves in a short run.
    model.compile(
        optimizer=make_optimizer(definition),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        metrics=["accuracy"],
        jit_compile=False,
    )
    weights = class_weights(labels[training], classes, definition["class_weights"])
    batch_size = min(definition["batch_size"], len(training))
    steps = len(training) // batch_size
    model.optimizer.build(model.trainable_variables)
    compile_update(model.optimizer, sum(math.prod(weight.shape) for weight in model.trainable_variables))
    # Weights, moving averages, what dropout draws next, moments; all else follows from the seed and the epoch.
    variables = [*model.variables, *model.optimizer.variables]
    history, timing = [], []
    best_loss, best_weights, waited = math.inf, None, 0
    saved = checkpoints.restore() if checkpoints else None
    if saved is not None:
        history, timing, best_loss, waited = (
            saved.numbers[key] for key in ("history", "timing", "best_loss", "waited")
        )
        for variable, value in zip(variables, saved.arrays, strict=False):
            variable.assign(value)
        best_weights = saved.arrays[len(variables) :] or None
        del saved
        log.info("%s: goes on after epoch %d of %d", name, len(history), definition["epochs"])
    bar = tqdm(
        total=definition["epochs"] * steps, initial=len(history) * steps,
        desc=name, unit="batch", leave=False, mininterval=1, disable=None,
    )  # fmt: skip
    patience = definition["early_stopping"]["patience"] if watch is not None else math.inf
    while len(history) < definition["epochs"] and waited < patience:
        epoch, began = len(history), time.perf_counter()
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(training)
        model.optimizer.learning_rate = learning_rate(definition, epoch)
        sums = {"loss": 0.0, "accuracy": 0.0}

        def prepare(rows, rng=rng):
            return rows, model_inputs(augment(images[rows], definition["augmentation"], rng), model.input_shape[1:])

        for rows, inputs in one_ahead(prepare, np.split(order[: steps * batch_size], steps)):
            logs = model.train_on_batch(inputs, labels[rows], weights[labels[rows]], return_dict=True)
            sums = {key: sums[key] + float(logs[key]) for key in sums}
            check_loss(logs["loss"], name, epoch, definition)
            bar.update()
        trained = time.perf_counter()
        losses = {}
        for key, rows in [("val", validation), ("watch", watch)]:
            if rows is not None:
                losses[key] = cross_entropy_and_accuracy(predict(model, images, rows, batch_size), labels[rows])
                check_loss(losses[key][0], name, epoch, definition)
        history.append(
            {
                "epoch": epoch + 1,
                "loss": sums["loss"] / steps,
                "accuracy": sums["accuracy"] / steps,
                "val_loss": losses["val"][0],
                "val_accuracy": losses["val"][1],
                "learning_rate": learning_rate(definition, epoch),
            }
        )
        timing.append(
            {
                "epoch": epoch + 1,
                "seconds": round(trained - began, 3),
                "images_per_second": round(steps * batch_size / (trained - began), 1),
                "validation_seconds": round(time.perf_counter() - trained, 3),
            }
        )
        row = history[-1]
        bar.set_postfix_str(f"epoch {row['epoch']} done, validation accuracy {row['val_accuracy']:.3f}")
        log.info(
            "%s epoch %d/%d: loss %.4f, accuracy %.4f, validation loss %.4f, validation accuracy %.4f, %.0f images/s",
            name, row["epoch"], definition["epochs"], row["loss"], row["accuracy"], row["val_loss"],
            row["val_accuracy"], timing[-1]["images_per_second"],
        )  # fmt: skip
        if watch is not None:
            if losses["watch"][0] < best_loss:
                best_loss, best_weights, waited = losses["watch"][0], model.get_weights(), 0
            else:
                waited += 1
        if checkpoints:
            numbers = {"history": history, "timing": timing, "best_loss": best_loss, "waited": waited}
            arrays = [*variables, *(best_weights or [])]
            checkpoints.save(
                lambda: State(numbers, list(map(keras.ops.convert_to_numpy, arrays))),  # noqa: B023 - called at once
                len(history),
                last=len(history) == definition["epochs"] or waited >= patience,
            )
    bar.close()
    if waited >= patience:
        log.info("%s: stopped, the watched loss has not fallen for %d epochs", name, waited)
    # The file is the same whatever precision it was trained in: the weights are float32 in both.
    keras.config.set_dtype_policy("float32")
    final = build_model(definition["architecture"], (*images.shape[1:], 1), classes, definition["settings"])
    final.set_weights(best_weights if best_weights is not None else model.get_weights())
    return TrainedFold(final, history, timing)


def one_ahead(function, items):
    """Yield `function(item)` of each item in their order, each computed while the caller works on the one before.

    So a GPU need not wait for its input. The calls are made one after the other.
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


def check_loss(loss: float, name: str, epoch: int, definition: dict) -> None:
    """Refuse a loss that is not finite: nothing good comes of such a model, and none is saved."""
    if not math.isfinite(loss):
        raise InputError(
            f"{name}: the loss became {loss} in epoch {epoch + 1}; lower the definition's learning_rate (it is "
            f"{definition['learning_rate']}) or choose precision: float32"
        )


def cross_entropy_and_accuracy(probabilities, labels) -> tuple[float, float]:
    """Mean cross-entropy in nats and accuracy of probabilities (n, classes) against labels (n,)."""
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    loss = -np.log(np.maximum(chosen, np.finfo(np.float32).tiny)).mean()
    return float(loss), float((probabilities.argmax(axis=1) == labels).mean())
