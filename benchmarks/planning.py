"""What planning costs: a run that finds nothing to do, of the demo and of an experiment of 2,000 folds.

`python benchmarks/planning.py` takes about ten minutes and trains nothing. The demo's files are empty ones, which
`snakemake --touch` records as finished: planning looks at times, sizes and records, never into results. Beside
it runs a bare workflow of the same rules, files and jobs, with neither a configuration nor digests; and the same
workflow with 20 models on 100 folds.
"""

import argparse
import compileall
import csv
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[1]
# What each wildcard of the demo can be, and where it stands in a file's path.
VALUES = {"model": "cnn|fc|fc_dropout", "fold": "[0-9][0-9]", "layer": "conv2_pool|block4_pool"}
PLACES = {
    "model": rf"(?<=results/demo/)(?:{VALUES['model']})(?=/)",
    "fold": rf"(?<=/folds/){VALUES['fold']}(?=/)",
    "layer": rf"(?<=_)(?:{VALUES['layer']})(?=\.)",
}


class Job(NamedTuple):
    """What a job of the demo reads and writes."""

    inputs: list[str]
    outputs: list[str]


def first_jobs(demo: Path) -> tuple[dict[str, Job], list[str]]:
    """The first job of each rule of the demo, and the files that no job reads."""
    jobs, written, read = {}, [], set()
    lines = [line for line in snakemake(demo, "--detailed-summary").splitlines() if "\t" in line]
    for row in csv.DictReader(lines, delimiter="\t"):
        output, inputs = row["output_file"], [name for name in row["input-file(s)"].split(",") if name != "-"]
        wildcards = tuple(found and found[0] for found in (re.search(place, output) for place in PLACES.values()))
        jobs.setdefault(row["rule"], {}).setdefault(wildcards, Job(inputs, [])).outputs.append(output)
        written.append(output)
        read.update(inputs)
    firsts = {rule: next(iter(of_rule.values())) for rule, of_rule in jobs.items()}
    return firsts, [output for output in written if output not in read]


def bare_snakefile(jobs: dict[str, Job], targets: list[str]) -> str:
    """The bare workflow as text, with rules as general as the demo's: each is what its first job is."""
    text = "wildcard_constraints:\n" + "".join(f'    {name}="{value}",\n' for name, value in VALUES.items())
    text += "\n\nrule all:\n    input:\n" + "".join(f'        "{target}",\n' for target in targets)
    for rule, job in jobs.items():
        places = {name: place for name, place in PLACES.items() if re.search(place, job.outputs[0])}
        text += f"\n\nrule {rule}:\n"
        for directive, paths in (("input", job.inputs), ("output", job.outputs)):
            for name, place in places.items():
                paths = [re.sub(place, f"{{{name}}}", path) for path in paths]
            text += f"    {directive}:\n" + "".join(f'        "{path}",\n' for path in paths) if paths else ""
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
        rules, targets = first_jobs(demo)
        (bare / "Snakefile").write_text(bare_snakefile(rules, targets), encoding="utf-8")
        (bare / "scripts").mkdir()
        for rule in rules:
            (bare / "scripts" / f"{rule}.py").write_text("print()\n", encoding="utf-8")
        compileall.compile_dir(place, quiet=1)
        jobs = {folder.name: finish(folder) for folder in (demo, bare, large)}
        if jobs["demo"] != jobs["bare"]:
            sys.exit(f"the demo has {jobs['demo']} jobs and the bare workflow {jobs['bare']}")
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
