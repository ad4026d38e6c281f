"""What Snakemake itself costs for 60, 600 and 6,000 fold jobs: planning them all, and starting one of them.

`python benchmarks/fanout.py` plans 20 folds of 3, 30 and 300 models (a dry run), and one fold alone, as each job on a
cluster does, twice, before its script begins. Nothing is trained. It prints seconds of processor time, which other
work on the machine blurs less than it does the time on the clock, and the peak of memory.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parents[1]
FOLDS = 20
REPEATS = 3


def measure(command):
    """Run a command `REPEATS` times; return the median of its seconds of processor time."""
    seconds = []
    for _ in range(REPEATS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return sorted(seconds)[REPEATS // 2]


def main():
    """Print a row for each number of models."""
    print("| fold jobs | models | planning all, s | reading the workflow for one job, s | memory, MB |")
    print("|---|---|---|---|---|")
    for number in (3, 30, 300):
        models = [f"fc{index:03}" for index in range(number)]
        overlay = {
            "experiment": "demo-fanout",
            "models": models,
            "scale": "full",
            "definitions": {model: {"architecture": "fc", "settings": {"width": 0.25}} for model in models},
        }
        with tempfile.TemporaryDirectory() as folder:
            configfile = Path(folder, "fanout.yaml")
            configfile.write_text(yaml.safe_dump(overlay), encoding="utf-8")
            common = [sys.executable, "-m", "snakemake", "--snakefile", REPOSITORY / "Snakefile", "--directory", folder]
            common += ["--cores", "1", "--dry-run", "--quiet"]
            given = ["--configfile", configfile]
            planning = measure([*common, *given])
            data = Path(folder, "results", "demo-fanout", "data")
            data.mkdir(parents=True)
            for name in ("images.npy", "samples.csv", "folds.csv"):
                (data / name).touch()
            target = f"results/demo-fanout/{models[0]}/folds/00/model.keras"
            one = measure([*common, "--allowed-rules", "train_fold", "--force", target, *given])
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
        print(f"| {number * FOLDS} | {number} | {planning:.1f} | {one:.1f} | {memory:.0f} |")


if __name__ == "__main__":
    main()
