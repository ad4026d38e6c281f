"""The zip of a final model, and the example in it, which runs without this program."""

import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from fercv.final.archive import example_code, model_description, write_archive
from fercv.nets.models import build_model, predict, save_model

CLASSES = ["calm", "é \"'", "sad"]


def answers(folder, image):
    """What the example says of an image, as {class: probability}."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, folder / "example.py", image], env=environment | {"PYTHONUTF8": "1"}, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    said = [line.split(" ", 1) for line in done.stdout.decode().splitlines()]
    said = {name: float(probability) for probability, name in said}
    assert list(said.values()) == sorted(said.values(), reverse=True)
    return said


@pytest.mark.parametrize("mirrored", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_example_predicts_by_keras_alone_what_the_program_predicts(tmp_path, mirrored):
    image = np.random.default_rng(0).integers(0, 256, (36, 32), np.uint8)
    Image.fromarray(image).save(tmp_path / "face.png")
    model = build_model("cnn", (36, 32, 1), 3, {"width": 0.0625})
    save_model(model, tmp_path / "model.keras")
    files = {"model.keras": (tmp_path / "model.keras").read_bytes(), "example.py": example_code(False).encode()}
    files["model.json"] = model_description(CLASSES, (36, 32), mirrored)
    write_archive(tmp_path / "mine-cnn.zip", files)
    with zipfile.ZipFile(tmp_path / "mine-cnn.zip") as archive:
        archive.extractall(tmp_path)
    expected = predict(model, image[np.newaxis], np.arange(1), 1, mirrored)[0]
    said = answers(tmp_path / "mine-cnn", tmp_path / "face.png")
    assert said == pytest.approx(dict(zip(CLASSES, expected.tolist(), strict=True)), abs=1e-4)


def test_equal_files_give_equal_bytes_whenever_they_are_packed(tmp_path, monkeypatch):
    files = {"README.md": b"# A card", "model.json": b"{}"}
    write_archive(tmp_path / "a.zip", files)
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("time.localtime", lambda *_: (2033, 5, 18, 3, 33, 20, 2, 138, 0))
    content = (tmp_path / "a.zip").read_bytes()
    write_archive(tmp_path / "a.zip", files)
    assert (tmp_path / "a.zip").read_bytes() == content
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == ["a/README.md", "a/model.json"]
        assert archive.read("a/README.md") == b"# A card"
