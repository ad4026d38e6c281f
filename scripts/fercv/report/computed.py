"""What the page report.html says that is no file of its own: the headline, the key figures, verdicts, and so on.

Each function in COMPUTED takes an `Experiment`, and returns what its macro in `report/page.html.jinja` shows.
"""

import base64
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from PIL import Image

from fercv.data.arrays import open_images
from fercv.data.tables import (
    COMPARISON,
    HELD_OUT_METRICS,
    LABEL_RANKING,
    METRICS,
    MISCLASSIFIED,
    POOLED_METRICS,
    SALIENCY_CHECKS,
    SUMMARY,
    TEXT,
    TIMING,
    read_record,
    read_table,
    refuse_file,
)
from fercv.report.tables import TableView, table_view
from fercv.visualize.methods import METHODS
from fercv.visualize.verdicts import verdict
from fercv.workflow.chance import beats_chance

# A difference is called real as in comparison.png.
REAL = 0.05
MOST_NAMED = 6  # models, or differences, that a sentence names
MISTAKES_PER_CLASS = 8
# Of the software in metrics.json, in the order in which it is told.
NAMES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
NAMES |= {"keras": "Keras", "numpy": "NumPy", "python": "Python"}


class Experiment(NamedTuple):
    """An experiment whose results are on the disk.

    folder: of its results.
    files: paths below this folder of the files that the page shows.
    settings: its complete configuration, of which `experiment`, `seed`, `models`, `data` and `folds` are used.
    folds: names of the folds.
    """

    folder: Path
    files: Sequence[str]
    settings: Mapping
    folds: Sequence[str]

    def table(self, name: str, kinds: Mapping, **options) -> pd.DataFrame:
        """Read a csv of the experiment; for `kinds` and `options` see `fercv.data.tables.read_table`."""
        return read_table(self.folder / name, kinds, **options)

    def of_models(self, name: str, kinds: Mapping, **options) -> dict[str, pd.DataFrame]:
        """Read the csv that each model has under this name."""
        return {model: self.table(f"{model}/{name}", kinds, **options) for model in self.settings["models"]}

    def measures(self, name: str, kinds: Mapping) -> dict[str, pd.DataFrame]:
        """As `of_models`, for tables with a row for each measure: the measure is the index."""
        return {model: table.set_index("measure") for model, table in self.of_models(name, kinds).items()}


def headline(experiment: Experiment) -> list[str]:
    """The experiment and what came out, in sentences: one text for each paragraph."""
    paragraphs = [_design(experiment), f"{_accuracies(experiment)} {_differences(experiment)}", _conditions(experiment)]
    return [paragraph.strip() for paragraph in paragraphs]


def _design(experiment: Experiment) -> str:
    """Which models were trained on which data, and how often."""
    settings, folds = experiment.settings, len(experiment.folds)
    models, classes, source = settings["models"], settings["data"]["classes"], settings["data"]["source"]
    first = experiment.table(f"{models[0]}/metrics.csv", METRICS)
    images = "faces that the program drew" if source == "synthetic" else f"images of {Path(source).name}"
    counted = f"{len(models)} models were" if len(models) > 1 else "One model was"
    verb = "Each model was" if len(models) > 1 else "It was"
    named = f": {listed(classes)}" if len(classes) <= 10 else ""
    return (
        f"{counted} trained to tell {len(classes)} classes apart{named}. The data are {first['n'].sum():,} {images}. "
        f"{verb} trained {folds} times, each time on {'the other one' if folds == 2 else f'{folds - 1}'} of {folds} "
        "folds, and validated on the one that was left out. So each image was predicted once, by a model that was not "
        "trained on it."
    )


