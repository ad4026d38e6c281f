"""How fast a fold trains: against stock Keras, PyTorch and the processor's peak; input, idle time, memory, threads.

`python benchmarks/training.py` compares, round after round, one process after the other, on random images: `model.fit`
as a Keras user would write it, this program's training in float32 and bfloat16, PyTorch with what its users tune
(channels last, bfloat16 autocast, a fused Adam) where it is installed (`pip install torch`), and the matrix product.
`--threads` compares one job of all threads with as many jobs as threads instead, `--memory` what a fold job holds.
Each takes some minutes.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY / "scripts"))
# GFLOP of a training step of one image: three times a pass through the full-width cnn, twice its multiply-adds.
GFLOP = {"cnn": 4.23, "fc": 6 * 38.2e6 / 1e9}
BATCHES = {"cnn": 8, "fc": 40}


def definition(model, **changes):
    """A model's complete definition in config.yaml, at full width."""
    import yaml

    from fercv.settings import complete_config

    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
    full = complete_config(config | {"scale": "full", "experiment": "x", "data": config["data"] | {"source": "x"}}, [])
    return full["definitions"][model] | changes


def random_images(count):
    """Images, uint8 (count, 48, 48), and labels."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, 48, 48), np.uint8), rng.integers(0, 7, count)


def stock(model, threads):
    """Keras as its users write it: arrays, compile, fit; a first short fit traces the step."""
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    from fercv import architectures

    asked = definition(model)
    images, labels = random_images(asked["batch_size"] * BATCHES[model])
    network = keras.Model(*architectures.find_architecture(model)(keras.layers, (48, 48, 1), 7))
    images = (images / 255).astype(np.float32).reshape(len(images), *network.input_shape[1:])
    network.compile(keras.optimizers.Adam(5e-4), "sparse_categorical_crossentropy", metrics=["accuracy"])
    options = {"batch_size": asked["batch_size"], "verbose": 0}
    network.fit(images[: 2 * asked["batch_size"]], labels[: 2 * asked["batch_size"]], **options)
    began = time.perf_counter()
    network.fit(images, labels, **options)
    return {"images_per_second": len(images) / (time.perf_counter() - began)}


def ours(model, threads, precision):
    """This program's training, augmentation and checkpoints included; the first epoch traces and doesn't count."""
    from fercv import backend, training
    from fercv.checkpoint import Checkpoints
    from fercv.preprocessing import model_inputs

    asked = definition(model, epochs=3, precision=precision)
    size = asked["batch_size"]
    backend.configure(threads, 1, precision)
    images, labels = random_images(size * (BATCHES[model] + 1))
    rows = np.arange(len(images))
    noted = {"saving": 0.0}
    augment = training.augment

    def first_augment(*arguments):
        noted.setdefault("first batch", time.perf_counter())
        return augment(*arguments)

    class Timed(Checkpoints):
        def save(self, *arguments, **keywords):
            began = time.perf_counter()
            super().save(*arguments, **keywords)
            noted["end"] = time.perf_counter()
            noted["saving"] += noted["end"] - began

    training.augment = first_augment
    with tempfile.TemporaryDirectory() as place:
        saving = Timed(Path(place, "checkpoint"), {}, 0.05, model)
        trained = training.train(
            asked, images, labels, rows[size:], rows[:size], 7, seed=1, name=model, checkpoints=saving
        )
    told = sum(row["seconds"] + row["validation_seconds"] for row in trained.timing)
    wall = noted["end"] - noted["first batch"]
    rng, began = np.random.default_rng(0), time.perf_counter()
    for step in range(10):
        model_inputs(augment(images[step * size : (step + 1) * size], asked["augmentation"], rng), (48, 48, 1))
    per_image = (time.perf_counter() - began) / (10 * size)
    rate = statistics.median(row["images_per_second"] for row in trained.timing[1:])
    return {
        "images_per_second": rate,
        "idle": (wall - told - noted["saving"]) / wall,
        "input_share": per_image * rate,
        "input_per_second": 1 / per_image,
    }


def pytorch(model, threads, precision):
    """The same net in PyTorch, eager, as tuned as its users do it."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    size, channels, modules = definition(model)["batch_size"], 1, []
    if model == "cnn":
        for convolutions, filters in [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]:
            for _ in range(convolutions):
                modules += [nn.Conv2d(channels, filters, 3, padding=1), nn.LeakyReLU(0.3), nn.BatchNorm2d(filters)]
                channels = filters
            modules.append(nn.MaxPool2d(2))
        hidden, channels, extra = [4096, 4096, 1000], 512, [nn.Dropout(0.5)]
    else:
        hidden, channels, extra = [2000] * 6 + [1000] * 12 + [512, 128], 48 * 48, []
    modules.append(nn.Flatten())
    for units in hidden:
        modules += [nn.Linear(channels, units), nn.LeakyReLU(0.2), *extra]
        channels = units
    network = nn.Sequential(*modules, nn.Linear(channels, 7))
    network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), 5e-4, fused=True)
    images, labels = random_images(size * BATCHES[model])
    images = torch.from_numpy((images / 255).astype(np.float32))[:, None]
    labels = torch.from_numpy(labels)
    seconds = []
    for step in range(BATCHES[model] + 2):
        rows = torch.arange(step * size, (step + 1) * size) % len(images)
        began = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            outputs = network(images[rows].contiguous(memory_format=torch.channels_last))
        loss = nn.functional.cross_entropy(outputs.float(), labels[rows])
        loss.backward()
        optimizer.step()
        loss.item()
        seconds.append(time.perf_counter() - began)
    return {"images_per_second": size * BATCHES[model] / sum(seconds[2:])}


