"""The optimizer, its learning rate over the epochs, and what each class weighs in the loss."""

import math

import numpy as np

from fercv.engine.backend import keras


def learning_rate(definition: dict, epochs: float) -> float:
    """The learning rate after so many epochs of training, by the definition's schedule.

    `constant`; `linear`: down to zero, which is reached at the end of the training; `cosine`: the same along half a
    cosine (Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts); `step`: multiplied by `factor` after every
    `every` epochs. Each may begin with `warmup` epochs in which the rate rises evenly from zero.

    Args:
        definition: a complete definition of the config.
        epochs: epochs of training so far, with their fraction: 1.5 in the middle of the second epoch.
    """
    rate, schedule = definition["learning_rate"], definition["schedule"]
    warmup, name = schedule["warmup"], schedule["name"]
    if epochs < warmup:
        return rate * epochs / warmup
    if name == "step":
        return rate * schedule["factor"] ** int((epochs - warmup) // schedule["every"])
    done = (epochs - warmup) / (definition["epochs"] - warmup)
    return rate * {"constant": 1, "linear": 1 - done, "cosine": 0.5 * (1 + math.cos(math.pi * done))}[name]


def make_optimizer(definition: dict):
    """The definition's Keras optimizer. `sgd` has Nesterov momentum 0.9, the usual choice for this data.

    Weight decay is decoupled, and multiplied by the learning rate. Biases and the scales and shifts of normalizations
    do not decay (He et al. 2019, arXiv:1812.01187, section 3.1).
    """
    options = {"learning_rate": definition["learning_rate"]}
    if definition["weight_decay"] > 0 or definition["optimizer"] == "adamw":
        options["weight_decay"] = float(definition["weight_decay"])
    if definition["optimizer"] == "sgd":
        options |= {"momentum": 0.9, "nesterov": True}
    optimizer = keras.optimizers.get({"class_name": definition["optimizer"], "config": options})
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def class_weights(labels, classes: int, kind: str):
    """Weight of each class in the loss.

    Args:
        labels: int (n,), of the training rows.
        classes: number of classes.
        kind: `none` for ones; `balanced` for n / (classes * count), scikit-learn's rule; `square_root` for the square
            roots of these, scaled so that the mean weight of a training row is 1.

    Returns:
        float32 (classes,).
    """
    if kind == "none":
        return np.ones(classes, np.float32)
    counts = np.maximum(np.bincount(labels, minlength=classes), 1)
    weights = len(labels) / (classes * counts)
    if kind == "square_root":
        weights = np.sqrt(weights)
        weights /= weights[labels].mean()
    return weights.astype(np.float32)