def _accuracies(experiment: Experiment) -> str:
    """The accuracy of each model with its interval, the best one first, and what chance gives."""
    rows = {model: table.loc["accuracy"] for model, table in experiment.measures("summary.csv", SUMMARY).items()}
    best = sorted(rows, key=lambda model: -rows[model]["mean"])
    named = [f"{rows[model]['mean']:.3f}{_interval(rows[model])} for {model}" for model in best[:MOST_NAMED]]
    others = f" The other {len(best) - MOST_NAMED} models have less." if len(best) > MOST_NAMED else ""
    with_interval = ", with its 95 % interval," if any(map(_interval, rows.values())) else ""
    images = {model: table["n"].sum() for model, table in experiment.of_models("metrics.csv", METRICS).items()}
    doubtful = [model for model in best if not beats_chance(*rows[model][["mean", "low", "chance"]], images[model])]
    doubts = f" It is not sure that {listed(doubtful)} can do better than that." if doubtful else ""
    return (
        f"The mean accuracy over the folds{with_interval} is {listed(named)}.{others} Always naming the most frequent "
        f"class would give {rows[best[0]]['chance']:.3f}.{doubts}"
    )


def _interval(row: Mapping) -> str:
    """The interval of a measure, in parentheses; nothing if it has none."""
    return "" if pd.isna(row["low"]) else f" ({row['low']:.3f} to {row['high']:.3f})"


def _differences(experiment: Experiment) -> str:
    """Which differences in accuracy are beyond chance."""
    table = experiment.table("comparison.csv", COMPARISON)
    pairs = table[(table["versus"] != "") & (table["measure"] == "accuracy")]
    if pairs.empty:
        alone = len(experiment.settings["models"]) == 1
        return "" if alone else "The models are not compared fold by fold, as their folds are not the same."
    is_real = pairs["p_adjusted"] < REAL
    if len(pairs) > MOST_NAMED:
        return (
            f"Of the {len(pairs)} differences between two models, {is_real.sum()} are real (p below {REAL}, adjusted "
            "for the number of tests); the others may be chance."
        )
    texts = []
    if is_real.any():
        real = [_better(row) for _, row in pairs[is_real].iterrows()]
        texts.append(f"By more than chance, {listed(real)} (p below {REAL}, adjusted for the number of tests).")
    if not is_real.all():
        others = [_undecided(row) for _, row in pairs[~is_real].iterrows()]
        texts.append(f"What may be chance: the difference between {listed(others)}.")
    return " ".join(texts)


def _better(row: pd.Series) -> str:
    """A difference that is real: which model is better, and by how much."""
    better, worse, mean, low, high = row[["model", "versus", "mean", "low", "high"]]
    if mean < 0:
        better, worse, mean, low, high = worse, better, -mean, -high, -low
    return f"{better} is better than {worse} by {mean:.3f}{_interval({'low': low, 'high': high})}"


def _undecided(row: pd.Series) -> str:
    """A difference that may be chance."""
    return f"{row['model']} and {row['versus']}, {row['mean']:+.3f}{_interval(row)}"


def _conditions(experiment: Experiment) -> str:
    """Precision, versions, seed, and the time that the training took."""
    precisions, versions = {}, {}
    for model in experiment.settings["models"]:
        for fold in experiment.folds:
            record = read_record(experiment.folder / model / "folds" / fold / "metrics.json")
            precisions.setdefault(model, {})[record["precision"]] = None
            for name, version in record["software"].items():
                versions.setdefault(name, {})[str(version)] = None
    used = {model: listed(found) for model, found in precisions.items()}
    same = len(set(used.values())) == 1
    precision = next(iter(used.values())) if same else listed(f"{value} ({model})" for model, value in used.items())
    unlike = any(len(found) > 1 for found in [*versions.values(), *precisions.values()])
    software = named_software(versions)
    seconds = sum(table["seconds"].sum() for tables in _timings(experiment).values() for table in tables)
    return (
        f"All was computed in {precision}, with {software}, from the seed {experiment.settings['seed']}."
        + (" Not all folds of a model were computed alike." if unlike else "")
        + f" The epochs of all folds together took {duration(seconds)}; several folds may train at a time."
    )


def named_software(versions: Mapping[str, Iterable[str]]) -> str:
    """Software in a sentence.

    Args:
        versions: under each name of `software` in metrics.json, the versions that were used.
    """
    last = [*(name for name in versions if name not in (*NAMES, "kernels")), "kernels"]
    known = [name for name in [*NAMES, *last] if name in versions]
    named = NAMES | {"kernels": "the kernels of"}
    return listed(f"{named.get(name, name)} {listed(versions[name])}" for name in known)