def peak(model, threads, precision):
    """The images/s that a step would come to at the speed of TensorFlow's product of 4096 x 4096 matrices."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    matrix = tf.cast(tf.random.normal((4096, 4096)), precision)
    product, seconds = tf.function(tf.matmul), []
    for _ in range(10):
        began = time.perf_counter()
        product(matrix, matrix).numpy()
        seconds.append(time.perf_counter() - began)
    return {"images_per_second": 2 * 4096**3 / min(seconds) / 1e9 / GFLOP[model]}


def write_fold_files(images, folder):
    """Write the inputs of a fold job with that many images."""
    import pandas as pd

    rng = np.random.default_rng(0)
    pixels = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (images, 48, 48))
    for start in range(0, images, 10_000):
        pixels[start : start + 10_000] = rng.integers(0, 256, (len(pixels[start : start + 10_000]), 48, 48), np.uint8)
    pixels.flush()
    del pixels
    numbers = np.arange(images)
    samples = {"index": numbers, "label": numbers % 7, "usage": "Training", "duplicate_group": numbers}
    samples["source"] = [f"row {number}" for number in numbers]
    pd.DataFrame(samples).to_csv(folder / "samples.csv", index=False)
    pd.DataFrame({"index": numbers, "fold": numbers % 20}).to_csv(folder / "folds.csv", index=False)


def fold_job(folder):
    """Train a small net as a fold job does, from its input files to its outputs, for one epoch."""
    import train_fold
    from fercv import backend
    from fercv.checkpoint import Checkpoints

    backend.configure(1, 1)
    changes = {"epochs": 1, "settings": {"width": 0.05, "dropout": 0.0}}
    snakemake = SimpleNamespace(
        params=SimpleNamespace(definition=definition("fc", **changes), classes=[f"class {n}" for n in range(7)]),
        wildcards=SimpleNamespace(fold="00", model="fc"),
        input=SimpleNamespace(**{path.stem: path for path in folder.iterdir()}),
        output=SimpleNamespace(
            model=folder / "model.keras", history=folder / "history", predictions=folder / "predictions",
            metrics=folder / "metrics", timing=folder / "timing",
        ),
        threads=1,
    )  # fmt: skip
    train_fold.train_and_write(snakemake, Checkpoints(folder / "checkpoint", {}, 0, "fc"), 1, "fc", {})


def child(*arguments):
    """Start this program for one measurement."""
    command = [sys.executable, __file__, "--run", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def result(process):
    """What a child printed last; None where it failed."""
    said = process.communicate()[0]
    return json.loads(said.splitlines()[-1]) if process.returncode == 0 else None


def spread(values, digits=1):
    """Median (smallest to largest)."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def compare(model, repeats):
    """Print images/s of each way, and how it compares."""
    threads, rows = os.cpu_count(), {}
    ways = [
        ("stock", "float32"), ("ours", "float32"), ("ours", "bfloat16"), ("pytorch", "float32"),
        ("pytorch", "bfloat16"), ("peak", "bfloat16"),
    ]  # fmt: skip
    for _ in range(repeats):
        for way in ways:
            measured = result(child(*way, model, threads))
            if measured is not None:
                rows.setdefault(way, []).append(measured)
    print(f"\n{model}, {threads} threads: images/s, median (slowest to fastest of {repeats})")
    if any(len(measured) < repeats for measured in rows.values()) or ("ours", "bfloat16") not in rows:
        sys.exit(f"a measurement failed: {' '.join(f'{way}: {len(measured)}' for way, measured in rows.items())}")
    rates = {way: [row["images_per_second"] for row in measured] for way, measured in rows.items()}
    for way, values in rates.items():
        memory = max(row["peak"] for row in rows[way])
        print(f"{' '.join(way):<18} {spread(values):<26} peak memory {memory:.2f} GiB")
    for way in [("ours", "float32"), ("ours", "bfloat16")]:
        for other in [("stock", "float32"), ("pytorch", "float32"), ("pytorch", "bfloat16"), ("peak", "bfloat16")]:
            if other in rates:
                ratios = [a / b for a, b in zip(rates[way], rates[other], strict=True)]
                print(f"{' '.join(way)} / {' '.join(other)}: {spread(ratios, 2)}")
        print(
            f"{' '.join(way)}: idle {max(100 * row['idle'] for row in rows[way]):.2f} % at most, input "
            f"{max(100 * row['input_share'] for row in rows[way]):.2f} % of a step at most, "
            f"{statistics.median(row['input_per_second'] for row in rows[way]):.0f} images/s alone"
        )


