"""How fast a fold trains: against stock Keras, PyTorch and the hardware's peak; input, idle time, memory, jobs at once.

`python benchmarks/training.py` compares, round after round, one process after the other, on random images: `model.fit`
as a Keras user would write it, this program's training in float32 and bfloat16, with the same optimizer (Adam) and with
that of config.yaml, PyTorch with what its users tune (channels last, bfloat16 autocast, a fused Adam; eager and
compiled) where it is installed (`pip install torch`), and the matrix product. `--batch-sizes 64 128 256` compares with
each of these, `--precisions bfloat16` in one precision. `--backends tensorflow jax torch` compares this program on
these backends of Keras with each other and with PyTorch.
`--jobs` compares one job of all threads with 2, 4, ... that share them, or a GPU; `--widths 0.125 0.25` this program in
both precisions on narrow nets; `--memory` what a fold job holds.
Each takes some minutes. What is compared takes a GPU where it sees one.
"""

import argparse
import json
import multiprocessing
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
IMAGES = {"cnn": 1024, "fc": 10240}
# The optimizer of stock Keras and PyTorch below, so that all do the same work.
ADAM = {"optimizer": "adam", "learning_rate": 5e-4, "weight_decay": 0}


def definition(model, **changes):
    """A model's complete definition in config.yaml, at full width."""
    import yaml

    from fercv.workflow.settings import complete_config

    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
    full = complete_config(config | {"scale": "full", "experiment": "x", "data": config["data"] | {"source": "x"}}, [])
    return full["definitions"][model] | changes


