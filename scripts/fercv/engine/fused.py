"""What TensorFlow computes faster in another form than Keras gives it: the same sums, fewer passes over the memory.

A model is trained with these and saved with Keras' own layers, which take the same weights. benchmarks/README.md has
what each gains. Imported by fercv.engine.setup where TensorFlow is the backend.
"""

from types import SimpleNamespace

import tensorflow as tf

from fercv.engine.backend import keras

# Positions of an image up to which the kernel gradient is computed as in `Conv2D`, and weights from which on compiling
# their update takes less time than it saves in a few epochs.
SMALL_IMAGE = 36
MANY_WEIGHTS = 5_000_000


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer by one fused operation, in the precision of its input, with sums in float32 all the same.

    Keras casts bfloat16 to float32 and back, and passes over the input some ten times.
    """

    def call(self, inputs, training=None, mask=None):
        """As Keras' layer: (n, height, width, channels), float32 or bfloat16, to the same; others are left to it."""
        plain = self.axis in (-1, 3) and self.scale and self.center and mask is None
        if len(inputs.shape) != 4 or not plain or self.synchronized or self.renorm:
            return super().call(inputs, training=training, mask=mask)
        learning = bool(training and self.trainable)
        moving = {} if learning else {"mean": self.moving_mean.value, "variance": self.moving_variance.value}
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma.value, self.beta.value, **moving, epsilon=self.epsilon, is_training=learning
        )
        if learning:
            # The operation gives the variance of the population that the batch is a sample of, Keras keeps the batch's.
            count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), tf.float32)
            for kept, new in [(self.moving_mean, mean), (self.moving_variance, variance * (count - 1) / count)]:
                kept.assign(kept * self.momentum + new * (1 - self.momentum))
        return outputs


class Conv2D(keras.layers.Conv2D):
    """Keras' layer with another way to the same kernel gradient where images are small.

    The gradient is itself a convolution: of the inputs by the outputs' gradients, with images in the place of channels.
    In bfloat16 oneDNN runs that faster than its own function for it, the more so the fewer positions there are.
    """

    def call(self, inputs):
        """As Keras' layer; what is not a plain "same" convolution of a small image is left to it."""
        settings = (self.padding, self.strides, self.dilation_rate, self.groups, self.data_format, self.use_bias)
        plain = settings == ("same", (1, 1), (1, 1), 1, "channels_last", True)
        small = inputs.shape[1] * inputs.shape[2] <= SMALL_IMAGE
        if not (plain and small and all(size % 2 for size in self.kernel_size)):
            return super().call(inputs)
        kernel, bias = (tf.cast(variable.value, inputs.dtype) for variable in (self.kernel, self.bias))
        return self.activation(convolve(inputs, kernel, bias))


@tf.custom_gradient
def convolve(inputs, kernel, bias):
    """A "same" convolution with strides of 1 and odd kernel sizes, and its gradients; see `Conv2D`."""

    def gradients(errors):
        margins = [[0, 0], *([size // 2] * 2 for size in kernel.shape[:2]), [0, 0]]
        of_kernel = tf.nn.conv2d(tf.transpose(inputs, [3, 1, 2, 0]), tf.transpose(errors, [1, 2, 0, 3]), 1, margins)
        of_inputs = tf.nn.conv2d_transpose(errors, kernel, tf.shape(inputs), 1)
        # The gradient that belongs to bias_add sums in bfloat16, whose eight bits lose a long sum; this in float32.
        return of_inputs, tf.transpose(of_kernel, [1, 2, 0, 3]), tf.reduce_sum(errors, [0, 1, 2])

    return tf.nn.bias_add(tf.nn.conv2d(inputs, kernel, 1, "SAME"), bias), gradients


def training_layers(on_processor: bool):
    """`keras.layers` with those of this module in the place of Keras' own.

    Args:
        on_processor: whether the model computes on a processor, which `Conv2D` is for; in bfloat16 alone.
    """
    own = {"BatchNormalization": BatchNormalization}
    if on_processor and keras.config.dtype_policy().compute_dtype == "bfloat16":
        own["Conv2D"] = Conv2D
    return SimpleNamespace(**{**vars(keras.layers), **own})


def compile_update(optimizer, weights: int) -> None:
    """Have XLA compile an optimizer's update of many weights: one pass over them, where Keras makes about ten.

    Args:
        optimizer: a Keras optimizer, changed in place.
        weights: how many there are to update.
    """
    if weights < MANY_WEIGHTS:
        return
    update = optimizer.apply

    def apply(gradients, variables=None):
        tf.function(lambda *given: update(given, variables), jit_compile=True, autograph=False)(*gradients)

    optimizer.apply = apply
