"""How fast filters are visualized: in batches in both precisions, one at a time, and by tf-keras-vis.

`python benchmarks/visualization.py` takes about five minutes. It ascends filters of block4_pool of a full-width cnn of
random weights (speed doesn't depend on them): as this program does, 64 at a time; one filter at a time, eagerly and
with a compiled step, as tutorials do; and with tf-keras-vis in batches of 64, where that is installed
(`pip install tf-keras-vis==0.8.7`). Then the memory that 64 and 512 filters take, and saliency maps of images together
and one by one.
"""

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

LAYER, BATCH = "block4_pool", 64


def build():
    """A full-width cnn with random weights."""
    from fercv.engine.setup import set_up
    from fercv.nets.models import build_model

    set_up("benchmark", seed=0, threads=os.cpu_count())
    return build_model("cnn", (48, 48, 1), 7, {})


def in_batches(model, filters, steps, precision="bfloat16"):
    """This program's way."""
    from fercv.nets.models import with_precision
    from fercv.visualize.filters import ascend_filters

    ascend_filters(
        with_precision(model, precision),
        LAYER,
        range(filters),
        image_shape=(48, 48),
        steps=steps,
        step_size=0.1,
        seed=0,
        batch_size=BATCH,
    )


def one_at_a_time(model, filters, steps, compiled):
    """A loop over filters, as https://keras.io/examples/vision/visualizing_what_convnets_learn/ has it."""
    import keras
    import tensorflow as tf

    part = keras.Model(model.input, model.get_layer(LAYER).output)

    def ascend(image, index):
        with tf.GradientTape() as tape:
            tape.watch(image)
            loss = tf.reduce_mean(part(image, training=False)[..., index])
        return image + 0.1 * tf.math.l2_normalize(tape.gradient(loss, image))

    step = tf.function(ascend) if compiled else ascend
    for index in range(filters):
        image = tf.random.normal((1, 48, 48, 1))
        for _ in range(steps):
            image = step(image, tf.constant(index))


def by_tf_keras_vis(model, filters, steps):
    """tf-keras-vis in a batch, all its regularizers and modifiers off: gradient and step alone."""
    import keras
    import tensorflow as tf
    from tf_keras_vis.activation_maximization import ActivationMaximization
    from tf_keras_vis.utils.scores import CategoricalScore

    part = keras.Model(model.input, model.get_layer(LAYER).output)
    for start in range(0, filters, BATCH):
        ActivationMaximization(part, clone=False)(
            CategoricalScore(list(range(start, start + BATCH))),
            seed_input=tf.random.uniform((BATCH, 48, 48, 1), 0, 255),
            steps=steps, input_modifiers=None, regularizers=None, optimizer=keras.optimizers.RMSprop(1.0, 0.95),
        )  # fmt: skip


def compare_ways(repeats):
    """Print a table of milliseconds per filter and step, and the ratios to this program's."""
    model = build()
    # (filters, steps) of a measurement, so that each takes some seconds.
    ways = {
        "this program, bfloat16": (in_batches, BATCH, 20),
        "this program, float32": (lambda *given: in_batches(*given, precision="float32"), BATCH, 20),
        "one at a time, eager": (lambda *given: one_at_a_time(*given, compiled=False), 2, 20),
        "one at a time, compiled": (lambda *given: one_at_a_time(*given, compiled=True), 4, 20),
    }
    try:
        import tf_keras_vis  # noqa: F401

        ways["64 at a time, tf-keras-vis"] = (by_tf_keras_vis, BATCH, 10)
    except ImportError:
        print("tf-keras-vis is not installed and left out")
    cost = {}
    for round_number in range(repeats + 1):
        for name, (way, filters, steps) in ways.items():
            # One step beside many, to take what happens once (tracing, reading back) out of the difference.
            seconds = []
            for number in (1, 1 + steps):
                began = time.perf_counter()
                way(model, filters, number)
                seconds.append(time.perf_counter() - began)
            if round_number > 0:
                cost.setdefault(name, []).append(1000 * (seconds[1] - seconds[0]) / (filters * steps))
    print(f"{'filters of block4_pool':<28} ms per filter and step: median (fastest to slowest)   times this program's")
    ours = next(iter(cost.values()))
    for name, values in cost.items():
        ratios = sorted(a / b for a, b in zip(values, ours, strict=True))
        print(
            f"{name:<28} {statistics.median(values):>8.2f} ({min(values):.2f} to {max(values):.2f}) "
            f"{statistics.median(ratios):>20.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


def compare_saliency(repeats):
    """Print what saliency maps of 64 images take together and one by one."""
    from fercv.visualize.saliency import Settings, explain, saliency_maps

    explained = explain(build())
    images = np.random.default_rng(0).standard_normal((BATCH, 48, 48, 1), dtype=np.float32)
    classes = np.arange(BATCH) % 7
    seconds = {BATCH: [], 1: []}
    for round_number in range(repeats + 1):
        for batch_size, values in seconds.items():
            began = time.perf_counter()
            saliency_maps("gradient", explained, images, classes, Settings(batch_size))
            if round_number > 0:
                values.append(time.perf_counter() - began)
    ratios = sorted(a / b for a, b in zip(seconds[1], seconds[BATCH], strict=True))
    print(
        f"saliency of {BATCH} images, one by one / in one pass: median {statistics.median(ratios):.1f}, "
        f"{ratios[0]:.1f} to {ratios[-1]:.1f}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory:
        in_batches(build(), arguments.memory, 2)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {arguments.repeats} rounds"
    )
    compare_ways(arguments.repeats)
    compare_saliency(arguments.repeats)
    for filters in (BATCH, 512):
        command = [sys.executable, __file__, "--memory", str(filters)]
        peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        print(f"peak memory of ascending {filters} filters: {float(peak):.0f} MiB")


if __name__ == "__main__":
    main()
