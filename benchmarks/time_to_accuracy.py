"""What a change of a model's definition does to its accuracy, and what it costs in processor time.

    python benchmarks/time_to_accuracy.py --model cnn --change label_smoothing=0.1 --change epochs=8 batch_size=32

trains the model as an experiment's file defines it, and once more for each `--change`, on the same folds, from the same
seeds, and compares them fold by fold. `--base` changes all of them. One single-threaded run for each core at a time.
With `--record FILE`, each run that ends is a line of this file, and is not done again. FER2013 takes minutes to hours
for each change.

What is chosen on some folds must be reported on others. So the program does not take the experiment's own folds, but
those of another seed. This command assigns them:

    snakemake --cores all data --configfile experiments/fer2013-cpu.yaml --config experiment=choosing seed=2017
"""

import argparse
import itertools
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY / "scripts"))
MEASURES = ("accuracy", "balanced_accuracy", "log_loss")


def definition(config: dict, experiment: dict, model: str, changes: list[str]) -> dict:
    """The model's complete definition with changes like `schedule.name=linear`; their values are YAML.

    Args:
        config: the content of config.yaml with the experiment's file merged over it.
        experiment: the content of the experiment's file.
        model: its name.
        changes: see above.
    """
    import yaml

    from fercv.workflow.errors import InputError
    from fercv.workflow.settings import complete_config

    if model not in config["definitions"]:
        sys.exit(f"--model {model}: expected one of {', '.join(config['definitions'])}")
    changed = {}
    for change in changes:
        path, equals, value = change.partition("=")
        if not equals:
            sys.exit(f"{change}: expected KEY=VALUE, for instance label_smoothing=0.1 or schedule.name=linear")
        *blocks, key = path.split(".")
        place = changed
        for block in blocks:
            place = place.setdefault(block, {})
        place[key] = yaml.safe_load(value)
    scales = {"changed": {"definitions": {model: changed}}}
    try:
        definitions = config["definitions"] | {model: complete_config(config, [], experiment)["definitions"][model]}
        config = config | {"definitions": definitions, "scale": "changed", "scales": scales}
        return complete_config(config, [])["definitions"][model]
    except InputError as error:
        sys.exit(f"{' '.join(changes)}: {error}")


def read_config(path: Path) -> tuple[dict, dict]:
    """The configuration of an experiment's file over config.yaml, as Snakemake merges them; and that of the file."""
    import yaml
    from snakemake.utils import update_config

    config, experiment = (yaml.safe_load(file.read_text("utf-8")) for file in (REPOSITORY / "config.yaml", path))
    update_config(config, experiment)
    return config, experiment


def train_one(data: str, model: str, asked: dict, fold: int, seed: int) -> dict:
    """Train one fold; return measures on the images left out, accuracy of the last epoch's training, and seconds."""
    import pandas as pd

    from fercv.data.tables import predictions_table
    from fercv.engine.setup import set_up
    from fercv.evaluate.measures import fold_measures
    from fercv.nets.architectures import width_of
    from fercv.nets.models import predict
    from fercv.train.loop import Task, train

    data = Path(data)
    images = np.load(data / "images.npy", mmap_mode="r")
    labels = pd.read_csv(data / "samples.csv", usecols=["label"])["label"].to_numpy()
    folds = pd.read_csv(data / "folds.csv")
    inside = folds["fold"] == fold
    training, validation = folds.loc[~inside, "index"].to_numpy(), folds.loc[inside, "index"].to_numpy()
    set_up("benchmark", seed, precision=asked["precision"], width=width_of(asked["settings"]))
    classes = [str(label) for label in range(labels.max() + 1)]
    trained = train(Task(model, asked, seed, images, labels, len(classes), training, validation))
    probabilities = predict(trained.model, images, validation, 256, asked["mirrored_prediction"])
    measured = fold_measures(predictions_table(validation, labels[validation], probabilities, classes), classes)
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return {
        **{measure: measured[measure] for measure in MEASURES},
        "training_accuracy": trained.history[-1]["accuracy"],
        "seconds": spent.ru_utime + spent.ru_stime,
    }


def main() -> None:
    """Measure and print."""
    from fercv.evaluate.intervals import corrected_interval

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configfile", type=Path, default=REPOSITORY / "experiments" / "fer2013-cpu.yaml")
    parser.add_argument("--data", type=Path, default="results/choosing/data", help="images.npy, samples.csv, folds.csv")
    parser.add_argument("--model", default="cnn")
    parser.add_argument("--base", nargs="+", default=[], metavar="KEY=VALUE")
    parser.add_argument("--change", nargs="+", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--folds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time")
    parser.add_argument("--record", type=Path, help="a file of JSON lines, to go on with")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        print(json.dumps(train_one(**json.loads(arguments.run))))
        return
    config, experiment = read_config(arguments.configfile)
    data = arguments.data
    if not (data / "folds.csv").exists():
        sys.exit(f"{data / 'folds.csv'} is missing; first prepare the data, as --help says")
    recorded = {}
    if arguments.record and arguments.record.exists():
        recorded = {line["run"]: line for line in map(json.loads, arguments.record.read_text("utf-8").splitlines())}

    variants = [(), *map(tuple, arguments.change)]
    asked = {
        changes: definition(config, experiment, arguments.model, [*arguments.base, *changes]) for changes in variants
    }

    def run(changes, fold, seed):
        what = {"data": str(data), "model": arguments.model, "asked": asked[changes], "fold": fold, "seed": seed}
        key = json.dumps(what)
        if key not in recorded:
            command = [sys.executable, __file__, "--run", key]
            said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            recorded[key] = {"run": key, **json.loads(said)}
            if arguments.record:
                with arguments.record.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(recorded[key]) + "\n")
        return recorded[key]

    pairs = list(itertools.product(arguments.seeds, arguments.folds))
    runs = [(changes, fold, seed) for seed, fold in pairs for changes in variants]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        found = dict(zip(runs, pool.map(run, *zip(*runs, strict=True)), strict=True))
    number = np.loadtxt(data / "folds.csv", int, delimiter=",", skiprows=1, usecols=1).max() + 1
    print(f"{platform.machine()}, {arguments.model}, {data}, folds {arguments.folds}, seeds {arguments.seeds}\n")
    print("| change | accuracy | difference | balanced accuracy | log loss | accuracy in training | processor s |")
    print("|---|---|---|---|---|---|---|")
    for changes in variants:
        results = [found[changes, fold, seed] for seed, fold in pairs]
        means = {name: statistics.mean(result[name] for result in results) for name in (*MEASURES, "training_accuracy")}
        seconds = statistics.mean(result["seconds"] for result in results)
        difference = ""
        if changes:
            differences = [
                statistics.mean(
                    found[changes, fold, seed]["accuracy"] - found[(), fold, seed]["accuracy"]
                    for seed in arguments.seeds
                )
                for fold in arguments.folds
            ]
            mean, _, low, high, _ = corrected_interval(np.array(differences), number=number)
            difference = f"{mean:+.4f}" + f" ({low:+.4f} to {high:+.4f})" * (len(arguments.folds) > 1)
        print(
            f"| {' '.join(changes) or 'none'} | {means['accuracy']:.4f} | {difference} | "
            f"{means['balanced_accuracy']:.4f} | {means['log_loss']:.3f} | {means['training_accuracy']:.3f} | "
            f"{seconds:.0f} |"
        )


if __name__ == "__main__":
    main()
