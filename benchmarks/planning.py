"""What planning costs: a run that finds nothing to do, of the demo and of an experiment of 2,000 folds.

`python benchmarks/planning.py` takes about four minutes and trains nothing. The demo's files are empty ones, which
`snakemake --touch` records as finished: planning looks at times, sizes and records, never into results. Beside
it runs a bare workflow of the same rules, files and jobs, with neither a configuration nor digests; and the same
workflow with 20 models on 100 folds.
"""

import argparse
import compileall
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
LAYER_CHECKS = [f"{checks}.{ending}" for checks in ("filter_checks", "feature_map_checks") for ending in ("npz", "csv")]
# rule: (inputs, outputs), of one job; {model} and {fold} are wildcards, FOLDS and MODELS stand for all of them.
BARE_RULES = {
    "prepare_dataset": ([], ["data/images.npy", "data/samples.csv"]),
    "plot_samples": (["data/images.npy", "data/samples.csv"], ["data/samples.png"]),
    "assign_folds": (["data/samples.csv"], ["data/folds.csv", "data/groups.csv"]),
    "summarize_architecture": ([], ["{model}/architecture.txt"]),
    "train_fold": (
        ["data/images.npy", "data/samples.csv", "data/folds.csv"],
        [
            f"{{model}}/folds/{{fold}}/{name}"
            for name in ("model.keras", "history.csv", "predictions.csv", "metrics.json", "timing.csv")
        ],
    ),
    "plot_accuracy": (["{model}/folds/FOLDS/history.csv"], ["{model}/accuracy.png"]),
    "pool_confusion": (["{model}/folds/FOLDS/predictions.csv"], ["{model}/confusion_matrix.csv"]),
    "plot_confusion": (["{model}/confusion_matrix.csv"], ["{model}/confusion_matrix.png"]),
    "score_model": (
        [
            "{model}/folds/FOLDS/predictions.csv",
            "{model}/folds/FOLDS/metrics.json",
            "{model}/confusion_matrix.csv",
            "data/groups.csv",
        ],
        [f"{{model}}/{name}.csv" for name in ("metrics", "summary", "pooled_metrics", "per_class", "calibration")],
    ),
    "plot_calibration": (["{model}/calibration.csv", "{model}/pooled_metrics.csv"], ["{model}/calibration.png"]),
    "compare_models": (["MODELS/metrics.csv"], ["comparison.csv"]),
    "plot_comparison": (["MODELS/metrics.csv", "comparison.csv"], ["comparison.png"]),
    "predict_held_out": (
        ["{model}/folds/FOLDS/model.keras", "data/images.npy", "data/samples.csv"],
        ["{model}/held_out_predictions.csv", "{model}/held_out_probabilities.npy"],
    ),
    "score_held_out": (
        ["{model}/held_out_predictions.csv", "{model}/held_out_probabilities.npy", "data/groups.csv"],
        ["{model}/held_out_metrics.csv"],
    ),
    "plot_held_out": (["{model}/held_out_metrics.csv", "{model}/summary.csv"], ["{model}/held_out.png"]),
    "compute_saliency": (
        ["{model}/folds/FOLDS/model.keras", "{model}/folds/FOLDS/predictions.csv", "data/images.npy", "data/truth.npz"],
        ["{model}/saliency.npz", "{model}/saliency_checks.csv"],
    ),
    "plot_saliency": (
        ["{model}/saliency.npz", "{model}/saliency_checks.csv"],
        [f"{{model}}/saliency{name}.png" for name in ("", "_methods", "_means", "_checks")],
    ),
    "ascend_filters": (["{model}/folds/00/model.keras"], ["{model}/filters_{layer}.npz"]),
    "plot_filters": (["{model}/filters_{layer}.npz"], ["{model}/filters_{layer}.png"]),
    "compute_feature_maps": (
        ["{model}/folds/00/model.keras", "data/images.npy"],
        ["{model}/feature_maps_{layer}.npz"],
    ),
    "plot_feature_maps": (["{model}/feature_maps_{layer}.npz"], ["{model}/feature_maps_{layer}.png"]),
    "check_layers": (
        [
            "{model}/folds/00/model.keras",
            "{model}/folds/01/model.keras",
            "data/images.npy",
            "data/samples.csv",
            "data/folds.csv",
        ],
        [f"{{model}}/{name}" for name in LAYER_CHECKS],
    ),
    "plot_layer_checks": (
        [f"{{model}}/{name}" for name in LAYER_CHECKS],
        ["{model}/filter_checks.png", "{model}/feature_map_checks.png"],
    ),
}
BARE_HEAD = """
MODELS = ["cnn", "fc", "fc_dropout"]
FOLDS = [f"{fold:02d}" for fold in range(20)]
OF_EVERY_MODEL = ["architecture.txt", "accuracy.png", "confusion_matrix.png", "summary.csv", "saliency.png"]
OF_EVERY_MODEL += ["held_out.png", "calibration.png"]


wildcard_constraints:
    model="|".join(MODELS),
    fold=r"\\d\\d",
    layer="conv2_pool|block4_pool",


rule all:
    input:
        "results/data/samples.png",
        expand("results/{model}/{file}", model=MODELS, file=OF_EVERY_MODEL),
        "results/comparison.csv",
        "results/comparison.png",
        "results/cnn/filters_conv2_pool.png",
        "results/cnn/filters_block4_pool.png",
        "results/cnn/feature_maps_conv2_pool.png",
        "results/cnn/filter_checks.png",
"""


