"""Whether bfloat16 costs accuracy: the same folds in both precisions, against the spread between seeds.

`python benchmarks/precision.py results/fer2013-cpu/data` trains a cnn of a quarter of the width on the folds of
prepared data, in float32 and in bfloat16, each from several seeds, one single-threaded run for each core at a time;
`--model fc` such an fc. With all 28,709 training images of FER2013 and 2 cores the cnn takes more than an hour;
`--images 6000` takes as many at random. Hardware without bfloat16 computes the same, and slower.
"""

import argparse
import itertools
import os
import platform
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from training import definition

# What differs from config.yaml for models of a quarter of the width.
CHANGES = {
    "cnn": {"settings": {"width": 0.25, "dropout": 0.2, "batch_normalization": True}, "learning_rate": 0.001},
    "fc": {"settings": {"width": 0.25, "dropout": 0.0}, "learning_rate": 0.0005},
}


def accuracy(model: str, data: Path, fold: int, seed: int, precision: str, epochs: int, count: int | None) -> float:
    """Validation accuracy of a model after its last epoch of training, on all or `count` of the training rows."""
    import pandas as pd

    from fercv.engine.setup import set_up
    from fercv.train.loop import Task, train

    asked = definition(model, epochs=epochs, **CHANGES[model])
    images = np.load(data / "images.npy", mmap_mode="r")
    labels = pd.read_csv(data / "samples.csv", usecols=["label"])["label"].to_numpy()
    folds = pd.read_csv(data / "folds.csv")
    inside = folds["fold"] == fold
    training, validation = folds.loc[~inside, "index"].to_numpy(), folds.loc[inside, "index"].to_numpy()
    training = np.random.default_rng(fold).permutation(training)[:count]
    set_up("benchmark", seed, precision=precision)
    return train(Task(model, asked, seed, images, labels, 7, training, validation)).history[-1]["val_accuracy"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with images.npy, samples.csv and folds.csv")
    parser.add_argument("--model", default="cnn", choices=sorted(CHANGES))
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--images", type=int, help="training images of each run; all where it is left out")
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        fold, seed, precision = arguments.run
        where = (arguments.model, arguments.data, int(fold), int(seed))
        print(accuracy(*where, precision, arguments.epochs, arguments.images))
        return

    def run(seed, fold, precision):
        command = [sys.executable, __file__, str(arguments.data), "--model", arguments.model]
        command += ["--epochs", str(arguments.epochs)]
        command += ["--images", str(arguments.images)] if arguments.images else []
        command += ["--run", str(fold), str(seed), precision]
        said = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(f"fold {fold}, seed {seed}, {precision}: accuracy {said:.4f}", flush=True)
        return said

    folds, seeds, precisions = range(arguments.folds), range(1, arguments.seeds + 1), ("float32", "bfloat16")
    runs = list(itertools.product(seeds, folds, precisions))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = dict(zip(runs, pool.map(run, *zip(*runs, strict=True)), strict=True))
    pairs = list(itertools.product(seeds, folds))
    differences = [found[*pair, "bfloat16"] - found[*pair, "float32"] for pair in pairs]
    spreads = [
        statistics.stdev(found[seed, fold, precision] for seed in seeds) for fold in folds for precision in precisions
    ]
    print(f"{platform.machine()}, {os.cpu_count()} cores, {arguments.epochs} epochs")
    print(
        f"bfloat16 - float32, same fold and seed: mean {statistics.mean(differences):+.4f}, from "
        f"{min(differences):+.4f} to {max(differences):+.4f}; standard error of the mean "
        f"{statistics.stdev(differences) / len(differences) ** 0.5:.4f}"
    )
    print(f"standard deviation between seeds, same fold and precision: {statistics.mean(spreads):.4f}")


if __name__ == "__main__":
    main()
