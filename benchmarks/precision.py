"""Whether bfloat16 costs accuracy: the same folds in both precisions, against the spread between seeds.

`python benchmarks/precision.py results/fer2013-cpu/data` trains a cnn of a quarter of the width on the folds of
prepared data, in float32 and in bfloat16, each from several seeds. With all 28,709 training images of FER2013 and 2
cores this takes about an hour; `--images 6000` takes as many at random. Hardware without bfloat16 computes the same,
and slower.
"""

import argparse
import itertools
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).parents[1]


def accuracy(data: Path, fold: int, seed: int, precision: str, epochs: int, count: int | None) -> float:
    """Validation accuracy of one training run after its last epoch, on all or `count` of the training rows."""
    sys.path.insert(0, str(REPOSITORY / "scripts"))
    import pandas as pd
    import yaml

    from fercv import backend
    from fercv.settings import complete_config
    from fercv.training import train

    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
    full = complete_config(config | {"scale": "full", "experiment": "x", "data": config["data"] | {"source": "x"}}, [])
    changes = {"settings": {"width": 0.25, "dropout": 0.2, "batch_normalization": True}, "epochs": epochs}
    definition = full["definitions"]["cnn"] | changes | {"learning_rate": 0.001}
    images = np.load(data / "images.npy", mmap_mode="r")
    labels = pd.read_csv(data / "samples.csv", usecols=["label"])["label"].to_numpy()
    folds = pd.read_csv(data / "folds.csv")
    inside = folds["fold"] == fold
    training, validation = folds.loc[~inside, "index"].to_numpy(), folds.loc[inside, "index"].to_numpy()
    training = np.random.default_rng(fold).permutation(training)[:count]
    backend.configure(os.cpu_count(), seed, precision)
    return train(definition, images, labels, training, validation, 7, seed).history[-1]["val_accuracy"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with images.npy, samples.csv and folds.csv")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--images", type=int, help="training images of each run; all where it is left out")
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        fold, seed, precision = arguments.run
        print(accuracy(arguments.data, int(fold), int(seed), precision, arguments.epochs, arguments.images))
        return
    found = {}
    for fold, seed, precision in itertools.product(
        range(arguments.folds), range(1, arguments.seeds + 1), ("float32", "bfloat16")
    ):
        command = [sys.executable, __file__, str(arguments.data), "--epochs", str(arguments.epochs)]
        command += ["--images", str(arguments.images)] if arguments.images else []
        command += ["--run", str(fold), str(seed), precision]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[fold, seed, precision] = float(said)
        print(f"fold {fold}, seed {seed}, {precision}: accuracy {float(said):.4f}", flush=True)
    pairs = sorted({key[:2] for key in found})
    differences = [found[*pair, "bfloat16"] - found[*pair, "float32"] for pair in pairs]
    spreads = [
        statistics.stdev(found[fold, seed, precision] for seed in range(1, arguments.seeds + 1))
        for fold in range(arguments.folds)
        for precision in ("float32", "bfloat16")
    ]
    print(f"{platform.machine()}, {os.cpu_count()} cores, {arguments.epochs} epochs")
    print(
        f"bfloat16 - float32, same fold and seed: mean {statistics.mean(differences):+.4f}, from "
        f"{min(differences):+.4f} to {max(differences):+.4f}"
    )
    print(f"standard deviation between seeds, same fold and precision: {statistics.mean(spreads):.4f}")


if __name__ == "__main__":
    main()
