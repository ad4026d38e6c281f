"""The networks, one function each.

An architecture is a function `name(layers, image_shape, classes, *, settings...) -> (inputs, outputs)`: it wires
layers in Keras' functional style and returns the two ends; the last layer is a softmax in float32. To add one, write
such a function here and name it in the config as a definition's `architecture`; its keyword arguments are what the
definition's `settings` may hold.

`layers` is `keras.layers`. It is an argument and not an import. So the Snakefile can find an architecture's settings
and layer names, to refuse mistyped ones, without importing TensorFlow, which takes seconds; see `layer_names`.
Give a `name` to each layer that a user may choose for filters or feature maps.
"""

import inspect
import math
from collections.abc import Mapping
from types import SimpleNamespace

from fercv.workflow.errors import InputError

# Share of the moving averages that is kept in each training step. With Keras' default of 0.99, they still hold a third
# of their initial values after a hundred steps, as many as small data give. Such a model is right on the batches that
# it is trained on, and may then name one class for all images. 0.9 is the default of PyTorch, which writes it as 0.1.
NORMALIZATION_MOMENTUM = 0.9


def cnn(layers, image_shape, classes, *, width=1.0, dropout=0.5, batch_normalization=True):
    """VGG16 (Simonyan & Zisserman 2015, arXiv:1409.1556) with batch normalization after each leaky ReLU.

    Five blocks of 3x3 convolutions, each closed by 2x2 max-pooling, then three hidden dense layers with dropout. At
    width 1.0 on 48x48 images and 7 classes it has 37,716,999 parameters. The layer names are those of the original
    report, whose naming scheme changes within block 3.

    Args:
        layers: `keras.layers`, or a stand-in for it.
        image_shape: (height, width, 1).
        classes: number of classes.
        width: factor on the number of filters and units of every hidden layer.
        dropout: share of the hidden dense units that are dropped in training.
        batch_normalization: whether the convolutions are followed by batch normalization.

    Raises:
        InputError: the images are too small to be halved five times.
    """
    if min(image_shape[:2]) < 32:
        raise InputError(
            f"data.image_size is {image_shape[0]}, {image_shape[1]}, but the architecture cnn halves images five times "
            "and needs 32 x 32 pixels or more; raise it, or choose another architecture"
        )
    x = inputs = layers.Input(image_shape, name="image")
    activation = 0
    for block, (convolutions, filters) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], start=1):
        for convolution in range(1, convolutions + 1):
            activation += 1
            early = block < 3 or (block == 3 and convolution < 3)
            prefix = f"conv{block}" if early else f"block{block}"
            x = layers.Conv2D(scaled(filters, width), 3, padding="same", name=f"{prefix}_conv{convolution}")(x)
            x = layers.LeakyReLU(name=f"{prefix}_re_lu_{activation}")(x)
            if batch_normalization:
                name = f"{prefix}_bn_c{convolution}" if early else f"bn_b{block}_c{convolution}"
                x = layers.BatchNormalization(momentum=NORMALIZATION_MOMENTUM, name=name)(x)
        x = layers.MaxPooling2D(name=f"conv{block}_pool" if block < 3 else f"block{block}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    for dense, units in enumerate([4096, 4096, 1000], start=1):
        x = layers.Dense(scaled(units, width), name=f"fc{dense}")(x)
        x = layers.LeakyReLU(name=f"block5_re_lu_{activation + dense}")(x)
        x = layers.Dropout(dropout, name=f"dropout_{dense}")(x)
    # Probabilities stay float32 where the rest computes in bfloat16.
    return inputs, layers.Dense(classes, activation="softmax", dtype="float32", name="predictions")(x)


def fc(layers, image_shape, classes, *, width=1.0, dropout=0.0):
    """The fully connected net of the original report: 20 plain hidden layers, about as many parameters as `cnn`.

    It has 38,211,079 parameters at width 1.0 on 48x48 images and 7 classes. So many plain layers learn only if their
    initial weights preserve the variance, see He et al. 2015 (arXiv:1502.01852), section 2.2. The original report
    doesn't name the activation. Here it is a leaky ReLU, as in that report's `cnn`: with it the plateau at the start of
    training is shorter than with a ReLU.

    Args:
        layers: `keras.layers`.
        image_shape: (height, width, 1); the model takes the pixels as one row, as in the original report.
        classes: number of classes.
        width: factor on the number of units of every hidden layer.
        dropout: share of the units that are dropped in training after each hidden layer; 0 adds no dropout layers.
    """
    x = inputs = layers.Input((math.prod(image_shape),), name="pixels")
    hidden = [2000] * 6 + [1000] * 12 + [512, 128]
    for dense, units in enumerate(hidden, start=1):
        x = layers.Dense(
            scaled(units, width), activation="leaky_relu", kernel_initializer="he_normal", name=f"dense_{dense}"
        )(x)
        if dropout > 0:
            x = layers.Dropout(dropout, name=f"dropout_{dense}")(x)
    x = layers.Dense(classes, dtype="float32", name=f"dense_{len(hidden) + 1}")(x)
    return inputs, layers.Activation("softmax", dtype="float32", name="activation_1")(x)


def scaled(size: int, width: float) -> int:
    """`size` times `width`, rounded, at least 1."""
    return max(1, round(size * width))


def architecture_names() -> list[str]:
    """The architectures of this module, in alphabetical order: every function whose first argument is `layers`."""
    return sorted(
        name
        for name, value in globals().items()
        if inspect.isfunction(value) and next(iter(inspect.signature(value).parameters), None) == "layers"
    )


def find_architecture(name: str):
    """The function of an architecture.

    Its name is looked up as text, so the code digest can't see which architecture a rule uses. The rules tell it, see
    `architecture_lookup` in rules/common.smk.
    """
    return globals()[name]


def width_of(settings: Mapping) -> float:
    """The width multiplier in an architecture's settings; an architecture without one counts as full width."""
    return settings.get("width", 1.0)


def settings_of(architecture: str) -> dict[str, object]:
    """The settings that an architecture takes, with their defaults."""
    parameters = inspect.signature(find_architecture(architecture)).parameters.values()
    settings = {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
    for name, default in settings.items():
        if default is inspect.Parameter.empty:
            raise InputError(f"the architecture {architecture} has a setting {name} without a default; give it one")
    return settings


def layer_names(architecture: str, image_shape: tuple[int, int, int], classes: int, settings: dict) -> dict[str, str]:
    """The named layers of an architecture, without its input: {name: kind}, found without importing Keras.

    The function is called with a stand-in for `keras.layers` that only notes each layer.

    Raises:
        InputError: the function uses layers in a way that the stand-in cannot follow, or refuses its arguments itself.
    """
    names = {}

    class StandIn:
        def Input(self, *arguments, **keywords):  # noqa: N802 - Keras' name
            return SimpleNamespace(shape=None)

        def __getattr__(self, kind):
            def layer(*arguments, name=None, **keywords):
                if name is not None:
                    names[name] = kind
                return lambda inputs: SimpleNamespace(shape=None)

            return layer

    try:
        find_architecture(architecture)(StandIn(), image_shape, classes, **settings)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"the architecture {architecture} could not be followed ({type(error).__name__}: {error}); build it of "
            "calls of `layers` alone, for instance layers.Add()([x, y]) for x + y"
        ) from None
    return names
