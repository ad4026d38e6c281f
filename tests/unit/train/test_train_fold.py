"""The description of a run, which its checkpoint bears: whatever changes a fold's training must change it."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fercv.engine import setup
from fercv.train.checkpoint import Snapshot, UnusableError, read_checkpoint, write_checkpoint
from train_fold import describe_run, read_task


@pytest.fixture
def fold(tmp_path):
    """What Snakemake tells a fold's job, and what the job finds out itself."""
    files = {name: tmp_path / name for name in ("images", "samples", "folds")}
    for name, path in files.items():
        path.write_text(name, encoding="utf-8")
    return SimpleNamespace(
        input=SimpleNamespace(**files),
        params=SimpleNamespace(definition={"epochs": 4}, classes=["a", "b"], code={"digest": "abc", "lookups": {}}),
        wildcards=SimpleNamespace(fold="00", model="cnn"),
        seed=7,
        threads=1,
        precision="float32",
    )


def described(fold):
    engine = setup.Engine(setup.software(), fold.precision, fold.threads, setup.devices())
    return describe_run(fold, fold.seed, engine)


def rewrite(name):
    return lambda fold, _: getattr(fold.input, name).write_text("another", encoding="utf-8")


# For each key of the description, a change of the fold, its files or the machine that must change the key.
CHANGES = {
    "definition": lambda fold, _: fold.params.definition.update(epochs=5),
    "classes": lambda fold, _: fold.params.classes.reverse(),
    "fold": lambda fold, _: setattr(fold.wildcards, "fold", "01"),
    "seed": lambda fold, _: setattr(fold, "seed", 8),
    "code": lambda fold, _: fold.params.code.update(digest="abd"),
    "images": rewrite("images"),
    "samples": rewrite("samples"),
    "folds": rewrite("folds"),
    "devices": lambda _, patch: patch.setattr(setup, "devices", lambda: ["another"]),
    "software": lambda _, patch: patch.setattr(setup, "software", lambda: {"keras": "0"}),
    "precision": lambda fold, _: setattr(fold, "precision", "bfloat16"),
    "threads": lambda fold, _: setattr(fold, "threads", 2),
}


def test_every_key_of_the_description_is_changed_below(fold):
    assert described(fold).keys() == CHANGES.keys()


@pytest.mark.parametrize("key", CHANGES)
def test_a_checkpoint_is_refused_where_anything_that_training_follows_from_has_changed(
    fold, tmp_path, monkeypatch, key
):
    path = tmp_path / "cnn_00.checkpoint"
    write_checkpoint(path, described(fold), Snapshot({}, []))
    read_checkpoint(path, described(fold))
    CHANGES[key](fold, monkeypatch)
    with pytest.raises(UnusableError, match=f"^it belongs to another run, with other {key}$"):
        read_checkpoint(path, described(fold))


def test_early_stopping_sets_whole_groups_of_the_folds_aside(fold, tmp_path):
    """Six persons with four images each, of two classes. No image has a copy."""
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 256, (24, 8, 8), dtype=np.uint8))
    numbers = np.arange(24)
    samples = pd.DataFrame({"index": numbers, "label": numbers % 2, "usage": "", "duplicate_group": numbers})
    samples.assign(source="x").to_csv(tmp_path / "samples.csv", index=False)
    person = numbers // 4
    pd.DataFrame({"index": numbers, "fold": person % 3, "group": 4 * person}).to_csv(
        tmp_path / "folds.csv", index=False
    )
    fold.input = SimpleNamespace(
        images=tmp_path / "images.npy", samples=tmp_path / "samples.csv", folds=tmp_path / "folds.csv"
    )
    fold.config = {"directory": str(tmp_path), "experiment": "mine", "folds": {"number": 3}}
    fold.params.definition = {"early_stopping": {"enabled": True, "fraction": 0.3}}
    task = read_task(fold, 7, "cnn fold 00", None)
    assert sorted([*task.training, *task.inner_validation]) == numbers[person % 3 != 0].tolist()
    assert len(set(person[task.inner_validation])) == 2
    assert not set(person[task.inner_validation]) & set(person[task.training])