def compare_threads(model, repeats):
    """Print images/s of the whole machine: one job of all threads, and a job for each thread."""
    cores, ratios = os.cpu_count(), []
    for _ in range(repeats):
        together = result(child("ours", "bfloat16", model, cores))["images_per_second"]
        each = [result(process) for process in [child("ours", "bfloat16", model, 1) for _ in range(cores)]]
        ratios.append(sum(row["images_per_second"] for row in each) / together)
    print(f"{model}: {cores} jobs x 1 thread / 1 job x {cores} threads: {spread(ratios, 2)}")


def compare_memory():
    """Print by how much the private memory of a fold job grows with the number of images."""
    largest = {}
    for images in (28_709, 287_090):
        with tempfile.TemporaryDirectory() as place:
            write_fold_files(images, Path(place))
            process, largest[images] = child("fold_job", place, "fc", 1), 0
            while process.poll() is None:
                # What the process has for itself: pages of the mapped images are the system's, and shared.
                status = Path("/proc", str(process.pid), "status").read_text(encoding="utf-8")
                held = status.partition("RssAnon:")[2].split()
                largest[images] = max(largest[images], 1024 * int(held[0]) if held else 0)
                time.sleep(0.05)
            if result(process) is None:
                sys.exit("the fold job failed")
        print(f"{images} images: private memory at most {largest[images] / 2**20:.0f} MiB")
    few, many = largest
    print(f"bytes an image more: {(largest[many] - largest[few]) / (many - few):.0f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--models", nargs="+", default=["cnn", "fc"], choices=["cnn", "fc"])
    parser.add_argument("--threads", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--run", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        way, precision, model, threads = arguments.run
        if way == "fold_job":
            fold_job(Path(precision))
            measured = {}
        elif way == "stock":
            measured = stock(model, int(threads))
        else:
            measured = globals()[way](model, int(threads), precision)
        measured["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps(measured))
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    if arguments.memory:
        compare_memory()
    for model in [] if arguments.memory else arguments.models:
        (compare_threads if arguments.threads else compare)(model, arguments.repeats)


if __name__ == "__main__":
    main()
