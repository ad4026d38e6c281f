"""The description of a run, which its checkpoint bears: whatever changes a training must change it.

And which rows a model is trained on: a fold's model, and the final one.
"""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fercv.engine import setup
from fercv.train import job
from fercv.train.checkpoint import Snapshot, UnusableError, read_checkpoint, write_checkpoint
from fercv.train.job import describe_run, read_task, without_excluded
from fercv.workflow.errors import InputError
from fercv.workflow.finished import FINAL


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
    return describe_run(fold, fold.wildcards.fold, fold.seed, engine)


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


@pytest.mark.parametrize(("left_out", "level"), [([1], "INFO"), ([0, 1, 2], "WARNING")])
def test_a_list_that_leaves_out_much_is_a_warning(caplog, left_out, level):
    with caplog.at_level("INFO", logger="fercv"):
        without_excluded(np.arange(8), left_out, np.arange(8) % 2, ["sad", "happy"], "cnn fold 00")
    (record,) = caplog.records
    said = f"cnn fold 00: {len(left_out)} of 8 training images are left out, as exclude_from_training says"
    assert (record.levelname, record.getMessage()) == (level, said)


def test_a_list_that_leaves_nothing_of_a_class_is_refused_in_one_line():
    line = r"^cnn fold 00: exclude_from_training leaves no image of class happy to train on; shorten the list$"
    with pytest.raises(InputError, match=line):
        without_excluded(np.array([6, 4, 2, 1]), [1, 3, 6], LABELS, ["sad", "happy"], "cnn fold 00")


NUMBERS = np.arange(24)
PERSON = NUMBERS // 4


@pytest.fixture
def persons(fold, tmp_path, monkeypatch):
    """A function of the rows that a list leaves out: a job on six persons with four images each, of two classes.

    No image has a copy. Early stopping holds 0.3 of the persons back.
    """
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 256, (24, 8, 8), dtype=np.uint8))
    samples = pd.DataFrame({"index": NUMBERS, "label": NUMBERS % 2, "usage": "", "duplicate_group": NUMBERS})
    samples.assign(source="x", excluded="").to_csv(tmp_path / "samples.csv", index=False)
    folds = pd.DataFrame({"index": NUMBERS, "fold": PERSON % 3, "group": 4 * PERSON})
    folds.to_csv(tmp_path / "folds.csv", index=False)
    fold.input = SimpleNamespace(
        images=tmp_path / "images.npy", samples=tmp_path / "samples.csv", folds=tmp_path / "folds.csv"
    )
    fold.config = {"directory": str(tmp_path), "experiment": "mine", "folds": {"number": 3}}
    fold.params.excluded = "digest"

    def leaving_out(rows):
        fold.params.definition = {
            "batch_size": 2,
            "early_stopping": {"enabled": True, "fraction": 0.3},
            "exclude_from_training": "list.csv" if rows else None,
        }
        monkeypatch.setattr(job, "excluded_rows", lambda *_: rows)
        return fold

    return leaving_out


@pytest.mark.parametrize("left_out", [[], [4, 5]], ids=["all rows", "some left out"])
def test_early_stopping_sets_whole_groups_of_the_folds_aside(persons, left_out):
    task = read_task(persons(left_out), "00", 7, "cnn fold 00", None)
    assert sorted([*task.training, *task.inner_validation]) == sorted(set(NUMBERS[PERSON % 3 != 0]) - set(left_out))
    assert list(task.validation) == list(NUMBERS[PERSON % 3 == 0])
    assert len(set(PERSON[task.inner_validation])) == 2
    assert not set(PERSON[task.inner_validation]) & set(PERSON[task.training])


@pytest.mark.parametrize(("batch_size", "warned"), [(6, False), (7, True)])
def test_an_epoch_of_few_batches_is_a_warning(persons, caplog, batch_size, warned):
    final = persons([])
    final.params.definition |= {"batch_size": batch_size, "early_stopping": {"enabled": False}}
    read_task(final, FINAL, 7, "cnn final model", None)
    said = "cnn final model: its 24 training images make few batches of 7; set a smaller batch_size"
    assert caplog.messages == [said] * warned


@pytest.mark.parametrize("left_out", [[], [4, 5]], ids=["all rows", "some left out"])
def test_the_final_model_learns_from_all_folds_but_for_what_early_stopping_holds_back(persons, left_out):
    final = persons(left_out)
    task = read_task(final, FINAL, 7, "cnn final model", None)
    assert sorted([*task.training, *task.inner_validation]) == sorted(set(NUMBERS) - set(left_out))
    assert task.validation is None and task.progress is None
    assert len(set(PERSON[task.inner_validation])) == 2
    assert not set(PERSON[task.inner_validation]) & set(PERSON[task.training])
    final.params.definition["early_stopping"]["enabled"] = False
    task = read_task(final, FINAL, 7, "cnn final model", None)
    assert list(task.training) == [number for number in NUMBERS if number not in left_out]
    assert task.inner_validation is None
