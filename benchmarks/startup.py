"""What a job takes before it does its work: plot rules against importing matplotlib, a fold job against TensorFlow.

`python benchmarks/startup.py` takes about five minutes. It runs the tests' tiny experiment, then its plot rules and one
fold again and again, each beside a process that does nothing but import what it is compared with. A plot rule's time is
what Snakemake's `benchmark` records of its job, drawing included; a fold job's is from the start of its process to its
first training batch, before the step is traced.
"""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

REPOSITORY = Path(__file__).parents[1]
TINY = REPOSITORY / "tests" / "workflow" / "tiny.yaml"
RESULTS = Path("results", "demo-tiny")
FOLD = RESULTS / "cnn" / "folds" / "00" / "metrics.json"


def command(folder: Path, *arguments: str) -> list[str]:
    """The command line of Snakemake on the tiny experiment in a folder."""
    start = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(REPOSITORY / "Snakefile"),
        "--directory",
        str(folder),
    ]
    return [*start, "--cores", "1", *arguments, "--configfile", str(TINY)]


def run(folder: Path, *arguments: str) -> None:
    """Run Snakemake to the end; stop where it fails."""
    done = subprocess.run(command(folder, *arguments), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)


def seconds_of_import(names: str) -> float:
    """Seconds of a process that imports modules and ends."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {names}"], check=True, capture_output=True)
    return time.perf_counter() - began


def seconds_of_plots(folder: Path) -> dict[str, float]:
    """Run all plot rules again; the mean seconds of a job of each."""
    records = {}
    for path in sorted((folder / RESULTS / "benchmarks").glob("plot_*")):
        # A folder where a rule has several jobs.
        records[path.stem] = list(path.glob("*.jsonl")) if path.is_dir() else [path]
    run(folder, "--forcerun", *records)
    return {
        rule: statistics.mean(json.loads(path.read_text(encoding="utf-8"))["s"] for path in paths)
        for rule, paths in records.items()
    }


def seconds_to_the_first_batch(folder: Path) -> float:
    """Train a fold again; seconds from the start of its process to its first batch."""
    batches = folder / "batches"
    batches.unlink(missing_ok=True)
    tracing = {"PYTHONPATH": str(REPOSITORY / "tests" / "workflow" / "tracing"), "FERCV_BATCHES": str(batches)}
    snakemake = subprocess.Popen(
        command(folder, "--force", str(FOLD)),
        env=os.environ | tracing,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    started = None
    while not batches.exists():
        if snakemake.poll() is not None:
            sys.exit(f"{FOLD} came to no batch")
        if started is None:
            with contextlib.suppress(psutil.Error):
                jobs = psutil.Process(snakemake.pid).children(recursive=True)
                started = next((job.create_time() for job in jobs if "train_fold.py" in " ".join(job.cmdline())), None)
        time.sleep(0.02)
    reached = time.time()
    snakemake.wait()
    return reached - started


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    seconds = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        run(folder)
        for _ in range(repeats):
            measured = {
                "import matplotlib.pyplot, pandas": seconds_of_import("matplotlib.pyplot, pandas"),
                **seconds_of_plots(folder),
                "import tensorflow": seconds_of_import("tensorflow"),
                "train_fold": seconds_to_the_first_batch(folder),
            }
            for name, value in measured.items():
                seconds.setdefault(name, []).append(value)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {repeats} runs each")
    print(f"{'job':<33} median s   fastest   slowest   ratio: median (fastest to slowest)")
    for name, times in seconds.items():
        line = f"{name:<33} {statistics.median(times):>8.2f} {min(times):>9.2f} {max(times):>9.2f}"
        beside = "import tensorflow" if name == "train_fold" else "import matplotlib.pyplot, pandas"
        if not name.startswith("import"):
            ratios = sorted(a / b for a, b in zip(times, seconds[beside], strict=True))
            line += f"   {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(line)


if __name__ == "__main__":
    main()
