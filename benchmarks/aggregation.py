"""What pooling and scoring the folds' predictions cost: seconds and peak memory of 1 and of 10 million predictions.

`python benchmarks/aggregation.py` takes about two minutes, the first of them for writing the predictions. It runs the
scripts pool_confusion and score_model as the workflow does, each in a process of its own, on 20 folds of one random
file, which is there 20 times by hard links.
"""

import argparse
import hashlib
import json
import os
import platform
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

SCRIPTS = Path(__file__).parents[1] / "scripts"
FOLDS = [f"{fold:02d}" for fold in range(20)]
CLASSES = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]


def write_folds(folder: Path, predictions: int) -> None:
    """Write the files of 20 folds, of that many random predictions together, as train_fold writes them."""
    rng, rows = np.random.default_rng(0), predictions // len(FOLDS)
    probabilities = rng.dirichlet(np.ones(len(CLASSES)), rows).astype(np.float32)
    table = pd.DataFrame(probabilities, columns=CLASSES)
    table.insert(0, "index", np.arange(rows))
    table.insert(1, "label", rng.integers(len(CLASSES), size=rows))
    folder.mkdir()
    first = folder / f"{FOLDS[0]}.csv"
    table.to_csv(first, index=False, lineterminator="\n")
    for fold in FOLDS[1:]:
        os.link(first, folder / f"{fold}.csv")
    groups = pd.DataFrame({"index": table["index"], "group": table["index"]})
    groups.to_csv(folder / "groups.csv", index=False, lineterminator="\n")
    digest = hashlib.sha256(first.read_bytes()).hexdigest()
    recorded = {"predictions_sha256": digest, "software": {}, "precision": "float32"}
    (folder / "metrics.json").write_text(json.dumps(recorded), encoding="utf-8")


def run_script(name: str, folder: Path) -> None:
    """Run one of the two scripts on a folder of `write_folds`, and print the process's peak memory in bytes."""
    import resource

    sys.path.insert(0, str(SCRIPTS))
    snakemake = SimpleNamespace(
        input=SimpleNamespace(
            predictions=[folder / f"{fold}.csv" for fold in FOLDS],
            metrics=[folder / "metrics.json"] * len(FOLDS),
            matrix=folder / "matrix.csv",
            groups=folder / "groups.csv",
        ),
        output=SimpleNamespace(
            matrix=folder / "matrix.csv",
            metrics=folder / "metrics.csv",
            summary=folder / "summary.csv",
            pooled=folder / "pooled_metrics.csv",
            per_class=folder / "per_class.csv",
            calibration=folder / "calibration.csv",
        ),
        params=SimpleNamespace(classes=CLASSES, folds=FOLDS, seed=1),
        wildcards=SimpleNamespace(model="cnn"),
    )
    runpy.run_path(str(SCRIPTS / f"{name}.py"))["main"](snakemake)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--script", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.script:
        run_script(arguments.script[0], Path(arguments.script[1]))
        return
    sizes = (1_000_000, 10_000_000)
    seconds, peaks = {}, {}
    with tempfile.TemporaryDirectory() as place:
        for size in sizes:
            write_folds(Path(place, str(size)), size)
        for _ in range(arguments.repeats):
            for size in sizes:
                for name in ("pool_confusion", "score_model"):
                    began = time.perf_counter()
                    command = [sys.executable, __file__, "--script", name, str(Path(place, str(size)))]
                    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                    seconds.setdefault((name, size), []).append(time.perf_counter() - began)
                    peaks.setdefault((name, size), []).append(int(said))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {arguments.repeats} runs")
    print("script          predictions   median s   fastest   slowest   peak MiB")
    for (name, size), times in seconds.items():
        print(
            f"{name:<15} {size:>11,} {statistics.median(times):>10.1f} {min(times):>9.1f} {max(times):>9.1f} "
            f"{max(peaks[name, size]) / 2**20:>10.0f}"
        )
    for name in ("pool_confusion", "score_model"):
        ratios = sorted(b / a for a, b in zip(*(seconds[name, size] for size in sizes), strict=True))
        print(f"{name}, ten times the predictions: {ratios[0]:.1f} to {ratios[-1]:.1f} times the time")


if __name__ == "__main__":
    main()
