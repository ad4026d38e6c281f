"""Layers and an optimizer's update that compute what Keras' own compute, but faster on TensorFlow.

They pass over the memory fewer times. A model is trained with these layers and saved with Keras' own, which take the
same weights. benchmarks/README.md shows what each gains. fercv.engine.setup imports this where TensorFlow is the
backend.
"""

import functools
from types import SimpleNamespace

import tensorflow as tf

from fercv.engine.backend import keras, native

# An image of at most this many positions (height times width) is small, see `Conv2D`.
SMALL_IMAGE = 36


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras' layer in one fused operation. Input and output keep their precision, and sums are made in float32.

    Keras' own layer casts bfloat16 to float32 and back, and passes over the input some ten times.
    """

    def call(self, inputs, training=None, mask=None):
        """As Keras' layer. Inputs (n, height, width, channels) are fused; for others Keras' own code runs."""
        plain = self.axis in (-1, 3) and self.scale and self.center and mask is None
        if len(inputs.shape) != 4 or not plain or self.synchronized or self.renorm:
            return super().call(inputs, training=training, mask=mask)
        learning = bool(training and self.trainable)
        moving = {} if learning else {"mean": self.moving_mean.value, "variance": self.moving_variance.value}
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma.value, self.beta.value, **moving, epsilon=self.epsilon, is_training=learning
        )
        if learning:
            # The operation divides the sum of squared deviations by count - 1; Keras divides it by count.
            count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), tf.float32)
            for kept, new in [(self.moving_mean, mean), (self.moving_variance, variance * (count - 1) / count)]:
                kept.assign(kept * self.momentum + new * (1 - self.momentum))
        return outputs


class Conv2D(keras.layers.Conv2D):
    """Keras' layer, which computes the gradient of its kernel in another way where images are small.

    That gradient is itself a convolution: of the inputs with the gradients of the outputs, where the images of the
    batch take the place of the channels. oneDNN computes this convolution faster than it runs its own function for the
    gradient. The fewer positions an image has, the larger is the difference.
    """

    def call(self, inputs):
        """As Keras' layer. For anything but a plain "same" convolution of a small image Keras' own code runs."""
        options = (self.padding, self.strides, self.dilation_rate, self.groups, self.data_format, self.use_bias)
        plain = options == ("same", (1, 1), (1, 1), 1, "channels_last", True)
        small = inputs.shape[1] * inputs.shape[2] <= SMALL_IMAGE
        if not (plain and small and all(size % 2 for size in self.kernel_size)):
            return super().call(inputs)
        kernel, bias = (tf.cast(variable.value, inputs.dtype) for variable in (self.kernel, self.bias))
        return self.activation(convolve(inputs, kernel, bias))


@tf.custom_gradient
def convolve(inputs, kernel, bias):
    """A "same" convolution with strides of 1 and odd kernel sizes, and its gradients, see `Conv2D`.

    Args:
        inputs: (n, height, width, channels), float32 or bfloat16, as are the other two.
        kernel: (kernel height, kernel width, channels, filters).
        bias: (filters,).

    Returns:
        (n, height, width, filters), and a function from their gradients to those of the three arguments.
    """

    def gradients(errors):
        margins = [[0, 0], *([size // 2] * 2 for size in kernel.shape[:2]), [0, 0]]
        of_kernel = tf.nn.conv2d(tf.transpose(inputs, [3, 1, 2, 0]), tf.transpose(errors, [1, 2, 0, 3]), 1, margins)
        of_inputs = tf.nn.conv2d_transpose(errors, kernel, tf.shape(inputs), 1)
        # TensorFlow's own gradient of bias_add sums in bfloat16, whose eight bits are too few for a long sum.
        # tf.reduce_sum sums in float32.
        return of_inputs, tf.transpose(of_kernel, [1, 2, 0, 3]), tf.reduce_sum(errors, [0, 1, 2])

    return tf.nn.bias_add(tf.nn.conv2d(inputs, kernel, 1, "SAME"), bias), gradients


def training_layers(on_processor: bool):
    """`keras.layers`, with the layers of this module in the place of Keras' own.

    Args:
        on_processor: whether the model computes on a processor. `Conv2D` is for the kernels of oneDNN.
    """
    own = {"BatchNormalization": BatchNormalization}
    if on_processor and native.KERNELS == "oneDNN":
        own["Conv2D"] = Conv2D
    return SimpleNamespace(**{**vars(keras.layers), **own})


def fuse_update(optimizer) -> None:
    """Have an Adam, AdamW or SGD update each weight in one operation, which is one pass over it; Keras makes about ten.

    Args:
        optimizer: a Keras optimizer, changed in place. One of another kind stays as it is.
    """
    if isinstance(optimizer, keras.optimizers.Adam) and not optimizer.amsgrad:
        optimizer.update_step = functools.partial(adam_step, optimizer)
    elif isinstance(optimizer, keras.optimizers.SGD) and optimizer.momentum:
        optimizer.update_step = functools.partial(sgd_step, optimizer)


def adam_step(optimizer, gradient, variable, learning_rate) -> None:
    """Update a tf.Variable and its moments as `keras.optimizers.Adam.update_step` does (Kingma & Ba 2015)."""
    index, step = optimizer._get_variable_index(variable), tf.cast(optimizer.iterations.value + 1, variable.dtype)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=optimizer._momentums[index].value.handle,
        v=optimizer._velocities[index].value.handle,
        beta1_power=optimizer.beta_1**step,
        beta2_power=optimizer.beta_2**step,
        lr=tf.cast(learning_rate, variable.dtype),
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        epsilon=optimizer.epsilon,
        grad=gradient,
    )


def sgd_step(optimizer, gradient, variable, learning_rate) -> None:
    """Update a tf.Variable and its momentum as `keras.optimizers.SGD.update_step` does."""
    tf.raw_ops.ResourceApplyKerasMomentum(
        var=variable.handle,
        accum=optimizer.momentums[optimizer._get_variable_index(variable)].value.handle,
        lr=tf.cast(learning_rate, variable.dtype),
        grad=gradient,
        momentum=optimizer.momentum,
        use_nesterov=optimizer.nesterov,
    )
