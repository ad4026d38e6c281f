"""The description of a run, which its checkpoint bears: whatever changes a fold's training must change it.

And which rows a fold's model is trained on, where a list leaves some out.
"""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import train_fold
from fercv.engine import setup
from fercv.train.checkpoint import Snapshot, UnusableError, read_checkpoint, write_checkpoint
from fercv.workflow.errors import InputError
from train_fold import describe_run, read_task, without_excluded


@pytest.fixture
def fold(tmp_path):
    """What Snakemake tells a fold's job, and what the job finds out itself."""
    files = {name: tmp_path / name for name in ("images", "samples", "folds")}
    for name, path in files.items():
        path.write_text(name, encoding="utf-8")
    return SimpleNamespace(
        input=SimpleNamespace(**files),
        params=SimpleNamespace(
            definition={"epochs": 4}, classes=["a", "b"], excluded="", code={"digest": "abc", "lookups": {}}
        ),
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
    "excluded": lambda fold, _: setattr(fold.params, "excluded", "abc"),
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


LABELS = np.array([0, 1, 0, 1, 0, 1, 1])


def test_rows_on_a_list_are_left_out_of_the_training_rows_in_their_order():
    training = np.array([6, 4, 2, 1])
    kept = without_excluded(training, [0, 2, 5, 6], LABELS, ["sad", "happy"], "cnn fold 00")
    assert list(kept) == [4, 1]
    assert list(without_excluded(training, [], LABELS, ["sad", "happy"], "cnn fold 00")) == list(training)


def test_a_list_that_leaves_nothing_of_a_class_is_refused_in_one_line():
    line = r"^cnn fold 00: exclude_from_training leaves no image of class happy to train on; shorten the list$"
    with pytest.raises(InputError, match=line):
        without_excluded(np.array([6, 4, 2, 1]), [1, 3, 6], LABELS, ["sad", "happy"], "cnn fold 00")


@pytest.mark.parametrize("left_out", [[], [4, 5]], ids=["all rows", "some left out"])
def test_early_stopping_sets_whole_groups_of_the_folds_aside(fold, tmp_path, monkeypatch, left_out):
    """Six persons with four images each, of two classes. No image has a copy."""
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 256, (24, 8, 8), dtype=np.uint8))
    numbers = np.arange(24)
    samples = pd.DataFrame({"index": numbers, "label": numbers % 2, "usage": "", "duplicate_group": numbers})
    samples.assign(source="x", excluded="").to_csv(tmp_path / "samples.csv", index=False)
    person = numbers // 4
    pd.DataFrame({"index": numbers, "fold": person % 3, "group": 4 * person}).to_csv(
        tmp_path / "folds.csv", index=False
    )
    fold.input = SimpleNamespace(
        images=tmp_path / "images.npy", samples=tmp_path / "samples.csv", folds=tmp_path / "folds.csv"
    )
    fold.config = {"directory": str(tmp_path), "experiment": "mine", "folds": {"number": 3}}
    fold.params.definition = {
        "early_stopping": {"enabled": True, "fraction": 0.3},
        "exclude_from_training": "list.csv" if left_out else None,
    }
    fold.params.excluded = "digest"
    monkeypatch.setattr(train_fold, "excluded_rows", lambda *_: left_out)
    task = read_task(fold, 7, "cnn fold 00", None)
    assert sorted([*task.training, *task.inner_validation]) == sorted(set(numbers[person % 3 != 0]) - set(left_out))
    assert len(set(person[task.inner_validation])) == 2
    assert not set(person[task.inner_validation]) & set(person[task.training])
