"""The target `final`: models trained on all training images, packed for use elsewhere."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
import yaml
from helpers import Workflow, contents, need
from PIL import Image

from fercv.data.tables import FINAL_HISTORY, TIMING
from fercv.nets.models import load_model, predict

MODELS = ("cnn", "fc")
JOBS = {"final": 1, "train_final": 2, "write_model_card": 2, "pack_model": 2}


@pytest.fixture(scope="session")
def finals(finished, tmp_path_factory):
    """A copy of the tiny experiment, with its final models; don't change it."""
    workflow = Workflow(tmp_path_factory.mktemp("finals") / "copy")
    shutil.copytree(finished.folder, workflow.folder)
    jobs = workflow.jobs("final")
    jobs.pop("export_onnx", None)  # which depends on what is installed
    assert jobs == JOBS
    workflow.run("final")
    return workflow


def folder_of(workflow, model):
    return workflow.folder / "results/demo-tiny" / model / "final"


def test_it_makes_the_final_models_and_leaves_the_rest_alone(finals, finished):
    assert finals.jobs("final") == {}
    before, after = contents(finished), contents(finals)
    assert {name for name in before if before[name] != after.get(name)} == set()
    made = {name.removeprefix("demo-tiny/") for name in after.keys() - before.keys()}
    names = {"model.keras", "history.csv", "training.json", "README.md"}
    expected = {f"{model}/final/{name}" for model in MODELS for name in (*names, f"demo-tiny-{model}.zip")}
    assert {name for name in made if not name.endswith(".onnx")} == expected
    assert not (finals.folder / "results/demo-tiny/checkpoints").exists()


@pytest.mark.parametrize("model", MODELS)
def test_a_final_model_has_learned_from_all_training_images(finals, model):
    folder, data = folder_of(finals, model), finals.folder / "results/demo-tiny/data"
    folds, samples = pd.read_csv(data / "folds.csv"), pd.read_csv(data / "samples.csv")
    record = json.loads((folder / "training.json").read_text())
    assert record["training_rows"] == len(folds)
    counts = np.bincount(samples.loc[folds["index"], "label"], minlength=7)
    assert list(record["rows_of_classes"].values()) == counts.tolist()
    history, timing = (pd.read_csv(folder / f"{name}.csv") for name in ("history", "timing"))
    assert (list(history), list(timing)) == (list(FINAL_HISTORY), list(TIMING))
    assert len(history) == len(timing) == record["epochs"]
    # Its weights are neither those of a fold nor the freshly drawn ones of another model.
    images = np.load(data / "images.npy")
    rows = np.arange(8)
    final = predict(load_model(folder / "model.keras"), images, rows, 8)
    for fold in ("00", "01"):
        other = predict(load_model(folder.parent / f"folds/{fold}/model.keras"), images, rows, 8)
        assert np.abs(final - other).max() > 1e-3


@pytest.mark.parametrize("model", MODELS)
def test_the_figures_of_a_card_are_those_of_the_tables(finals, model):
    folder = folder_of(finals, model)
    card = (folder / "README.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in card.splitlines() if line[:1] == "|"]
    found = {tuple(row[:2] if row[0].startswith("Pr") or row[0].startswith("Pu") else row[:1]): row for row in rows}

    def shown(row, value, low="low", high="high"):
        interval = "" if pd.isna(row[low]) else f"{row[low]:.3f} to {row[high]:.3f}"
        return [f"{row[value]:.3f}", interval]

    summary = pd.read_csv(folder.parent / "summary.csv").set_index("measure")
    for measure in ("accuracy", "balanced_accuracy", "log_loss"):
        row = summary.loc[measure]
        assert found[(measure.replace("_", " "),)][1:] == [*shown(row, "mean"), f"{row['chance']:.3f}"]
    pooled = pd.read_csv(folder.parent / "pooled_metrics.csv").set_index("measure")
    assert found[("macro F1",)][1:3] == shown(pooled.loc["macro_f1"], "value")
    assert f"calibration error is {pooled.loc['calibration_error', 'value']:.3f}" in card
    for _, row in pd.read_csv(folder.parent / "per_class.csv").iterrows():
        assert found[(row["class"],)][2:] == shown(row, "recall", "recall_low", "recall_high")
    held_out = pd.read_csv(folder.parent / "held_out_metrics.csv").query("predictions == 'single'")
    assert len(held_out) == 6
    for _, row in held_out.iterrows():
        key = (row["usage"], row["measure"].replace("_", " "))
        assert found[key][2:] == [*shown(row, "value"), str(row["rows"])]
    definition = yaml.safe_load(re.search(r"```yaml\n(.*?)```", card, re.DOTALL)[1])
    assert definition["settings"]["width"] == 0.0625
    assert "knows only drawn faces" in card


@pytest.mark.parametrize("model", MODELS)
def test_the_example_in_the_zip_works_where_it_is_unpacked(finals, tmp_path, model):
    with zipfile.ZipFile(folder_of(finals, model) / f"demo-tiny-{model}.zip") as archive:
        archive.extractall(tmp_path)
    (unpacked,) = tmp_path.iterdir()
    assert unpacked.name == f"demo-tiny-{model}"
    assert {path.name for path in unpacked.iterdir()} >= {"README.md", "model.keras", "model.json", "example.py"}
    image = np.load(finals.folder / "results/demo-tiny/data/images.npy")[5]
    Image.fromarray(image).save(tmp_path / "face.png")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, unpacked / "example.py", "face.png"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = {name: float(probability) for probability, name in map(str.split, done.stdout.splitlines())}
    classes, mirrored = (
        json.loads((unpacked / "model.json").read_text())[key] for key in ("classes", "mirrored_prediction")
    )
    expected = predict(load_model(unpacked / "model.keras"), image[np.newaxis], np.arange(1), 1, mirrored)[0]
    assert said == pytest.approx(dict(zip(classes, expected.tolist(), strict=True)), abs=1e-4)


@pytest.mark.slow  # it trains again
def test_a_second_run_gives_the_same_bytes(finals, finished, tmp_path):
    """Other processes name what they make in another order. So this shows that the names in an ONNX file are fixed."""
    need("tf2onnx", "requirements-onnx.txt", "FERCV_NEEDS_ONNX")
    workflow = Workflow(tmp_path / "copy")
    shutil.copytree(finished.folder, workflow.folder)
    workflow.run("final", PYTHONHASHSEED="7", TZ="Asia/Tokyo")
    first, second = contents(finals), contents(workflow)
    assert first.keys() == second.keys() and any(name.endswith(".onnx") for name in first)
    assert {name for name in first if first[name] != second[name]} == set()


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_the_onnx_file_of_a_trained_model_predicts_what_the_program_predicts(finals, model):
    need("tf2onnx", "requirements-onnx.txt", "FERCV_NEEDS_ONNX")
    need("onnxruntime", "requirements-onnx.txt", "FERCV_NEEDS_ONNX")
    from onnxruntime import InferenceSession

    images = np.load(finals.folder / "results/demo-tiny/data/images.npy")
    folder = folder_of(finals, model)
    (found,) = InferenceSession(folder / "model.onnx").run(["probabilities"], {"images": images})
    with zipfile.ZipFile(folder / f"demo-tiny-{model}.zip") as archive:
        mirrored = json.loads(archive.read(f"demo-tiny-{model}/model.json"))["mirrored_prediction"]
    expected = predict(load_model(folder / "model.keras"), images, np.arange(len(images)), 64, mirrored)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
