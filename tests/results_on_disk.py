"""The results of an experiment as files, for tests of the page that shows them. Nothing is trained."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fercv.report.computed import Experiment

MODELS = ["cnn", "fc"]
FOLDS = ["00", "01"]
# Names that HTML, a script or a link would take for something else.
CLASSES = ['calm & "cool"', "it's; alert(1)", "sad"]
SOURCE = "<img src=x onerror=alert(1)>.png"
MEASURES = ["accuracy", "balanced_accuracy", "macro_f1", "log_loss"]
PICTURES = ["accuracy", "confusion_matrix", "misclassified", "calibration", "saliency", "held_out", "new_images"]
VALUES = {"cnn": 0.81234, "fc": 0.41}


def settings(**changes) -> dict:
    """The settings of the experiment, as far as the page states them."""
    return {
        "experiment": "demo-page",
        "seed": 7,
        "models": MODELS,
        "data": {"source": "data/my set.zip", "classes": CLASSES, "held_out": True},
        "folds": {"number": len(FOLDS), "group_duplicates": True, "groups": None, "file": None},
        "saliency": {"fold": 0, "per_class": 1, "threshold": 0.5, "methods": ["gradient"]},
        "filters": {"fold": 0, "steps": 9},
        "feature_maps": {"fold": 0},
        **changes,
    }


def write_experiment(folder: Path) -> Experiment:
    """Write the results into a folder; return the experiment, with all files that the page may show."""
    (folder / "data").mkdir(parents=True)
    images = np.random.default_rng(3).integers(0, 256, (30, 12, 10), np.uint8)
    np.save(folder / "data" / "images.npy", images)
    names = ["data/samples.png", "data/audit.png", "comparison.png", "label_issues.png"]
    names += [f"{model}/{name}.png" for model in MODELS for name in PICTURES]
    names += ["cnn/filters_conv1.png", "cnn/filters_conv2.png", "cnn/feature_maps_conv1.png"]
    for number, name in enumerate(names):
        write_picture(folder / name, number)
    tables = shared_tables()
    for model in MODELS:
        tables |= {f"{model}/{name}": table for name, table in tables_of(model).items()}
    for name, table in tables.items():
        pd.DataFrame(table).to_csv(folder / name, index=False)
    for model in MODELS:
        (folder / model / "architecture.txt").write_text(" Total params: 1,234 (4.8 KB)\n", encoding="utf-8")
        for fold in FOLDS:
            write_fold(folder / model / "folds" / fold)
    return Experiment(folder, sorted([*names, *tables]), settings(), FOLDS)


def write_picture(path: Path, seed: int) -> None:
    """Write a picture of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 900 + seed, 3), np.uint8)
    Image.fromarray(pixels).convert("RGBA").save(path)


def write_fold(folder: Path, precision="float32", tensorflow="2.21.0") -> None:
    """Write what the page reads of a fold."""
    folder.mkdir(parents=True, exist_ok=True)
    software = {"keras": "3.15.1", "numpy": "2.4.6", "tensorflow": tensorflow, "kernels": "oneDNN"}
    record = {"software": software, "precision": precision, "predictions_sha256": "0"}
    (folder / "metrics.json").write_text(json.dumps(record), encoding="utf-8")
    timing = {"epoch": [1, 2], "seconds": [40.0, 50.0], "images_per_second": [99.0, 101.0], "validation_seconds": 0.5}
    pd.DataFrame(timing).to_csv(folder / "timing.csv", index=False)


def shared_tables() -> dict[str, dict]:
    """The tables of all models together."""
    pairs = {
        "model": ["cnn", "fc", "cnn", "cnn"],
        "versus": ["", "", "fc", "fc"],
        "measure": ["accuracy", "accuracy", "accuracy", "balanced_accuracy"],
        "mean": [0.81234, 0.41, 0.40234, 0.2],
        "standard_deviation": 0.1,
        "low": [0.7, 0.3, 0.35, -0.1],
        "high": [0.9, 0.5, 0.45, 0.5],
        "p_value": ["", "", 0.00001234, 0.4],
        "p_adjusted": ["", "", 0.00002468, 0.4],
        "folds": 2,
    }
    audit = {"kind": "blank_image", "samples": [1, 2], "share": ["", 0.5], "distance": "", "labels": "sad"}
    audit |= {"usages": "", "folds": "", "indices": "3", "finding": ["one", "two"], "sources": SOURCE}
    ranking = {"index": [4], "sample": SOURCE, "given": CLASSES[0], "suggested": CLASSES[1], "votes": 1}
    ranking |= {"quality": 0.1, "suggested_by_cnn": CLASSES[1], "suggested_by_fc": ""}
    return {"comparison.csv": pairs, "data/audit.csv": audit, "label_issues.csv": ranking}


def tables_of(model: str) -> dict[str, dict]:
    """The tables of one model."""
    value = VALUES[model]
    of_folds = {"fold": FOLDS, **{name: [value, 0.5] for name in MEASURES}, "n": [14, 16]}
    interval = {"low": value - 0.1, "high": value + 0.1}
    pooled = {"measure": [*MEASURES, "calibration_error"], "value": value, **interval, "chance": 0.25}
    spread = {"standard_deviation": 0.1, "minimum": 0.2, "maximum": 0.95}
    per_class = {"class": CLASSES, "support": 10, "predicted": [11, 9, 10]}
    for name in ("precision", "recall", "f1"):
        per_class |= {name: value, f"{name}_low": value - 0.05, f"{name}_high": value + 0.05}
    mistakes = {"index": [4, 5, *range(6, 16)], "source": SOURCE, "true": [CLASSES[0], *[CLASSES[2]] * 11]}
    mistakes |= {"predicted": CLASSES[1], "probability": np.linspace(0.99, 0.3, 12), "fold": "01"}
    if model == "fc":
        mistakes = {name: column[:2] if len(column) == 12 else column for name, column in mistakes.items()}
    held_out = {"usage": "PrivateTest", "images": "all", "predictions": ["single", "ensemble", "difference"]}
    held_out |= {"measure": "accuracy", "value": [value, value + 0.01, 0.01], **interval, **spread}
    return {
        "metrics.csv": of_folds,
        "summary.csv": {"measure": MEASURES, "mean": value, **spread, **interval, "chance": 0.25},
        "pooled_metrics.csv": pooled | {"rows": 30, "groups": 28},
        "per_class.csv": per_class,
        "confusion_matrix.csv": {"true": CLASSES, **{name: [3, 4, 5] for name in CLASSES}},
        "calibration.csv": {"from": [0, 0.5], "to": [0.5, 1], "images": [3, 7], "confidence": 0.5, "accuracy": 0.4}
        | {"low": ["", 0.3], "high": ["", 0.6]},
        "misclassified.csv": mistakes,
        "held_out_metrics.csv": held_out | {"folds": 2, "rows": 12, "groups": 12},
    }
