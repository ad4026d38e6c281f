"""The same seed, the same bytes: whatever the place, the language, the number of jobs at a time."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from helpers import Workflow, contents

pytestmark = pytest.mark.slow  # whole runs again

HOSTILE = {"floatx": "float16", "epsilon": 0.1, "backend": "torch", "image_data_format": "channels_first"}


@pytest.fixture
def turkish(tmp_path):
    """Environment of a Turkish user: commas in decimals, and an i whose capital is no I."""
    made = tmp_path / "locales" / "tr_TR.UTF-8"
    made.parent.mkdir()
    subprocess.run([shutil.which("localedef") or "true", "-i", "tr_TR", "-f", "UTF-8", made], capture_output=True)
    environment = {"LC_ALL": "tr_TR.UTF-8"} | ({"LOCPATH": str(made.parent)} if made.exists() else {})
    said = subprocess.run(
        [sys.executable, "-c", "import locale as l; l.setlocale(l.LC_ALL, ''); print(l.format_string('%.1f', 1.5))"],
        capture_output=True, text=True, env=os.environ | environment,
    )  # fmt: skip
    return environment, said.stdout.strip() == "1,5"


def test_a_turkish_locale_is_at_hand(turkish):
    """Without it the next test says nothing about the language."""
    if not turkish[1]:
        pytest.skip("no Turkish locale here; Debian's package locales has what it is made of")


def test_a_second_run_elsewhere_gives_the_same_bytes(finished, tmp_path, monkeypatch, turkish):
    """It runs in another folder, one job at a time, with another language, time zone, hash seed and a keras.json."""
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "keras.json").write_text(json.dumps(HOSTILE))
    workflow = Workflow(tmp_path / "a folder of its own")
    workflow.folder.mkdir()
    # keras.json asks for another backend. The tests' own variable would hide that.
    monkeypatch.delenv("KERAS_BACKEND")
    workflow.run(
        "--cores", "1", KERAS_HOME=str(tmp_path / "keras"), TZ="Asia/Tokyo", PYTHONHASHSEED="7", **turkish[0]
    )  # fmt: skip
    first, second = contents(finished), contents(workflow)
    assert set(first) == set(second)
    assert {name for name in first if first[name] != second[name]} == set()
    kinds = {name.rpartition(".")[2] for name in first}
    assert kinds == {"csv", "json", "keras", "npy", "npz", "png", "txt"}


def test_a_fold_does_not_depend_on_what_was_trained_before(finished, tmp_path):
    workflow = Workflow(tmp_path)
    workflow.run("results/demo-tiny/cnn/folds/01/metrics.json", overlay={"models": ["cnn"]})
    alone = contents(workflow)
    assert {name for name in alone if alone[name] != contents(finished)[name]} == set()
    assert "demo-tiny/cnn/folds/01/model.keras" in alone


def test_another_seed_gives_other_bytes(finished, tmp_path):
    """The control: the comparison sees a difference where there is one."""
    workflow = Workflow(tmp_path)
    workflow.run("results/demo-tiny/data/folds.csv", overlay={"seed": 2018})
    other = contents(workflow)
    assert {name for name in other if other[name] != contents(finished)[name]} == set(other)