def key_figures(experiment: Experiment) -> TableView:
    """The figures of each model that count most, a row for each."""
    summary = experiment.measures("summary.csv", SUMMARY)
    pooled = experiment.measures("pooled_metrics.csv", POOLED_METRICS)
    rows = []
    for model in experiment.settings["models"]:
        row = {"model": model}
        for measure in ("accuracy", "balanced_accuracy", "log_loss"):
            row |= _figure(measure, summary[model].loc[measure], "mean")
        for measure in ("macro_f1", "calibration_error"):
            row |= _figure(measure, pooled[model].loc[measure], "value")
        if f"{model}/held_out_metrics.csv" in experiment.files:
            table = experiment.table(f"{model}/held_out_metrics.csv", HELD_OUT_METRICS)
            of_ensemble = table.query("images == 'all' and predictions == 'ensemble' and measure == 'accuracy'")
            for _, figure in of_ensemble.iterrows():
                row |= _figure(f"{figure['usage']}_accuracy", figure, "value")
        rows.append(row)
    text = (
        "Accuracy, balanced accuracy and log loss are means over the folds; F1 and calibration error are those of the "
        "predictions of all folds together. Only the intervals of the former count in that another training would give "
        "other models, so they are wider."
    )
    if "held_out" in " ".join(experiment.files):
        text += " The last columns are the accuracies on the held-out images, of all folds' models together."
    return table_view(pd.DataFrame(rows).fillna(""), "Key figures", text)


def _figure(name: str, row: pd.Series, value: str) -> dict[str, str]:
    """A measure and its interval as columns of a table."""
    columns = {name: row[value], f"{name}_low": row["low"], f"{name}_high": row["high"]}
    return {column: "" if pd.isna(number) else repr(float(number)) for column, number in columns.items()}


class Mistake(NamedTuple):
    """An image that models are wrong about.

    picture: the image as a data URI, see `data_uri`.
    index: in samples.csv.
    source: the file or the row that it came from.
    predicted: the classes that the models take it for, the most frequent one first.
    probability: of the predicted classes, the mean over the models that are wrong.
    models: how many models are wrong.
    doubts: how many models find its label suspicious.
    """

    picture: str
    index: int
    source: str
    predicted: Sequence[str]
    probability: float
    models: int
    doubts: int


class Mistakes(NamedTuple):
    """The sheet of mistakes.

    of_classes: for each true class of which there are some, the most instructive ones.
    totals: for each of these classes, how many images some model is wrong about.
    most: how many are shown of a class.
    models: how many models there are.
    size: width and height of the images.
    """

    of_classes: Mapping[str, Sequence[Mistake]]
    totals: Mapping[str, int]
    most: int
    models: int
    size: tuple[int, int]


def mistakes(experiment: Experiment) -> Mistakes | None:
    """The mistakes that tell most: of each true class those that most models make, and of these the most confident.

    An image that several models take for the same wrong class is hard, or its label is wrong.
    """
    images = open_images(experiment.folder / "data" / "images.npy")
    tables = experiment.of_models("misclassified.csv", MISCLASSIFIED, below={"index": len(images)}, may_be_empty=True)
    table = pd.concat(tables.values())
    ranking = experiment.table("label_issues.csv", LABEL_RANKING, others=TEXT, may_be_empty=True)
    doubts = dict(zip(ranking["index"], ranking["votes"], strict=True))
    if table.empty:
        return None
    found = table.groupby("index").agg(
        true=("true", "first"),
        source=("source", "first"),
        models=("true", "size"),
        probability=("probability", "mean"),
        predicted=("predicted", lambda column: list(column.value_counts().index)),
    )
    found = found.reset_index().sort_values(["models", "probability", "index"], ascending=[False, False, True])
    classes = [name for name in experiment.settings["data"]["classes"] if name in set(found["true"])]
    of_classes = {name: found[found["true"] == name] for name in classes}
    shown = {
        name: [
            Mistake(data_uri(Image.fromarray(images[row["index"]])), **row, doubts=doubts.get(row["index"], 0))
            for row in rows.drop(columns="true").head(MISTAKES_PER_CLASS).to_dict("records")
        ]
        for name, rows in of_classes.items()
    }
    totals = {name: len(rows) for name, rows in of_classes.items()}
    height, width = images.shape[1:]
    return Mistakes(shown, totals, MISTAKES_PER_CLASS, len(tables), (width, height))


