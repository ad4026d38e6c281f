"""A list of samples that a model is not trained on: they are left out there, and scored all the same."""

import json
import shutil

import pandas as pd
import pytest
from helpers import Workflow

from fercv.data.tables import FOLDS, METRICS, PREDICTIONS, read_table

TARGET = "results/demo-tiny/fc/metrics.csv"
OVERLAY = {"definitions": {"fc": {"exclude_from_training": "doubtful.csv"}}}


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of the tiny experiment."""
    shutil.copytree(finished.folder, tmp_path / "copy")
    return Workflow(tmp_path / "copy")


def write_list(workflow, samples):
    pd.DataFrame({"sample": samples, "given": "sad"}).to_csv(workflow.folder / "doubtful.csv", index=False)


def of_folds(results, name, kinds):
    return [read_table(results / "fc" / "folds" / fold / name, kinds) for fold in ("00", "01")]


def test_what_a_list_names_is_not_trained_on_and_is_scored_all_the_same(copy):
    results = copy.folder / "results/demo-tiny"
    folds = read_table(results / "data/folds.csv", FOLDS)
    before = of_folds(results, "predictions.csv", PREDICTIONS)
    # The first 20 rows are of both folds, and a few of them are held out.
    write_list(copy, [f"face {row}" for row in range(20)])
    assert copy.jobs(TARGET, overlay=OVERLAY)["train_fold"] == 2
    copy.run(TARGET, overlay=OVERLAY)
    predictions = of_folds(results, "predictions.csv", PREDICTIONS)
    for fold, (now, then) in enumerate(zip(predictions, before, strict=True)):
        assert list(now["index"]) == list(then["index"])
        assert not now.equals(then)
        left_out = int((folds.loc[folds["fold"] != fold, "index"] < 20).sum())
        training = int((folds["fold"] != fold).sum())
        record = json.loads((results / f"fc/folds/0{fold}/metrics.json").read_text(encoding="utf-8"))
        assert 0 < left_out < 20
        assert record["training_rows"] == training - left_out
        log = (results / f"logs/train_fold/fc_0{fold}.log").read_text(encoding="utf-8")
        assert f"fc fold 0{fold}: {left_out} of {training} training images are left out" in log
    assert read_table(results / "fc/metrics.csv", METRICS)["n"].sum() == len(folds)


def test_an_unknown_sample_is_refused_by_name(copy):
    write_list(copy, ["face 3", "face 9999"])
    done = copy.run(TARGET, overlay=OVERLAY, check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "doubtful.csv: row 2: sample is 'face 9999', which is not in" in done.stderr.rstrip().splitlines()[-1]
