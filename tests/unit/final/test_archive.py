"""The zip of a final model, and the example in it, which runs without this program."""

import os
import re
import runpy
import subprocess
import sys
import zipfile
from types import SimpleNamespace

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
    transparent = Image.fromarray(image).convert("LA")
    transparent.putalpha(
        Image.fromarray(np.where(np.arange(32) < 9, 0, 255)[np.newaxis].repeat(36, 0).astype(np.uint8))
    )
    transparent.save(tmp_path / "face.png")
    image[:, :9] = 255  # The data readers lay transparent pixels over white.
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


@pytest.mark.parametrize("kind", ["keras", "onnx"])
@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (np.full((4, 4), 40_000, np.uint16), "8 bits for each channel expected, the mode I;16 found; convert it first"),
        (None, "one image expected: python example.py face.png"),
    ],
    ids=["16 bits", "no image"],
)
def test_the_example_refuses_what_it_would_convert_in_another_way(tmp_path, monkeypatch, kind, pixels, said):
    (tmp_path / "example.py").write_text(example_code(kind == "onnx"), encoding="utf-8")
    (tmp_path / "model.json").write_bytes(model_description(CLASSES, (36, 32), False))
    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace())
    arguments = [] if pixels is None else [str(tmp_path / "face.png")]
    if arguments:
        Image.fromarray(pixels).save(arguments[0])
    monkeypatch.setattr(sys, "argv", ["example.py", *arguments])
    with pytest.raises(SystemExit, match=re.escape(said)):
        runpy.run_path(str(tmp_path / "example.py"))


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