def verdicts(experiment: Experiment) -> TableView | None:
    """What the checks say of each method of saliency on each model, a row for each."""
    rows = []
    for model in experiment.settings["models"]:
        name = f"{model}/saliency_checks.csv"
        if name in experiment.files:
            checks = experiment.table(name, SALIENCY_CHECKS)
            known = [method for method in METHODS if method in set(checks["method"])]
            rows += [
                {"model": model, "method": METHODS[method], "verdict": verdict(checks, method)} for method in known
            ]
    if not rows:
        return None
    text = "They hold for these methods on this model. Single intervals are not adjusted for the number of checks."
    return table_view(pd.DataFrame(rows), "Verdicts of the checks", text)


def run_times(experiment: Experiment) -> TableView:
    """What the training of each model took, a row for each."""
    rows = []
    for model, tables in _timings(experiment).items():
        epochs = pd.concat(tables)
        seconds = epochs["seconds"].sum()
        rows.append(
            {
                "model": model,
                "parameters": _parameters(experiment.folder / model / "architecture.txt"),
                "folds": str(len(tables)),
                "epochs": f"{len(epochs) / len(tables):.4g}",
                "images_per_second": f"{epochs['images_per_second'].median():.0f}",
                "seconds_per_fold": f"{seconds / len(tables):.1f}",
                "minutes_of_all_folds": f"{seconds / 60:.1f}",
            }
        )
    text = (
        "Epochs are those of a fold on average. Images per second are those of training, the median over all epochs of "
        "all folds. Seconds and minutes are those of the epochs with their validation, as timing.csv of each fold has "
        "them; the start of each job comes on top."
    )
    return table_view(pd.DataFrame(rows), "Training", text)


def _timings(experiment: Experiment) -> dict[str, list[pd.DataFrame]]:
    """The timing.csv of every fold of every model."""
    return {
        model: [experiment.table(f"{model}/folds/{fold}/timing.csv", TIMING) for fold in experiment.folds]
        for model in experiment.settings["models"]
    }


def _parameters(path: Path) -> str:
    """The number of parameters that Keras' summary of a model states."""
    found = re.search(r"Total params: ([\d,]+)", path.read_text(encoding="utf-8"))
    return found[1].replace(",", "") if found else refuse_file(path, "states no total number of parameters")


def folders(experiment: Experiment) -> dict[str, Sequence[str]]:
    """The models and their folds, each of which has a folder with the trained model and its predictions."""
    return dict.fromkeys(experiment.settings["models"], experiment.folds)


COMPUTED = {
    "headline": headline,
    "key_figures": key_figures,
    "mistakes": mistakes,
    "verdicts": verdicts,
    "run_times": run_times,
    "folders": folders,
}


def listed(names: Iterable) -> str:
    """Names in a sentence: `a`, `a and b`, or `a, b and c`."""
    *first, last = map(str, names)
    return f"{', '.join(first)} and {last}" if first else last


def duration(seconds: float) -> str:
    """A time in words: seconds below two minutes, minutes below two hours, else hours."""
    for unit, length, most in (("seconds", 1, 120), ("minutes", 60, 7200)):
        if seconds < most:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 3600:,.1f} hours"


def data_uri(image: Image.Image) -> str:
    """An image as the address of a picture that stands in the page itself, without any loss.

    WebP takes about 0.6 times the bytes of PNG, and every browser of today shows it.
    """
    file = io.BytesIO()
    image.save(file, format="WEBP", lossless=True, exact=True, method=1, quality=0)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
