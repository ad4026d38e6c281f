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


class Muon(keras.optimizers.Muon):
    """Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) for the kernels of convolutions.

    The step of such a kernel is its momentum, made orthogonal as a matrix with a column for each filter: all its
    directions get the same length. Its root mean square is 0.2 times the learning rate, about that of Adam (Liu et al.
    2025, arXiv:2502.16982). All else moves by Adam, at a third of the learning rate: biases, the scales and shifts of
    normalizations, the first convolution, which has a single channel to combine, and dense layers, as making their
    large matrices orthogonal would cost more than the rest of the training. Keras' own class leaves out convolutions.
    """

    def __init__(self, weight_decay=None, adam_lr_ratio=1 / 3, **options):
        super().__init__(
            weight_decay=weight_decay, adam_weight_decay=weight_decay, adam_lr_ratio=adam_lr_ratio, **options
        )

    def _should_use_adamw(self, variable):
        return len(variable.shape) != 4 or variable.shape[2] == 1

    def zeropower_via_newtonschulz5(self, x, steps):
        """The matrix next to `x`, (height, width, channels, filters), whose singular values are about 1.

        An iteration multiplies the matrix by a polynomial of its Gram matrix. As these polynomials commute, they are
        multiplied with each other first. So the iterations work on the small Gram matrix alone, and the result is
        Keras' own to rounding, with 0.4 times its computations where a kernel is nine times as high as wide.
        """
        ops = keras.ops
        matrix = ops.reshape(x, (-1, x.shape[-1]))
        wide = matrix.shape[0] < matrix.shape[1]
        matrix = ops.transpose(matrix) if wide else matrix
        # So the largest singular value is at most 1.
        matrix = matrix / (ops.norm(matrix) + 1e-7)
        gram = ops.transpose(matrix) @ matrix
        identity = factors = ops.eye(gram.shape[0], dtype=gram.dtype)
        for _ in range(steps):
            factor = self.muon_a * identity + self.muon_b * gram + self.muon_c * gram @ gram
            factors, gram = factors @ factor, factor @ gram @ factor
        matrix = matrix @ factors
        return ops.reshape(ops.transpose(matrix) if wide else matrix, x.shape)

    def lr_adjust(self, x):
        """Scale the update of a kernel, (height, width, channels, filters), to a root mean square of 0.2 rates."""
        return x * (self.rms_rate * max(math.prod(x.shape[:-1]), x.shape[-1]) ** 0.5)


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
    kind = definition["optimizer"]
    optimizer = Muon(**options) if kind == "muon" else keras.optimizers.get({"class_name": kind, "config": options})
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