def random_images(count):
    """Images, uint8 (count, 48, 48), and labels."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, 48, 48), np.uint8), rng.integers(0, 7, count)


def stock(model, threads, precision, size, count):
    """Keras as its users write it: arrays, compile, fit; a first short fit traces the step.

    `fit` often idles at its end, when TensorFlow's input iterator is destroyed: until 10 ms, 20, 40, ... have passed
    since its start, so anything from none to as long again. The steps are therefore told by themselves as well.
    """
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    from fercv.nets import architectures

    ends = []

    class NoteEnds(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            ends.append(time.perf_counter())

    images, labels = random_images(count)
    network = keras.Model(*architectures.find_architecture(model)(keras.layers, (48, 48, 1), 7))
    images = (images / 255).astype(np.float32).reshape(len(images), *network.input_shape[1:])
    network.compile(keras.optimizers.Adam(5e-4), "sparse_categorical_crossentropy", metrics=["accuracy"])
    options = {"batch_size": size, "verbose": 0}
    network.fit(images[: 2 * size], labels[: 2 * size], **options)
    began = time.perf_counter()
    network.fit(images, labels, callbacks=[NoteEnds()], **options)
    ended = time.perf_counter()
    return {"images_per_second": count / (ended - began), "steps_alone": count / (ends[-1] - began)}


def ours(model, threads, precision, size, count, width=1.0, optimizer=ADAM):
    """A fold job from its first batch to its outputs, checkpoints included; the first epoch traces and doesn't count.

    `optimizer` has the settings of the definition in which it differs from config.yaml.
    Idle is what is left of that time without training steps, prediction and saving: waiting for input, for instance.
    """
    import pandas as pd

    import train_fold
    from fercv.data.preprocessing import model_inputs
    from fercv.engine.backend import keras
    from fercv.engine.setup import set_up
    from fercv.train import checkpoint, loop

    asked = definition(model, epochs=3, precision=precision, batch_size=size, **optimizer)
    asked["settings"] = asked["settings"] | {"width": width}
    engine = set_up("benchmark", 1, threads=threads, precision=precision)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        # One fold of twenty is not trained on.
        write_fold_files(count * 20 // 19 + 20, folder)
        images = np.load(folder / "images.npy", mmap_mode="r")
        rng, times = np.random.default_rng(0), []
        for _ in range(50):
            drawn, began = rng.integers(0, len(images), size), time.perf_counter()
            model_inputs(loop.augment(images[drawn], asked["augmentation"], rng), (48, 48, 1))
            times.append(time.perf_counter() - began)
        per_image = statistics.median(times) / size

        seconds = {"steps": 0.0, "prediction": 0.0, "saving": 0.0}
        add_time(keras.Model, "train_on_batch", seconds, "steps")
        add_time(loop, "predict", seconds, "prediction")
        add_time(train_fold, "predict", seconds, "prediction")
        add_time(train_fold, "save_model", seconds, "saving")
        add_time(checkpoint.Checkpoints, "save", seconds, "saving")
        starts, augment = [], loop.augment

        def first_augment(*arguments):
            starts.append(time.perf_counter())
            return augment(*arguments)

        loop.augment = first_augment
        fold_job(folder, asked, engine, share=0.05)
        wall = time.perf_counter() - starts[0]
        rate = statistics.median(pd.read_csv(folder / "timing")["images_per_second"][1:])
    return {
        "images_per_second": rate,
        "idle": 1 - sum(seconds.values()) / wall,
        "input_share": per_image * rate,
        "input_per_second": 1 / per_image,
    }


def default_recipe(model, threads, precision, size, count):
    """The same with the optimizer of config.yaml, which is Muon for the cnn."""
    return ours(model, threads, precision, size, count, optimizer={})


def add_time(owner, name, seconds, key):
    """Have each call of a function or method add the seconds that it takes to `seconds[key]`."""
    function = getattr(owner, name)

    def timed(*arguments, **keywords):
        began = time.perf_counter()
        try:
            return function(*arguments, **keywords)
        finally:
            seconds[key] += time.perf_counter() - began

    setattr(owner, name, timed)


def pytorch(model, threads, precision, size, count, compiled=False):
    """The same net in PyTorch, as tuned as its users do it; the first two steps warm up and don't count."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    device, channels, modules = "cuda" if torch.cuda.is_available() else "cpu", 1, []
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
    network = network.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), 5e-4, fused=True)
    forward = torch.compile(network) if compiled else network
    images, labels = random_images(count // size * size)
    images = torch.from_numpy((images / 255).astype(np.float32))[:, None]
    labels = torch.from_numpy(labels)
    seconds = []
    for step in range(len(images) // size + 2):
        rows = torch.arange(step * size, (step + 1) * size) % len(images)
        began = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            outputs = forward(images[rows].to(device).contiguous(memory_format=torch.channels_last))
        loss = nn.functional.cross_entropy(outputs.float(), labels[rows].to(device))
        loss.backward()
        optimizer.step()
        loss.item()
        seconds.append(time.perf_counter() - began)
    return {"images_per_second": len(images) / sum(seconds[2:])}


def compiled_pytorch(model, threads, precision, size, count):
    """The same by `torch.compile`."""
    return pytorch(model, threads, precision, size, count, compiled=True)


def peak(model, threads, precision, size, count):
    """The images/s of a step at the speed of the backend's product of square matrices, the best of three sizes."""
    from fercv.engine.backend import keras
    from fercv.engine.setup import set_up

    set_up("benchmark", 1, threads=threads)
    flops = 0
    for side in (1024, 2048, 4096):
        matrix = keras.ops.cast(keras.random.normal((side, side)), precision)
        for _ in range(6):  # the first product compiles, and so it never is the fastest one
            began = time.perf_counter()
            keras.ops.convert_to_numpy(keras.ops.cast(keras.ops.matmul(matrix, matrix)[0, 0], "float32"))
            flops = max(flops, 2 * side**3 / (time.perf_counter() - began))
    return {"images_per_second": flops / 1e9 / GFLOP[model]}


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
    samples |= {"source": [f"row {number}" for number in numbers], "excluded": ""}
    pd.DataFrame(samples).to_csv(folder / "samples.csv", index=False)
    pd.DataFrame({"index": numbers, "fold": numbers % 20, "group": numbers}).to_csv(folder / "folds.csv", index=False)


def fold_job(folder, asked, engine, share):
    """Train as a fold job does, from its input files to its outputs, which lie in the same folder."""
    import train_fold
    from fercv.train.checkpoint import Checkpoints
    from fercv.train.job import read_task
    from fercv.train.loop import train

    snakemake = SimpleNamespace(
        config={"directory": folder, "experiment": "benchmark", "folds": {"number": 20}},
        params=SimpleNamespace(definition=asked, classes=[f"class {n}" for n in range(7)]),
        wildcards=SimpleNamespace(fold="00", model="model"),
        input=SimpleNamespace(**{path.stem: path for path in folder.iterdir()}),
        output=SimpleNamespace(
            model=folder / "model.keras", history=folder / "history", predictions=folder / "predictions",
            metrics=folder / "metrics", timing=folder / "timing",
        ),
    )  # fmt: skip
    task = read_task(snakemake, "00", 1, "model", Checkpoints(folder / "checkpoint", {}, share, "model"))
    train_fold.write_fold(snakemake.output, snakemake.params.classes, train(task), task, engine)


def private_memory(model, threads, precision, size, count):
    """A small net's fold job of one epoch, whose memory the caller watches."""
    from fercv.engine.setup import set_up

    engine = set_up("benchmark", 1)
    with tempfile.TemporaryDirectory() as place:
        # In a process of its own, whose memory is not this one's.
        writing = multiprocessing.get_context("spawn").Process(target=write_fold_files, args=(count, Path(place)))
        writing.start()
        writing.join()
        fold_job(Path(place), definition("fc", epochs=1, settings={"width": 0.05, "dropout": 0.0}), engine, share=0)
    return {}


def child(way, model, threads, precision, size, count, backend="tensorflow", **options):
    """Start this program for one measurement: a function of this module with its arguments, on a backend of Keras."""
    given = {"model": model, "threads": threads, "precision": precision, "size": size, "count": count} | options
    command = [sys.executable, __file__, "--run", way, json.dumps(given)]
    environment = os.environ | {"KERAS_BACKEND": backend}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)


def result(process):
    """What a child printed last; None where it failed."""
    said = process.communicate()[0]
    return json.loads(said.splitlines()[-1]) if process.returncode == 0 else None


def spread(values, digits=1):
    """Median (smallest to largest)."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def compare(model, repeats, precisions, size):
    """Print images/s of each way, and how it compares."""
    threads, rows = os.cpu_count(), {}
    kinds = ("ours", "default_recipe", "pytorch", "compiled_pytorch")
    ways = [(kind, precision) for kind in kinds for precision in precisions] + [("peak", "bfloat16")]
    if "float32" in precisions:
        ways.insert(0, ("stock", "float32"))
    for number in range(repeats):
        # From n to 2n images: how long stock Keras idles at its end depends on where the number lies in between.
        count = int(IMAGES[model] * 2 ** (number / repeats))
        for way, precision in ways:
            measured = result(child(way, model, threads, precision, size, count))
            if measured is not None:
                rows.setdefault((way, precision), []).append(measured)
    print(f"\n{model}, batch size {size}, {threads} threads: images/s, median (slowest to fastest of {repeats})")
    own = [("ours", precision) for precision in precisions]
    if any(len(measured) < repeats for measured in rows.values()) or not set(own) <= set(rows):
        sys.exit(f"a measurement failed: {' '.join(f'{way}: {len(measured)}' for way, measured in rows.items())}")
    rates = {way: [row["images_per_second"] for row in measured] for way, measured in rows.items()}
    for way, values in rates.items():
        memory = max(row["peak"] for row in rows[way])
        print(f"{' '.join(way):<25} {spread(values):<26} peak memory {memory:.2f} GiB")
    for way in own:
        for other in ways:
            if other in rates and other[0] != "ours":
                if other[0] == "stock":
                    alone = [row["steps_alone"] for row in rows[other]]
                    ratios = [a / b for a, b in zip(rates[way], alone, strict=True)]
                    print(f"{' '.join(way)} / {' '.join(other)} without its tail: {spread(ratios, 2)}")
                ratios = [a / b for a, b in zip(rates[way], rates[other], strict=True)]
                print(f"{' '.join(way)} / {' '.join(other)}: {spread(ratios, 2)}")
        print(
            f"{' '.join(way)}: idle {max(100 * row['idle'] for row in rows[way]):.2f} % at most, input "
            f"{max(100 * row['input_share'] for row in rows[way]):.2f} % of a step at most, "
            f"{statistics.median(row['input_per_second'] for row in rows[way]):.0f} images/s alone"
        )


def compare_backends(model, repeats, backends, precisions, size):
    """Print images/s of this program on several backends of Keras, of PyTorch without Keras, and of matrix products."""
    ways = [("ours", backend) for backend in backends] + [("pytorch", "alone"), ("compiled_pytorch", "alone")]
    ways += [("peak", backend) for backend in backends]
    print(f"\n{model}, batch size {size}, {os.cpu_count()} threads: images/s, and compared with {backends[0]}")
    for precision in precisions:
        rates = {way: [] for way in ways}
        for _ in range(repeats):
            for (way, backend), values in rates.items():
                known = {} if backend == "alone" else {"backend": backend}
                measured = result(child(way, model, os.cpu_count(), precision, size, IMAGES[model], **known))
                values.append(measured and measured["images_per_second"])
        for way, values in rates.items():
            if None in values:
                print(f"{precision} {' '.join(way)}: failed, or not installed")
            else:
                ratios = [a / b for a, b in zip(values, rates[ways[0]], strict=True) if b is not None]
                print(f"{precision} {' '.join(way)}: {spread(values)}, {spread(ratios, 2) if ratios else ''}")


def compare_jobs(model, repeats, precision, size):
    """Print images/s of the whole machine by the number of jobs that share its cores, or its GPU."""
    cores, rates = os.cpu_count(), {}
    numbers = [2**power for power in range(cores.bit_length()) if 2**power <= cores]
    for _ in range(repeats):
        for jobs in numbers:
            each = [child("ours", model, cores // jobs, precision, size, IMAGES[model]) for _ in range(jobs)]
            rates.setdefault(jobs, []).append(sum(result(process)["images_per_second"] for process in each))
    print(f"\n{model} in {precision}, batch size {size}: images/s together, and compared with one job")
    for jobs, values in rates.items():
        ratios = [a / b for a, b in zip(values, rates[1], strict=True)]
        print(f"{jobs} jobs x {cores // jobs} threads: {spread(values)}, {spread(ratios, 2)}")


def compare_widths(model, repeats, widths, size):
    """Print how bfloat16 compares with float32 in nets of several widths."""
    print(f"\n{model}, batch size {size}: images/s in bfloat16, in float32, and compared")
    for width in widths:
        rates = {"bfloat16": [], "float32": []}
        for _ in range(repeats):
            for precision, values in rates.items():
                count = int(IMAGES[model] / width)
                measured = result(child("ours", model, os.cpu_count(), precision, size, count, width=width))
                values.append(measured["images_per_second"])
        ratios = [a / b for a, b in zip(*rates.values(), strict=True)]
        print(f"width {width}: {spread(rates['bfloat16'])}, {spread(rates['float32'])}, {spread(ratios, 2)}")


def compare_memory():
    """Print by how much the private memory of a fold job grows with the number of images."""
    largest = {}
    for images in (28_709, 287_090):
        process, largest[images] = child("private_memory", "fc", 1, "float32", 256, images), 0
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
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"], choices=["float32", "bfloat16"])
    parser.add_argument("--batch-sizes", nargs="+", type=int, help="config.yaml's where it is left out")
    parser.add_argument("--widths", nargs="+", type=float)
    parser.add_argument("--backends", nargs="+", choices=["tensorflow", "jax", "torch"])
    parser.add_argument("--jobs", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        way, given = arguments.run
        measured = globals()[way](**json.loads(given))
        measured["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps(measured))
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    if arguments.memory:
        compare_memory()
        return
    for model in arguments.models:
        for size in arguments.batch_sizes or [definition(model)["batch_size"]]:
            if arguments.backends:
                compare_backends(model, arguments.repeats, arguments.backends, arguments.precisions, size)
            elif arguments.jobs:
                compare_jobs(model, arguments.repeats, arguments.precisions[-1], size)
            elif arguments.widths:
                compare_widths(model, arguments.repeats, arguments.widths, size)
            else:
                compare(model, arguments.repeats, arguments.precisions, size)


if __name__ == "__main__":
    main()