def bare_snakefile() -> str:
    """The bare workflow as text."""
    text = BARE_HEAD
    for rule, (inputs, outputs) in BARE_RULES.items():
        text += f"\n\nrule {rule}:\n"
        if inputs:
            text += "    input:\n"
        for path in inputs:
            every = path.replace("FOLDS", "{fold}").replace("MODELS", "{model}")
            if every == path:
                text += f'        "results/{path}",\n'
            elif "FOLDS" in path:
                text += f'        expand("results/{every}", fold=FOLDS, allow_missing=True),\n'
            else:
                text += f'        expand("results/{every}", model=MODELS),\n'
        text += "    output:\n" + "".join(f'        "results/{path}",\n' for path in outputs)
        text += f'    script:\n        "scripts/{rule}.py"\n'
    return text


def many_models(models: int, folds: int) -> str:
    """An overlay with that many small models and folds, as text."""
    definitions = {
        f"model_{number:02d}": {"architecture": "fc", "settings": {"width": 0.1}, "epochs": 2}
        for number in range(models)
    }
    return json.dumps({"models": list(definitions), "definitions": definitions, "folds": {"number": folds}})


def snakemake(folder: Path, *arguments: str) -> str:
    """Run Snakemake in a folder and return what it printed; stop where it fails."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *arguments]
    if (folder / "overlay.json").exists():
        command += ["--configfile", "overlay.json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=os.environ)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    return done.stdout + done.stderr


def finish(folder: Path) -> int:
    """Make every file of a workflow, empty, have it recorded as finished, and return the number of jobs."""
    listed = [line.split("\t")[0] for line in snakemake(folder, "--summary").splitlines()]
    for name in listed:
        if name.startswith("results/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
    said = snakemake(folder, "--touch", "--forceall")
    if "Nothing to be done" not in snakemake(folder, "--dry-run"):
        sys.exit(f"{folder} is not finished")
    return int(said.split("\ntotal")[1].split()[0])


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as place:
        demo, large, bare = Path(place, "demo"), Path(place, "20 models, 100 folds"), Path(place, "bare")
        for folder in (demo, large):
            folder.mkdir()
            for name in ("Snakefile", "config.yaml", "rules", "scripts", "schemas", "profiles", "envs", "report"):
                copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
                copy(REPOSITORY / name, folder / name)
        (large / "overlay.json").write_text(many_models(20, 100), encoding="utf-8")
        shutil.copytree(REPOSITORY / "profiles", bare / "profiles")
        (bare / "Snakefile").write_text(bare_snakefile(), encoding="utf-8")
        (bare / "scripts").mkdir()
        for rule in BARE_RULES:
            (bare / "scripts" / f"{rule}.py").write_text("print()\n", encoding="utf-8")
        compileall.compile_dir(place, quiet=1)
        jobs = {folder.name: finish(folder) for folder in (demo, bare, large)}
        seconds = {name: [] for name in jobs}
        for _ in range(repeats):
            for folder in (demo, bare, large):
                began = time.perf_counter()
                snakemake(folder)
                seconds[folder.name].append(time.perf_counter() - began)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {repeats} runs each")
    print(f"{'workflow':<22} jobs   median s   fastest   slowest")
    for name, times in seconds.items():
        print(f"{name:<20} {jobs[name]:>6} {statistics.median(times):>10.2f} {min(times):>9.2f} {max(times):>9.2f}")
    ratios = sorted(a / b for a, b in zip(seconds["demo"], seconds["bare"], strict=True))
    print(f"demo / bare: median {statistics.median(ratios):.2f}, from {ratios[0]:.2f} to {ratios[-1]:.2f}")
    ratios = sorted(
        a / jobs[large.name] / (b / jobs["demo"]) for a, b in zip(seconds[large.name], seconds["demo"], strict=True)
    )
    print(
        f"seconds per job, {large.name} / demo: median {statistics.median(ratios):.2f}, "
        f"from {ratios[0]:.2f} to {ratios[-1]:.2f}"
    )


if __name__ == "__main__":
    main()
