"""Every table comes back as it was written: texts as texts, numbers as numbers, whatever they look like."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from helpers import REPOSITORY

import compare_models
import plot_calibration
import plot_comparison
import plot_confusion
import pool_confusion
import score_model
from fercv.data import tables
from fercv.data.tables import (
    COMPARISON,
    METRICS,
    PER_CLASS,
    SAMPLES,
    SUMMARY,
    TEXT,
    Kind,
    confusion_matrix_table,
    is_held_out,
    is_training,
    predictions_table,
    read_confusion_matrix,
    read_predictions,
    read_table,
    write_table,
)

KINDS = {
    name: value
    for name, value in vars(tables).items()
    if name.isupper() and isinstance(value, dict) and isinstance(next(iter(value.values())), Kind)
}
# Names that a reader of csv files may take for numbers, truth values, missing values or the end of a field or row.
ODD = [
    "NA", "null", "None", "nan", "1", "01", "1.0", "1e5", "inf", "true", "False", "-", "é 脸", 'a,"b"', "a\rb", "a\nb",
]  # fmt: skip


RECORD = '{"software": {}, "precision": "float32", "predictions_sha256": "another"}'


def table_of(types):
    """A table with the given columns. Its texts are the odd names, where any text may stand."""
    numbers = np.arange(len(ODD))
    fractions = np.random.default_rng(0).random(len(ODD)) * 10.0**-numbers
    return pd.DataFrame({name: values_of(kind, numbers, fractions) for name, kind in types.items()})


def values_of(kind, numbers, fractions):
    if kind.choices:
        return [kind.choices[number % len(kind.choices)] for number in numbers]
    whole = np.minimum(numbers + int(max(0, kind.lowest)), kind.highest).astype(np.int64)
    return {"str": ODD, "int64": whole, "float64": fractions}[kind.dtype]


@pytest.mark.parametrize("name", KINDS)
def test_a_table_comes_back_as_it_was(tmp_path, name):
    table = table_of(KINDS[name])
    write_table(table, tmp_path / "table.csv")
    read = read_table(tmp_path / "table.csv", KINDS[name])
    assert list(map(str, read.dtypes)) == [kind.dtype for kind in KINDS[name].values()]
    pd.testing.assert_frame_equal(read, table)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("types", [SAMPLES, COMPARISON], ids=["samples", "comparison"])
def test_a_column_of_one_odd_name_alone_stays_text(tmp_path, types, odd):
    """If all values of a column look like numbers, a reader that guesses types is wrong."""
    table = table_of(types).assign(**{name: odd for name, kind in types.items() if kind == TEXT})
    write_table(table, tmp_path / "table.csv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.csv", types), table)


def test_an_empty_field_is_an_empty_text_or_a_missing_number(tmp_path):
    table = table_of(COMPARISON).assign(versus="", p_value=np.nan)
    write_table(table, tmp_path / "table.csv")
    read = read_table(tmp_path / "table.csv", COMPARISON)
    assert list(read["versus"]) == [""] * len(ODD)
    assert read["p_value"].dtype == np.float64 and read["p_value"].isna().all()


def test_lines_end_in_a_line_feed_and_the_index_is_not_written(tmp_path):
    write_table(pd.DataFrame({"index": [3, 5], "fold": [1, 0]}, index=[7, 8]), tmp_path / "folds.csv")
    assert (tmp_path / "folds.csv").read_bytes() == b"index,fold\n3,1\n5,0\n"


def test_whole_probabilities_and_measures_are_fractions_too(tmp_path):
    table = predictions_table([4, 2], [0, 1], np.array([[0, 1], [1, 0]]), ["NA", "1"])
    write_table(table, tmp_path / "predictions.csv")
    read = read_predictions(tmp_path / "predictions.csv", ["NA", "1"])
    assert list(read.columns) == ["index", "label", "NA", "1"]
    assert list(map(str, read.dtypes)) == ["int64", "int64", "float64", "float64"]


def test_float32_probabilities_survive(tmp_path):
    probabilities = np.random.default_rng(1).dirichlet(np.ones(7), 500).astype(np.float32)
    table = predictions_table(np.arange(500), np.zeros(500, int), probabilities, list("abcdefg"))
    write_table(table, tmp_path / "predictions.csv")
    read = read_predictions(tmp_path / "predictions.csv", list("abcdefg"))[list("abcdefg")].to_numpy(np.float32)
    np.testing.assert_array_equal(read, probabilities)


def test_a_confusion_matrix_comes_back_with_its_class_names(tmp_path):
    names = [name for name in ODD if name != "true"]  # which the config refuses
    counts = np.arange(len(names) ** 2).reshape(len(names), -1)
    write_table(confusion_matrix_table(counts, names), tmp_path / "matrix.csv")
    read, classes = read_confusion_matrix(tmp_path / "matrix.csv")
    assert classes == names
    assert read.dtype == np.int64
    np.testing.assert_array_equal(read, counts)


def test_rows_for_training_are_those_of_that_usage_or_of_an_unknown_one():
    usages = ["Training", "", "PublicTest", "PrivateTest", "Test"]
    samples = pd.DataFrame({"usage": usages, "excluded": ""})
    assert list(is_training(samples)) == [True, True, False, False, False]
    assert list(is_held_out(samples)) == [False, False, True, True, True]


def test_rows_that_are_left_out_are_neither_for_training_nor_held_out():
    samples = pd.DataFrame({"usage": ["Training", "Training", "Test"], "excluded": ["blank", "held_out_twin", "blank"]})
    assert not is_training(samples).any() and not is_held_out(samples).any()


def test_models_and_classes_may_bear_odd_names(tmp_path):
    """From the folds' predictions to the comparison and its pictures."""
    models, classes, folds = ["NA", "null", "true"], ["NA", "1", "null"], ["00", "01"]
    rng = np.random.default_rng(0)
    for model in models:
        (tmp_path / model).mkdir()
        for fold in folds:
            table = predictions_table(range(30), np.arange(30) % 3, rng.dirichlet([1, 1, 1], 30), classes)
            write_table(table, tmp_path / model / f"{fold}.csv")
            (tmp_path / model / f"{fold}.json").write_text(RECORD)
        names = ("matrix", "metrics", "summary", "pooled", "per_class", "calibration", "groups")
        files = {name: tmp_path / model / f"{name}.csv" for name in names}
        write_table(pd.DataFrame({"index": range(30), "group": range(30)}), files["groups"])
        params = SimpleNamespace(classes=classes, folds=folds, seed=1)
        shared = {"wildcards": SimpleNamespace(model=model), "params": params}
        shared["input"] = SimpleNamespace(
            predictions=[tmp_path / model / f"{fold}.csv" for fold in folds],
            metrics=[tmp_path / model / f"{fold}.json" for fold in folds],
            matrix=files["matrix"],
            groups=files["groups"],
            calibration=files["calibration"],
            pooled=files["pooled"],
        )
        pool_confusion.main(SimpleNamespace(output=SimpleNamespace(**files), **shared))
        score_model.main(SimpleNamespace(output=SimpleNamespace(**files), **shared))
        plot_confusion.main(SimpleNamespace(output=[tmp_path / model / "matrix.png"], **shared))
        plot_calibration.main(SimpleNamespace(output=[tmp_path / model / "calibration.png"], **shared))
        assert read_confusion_matrix(files["matrix"])[1] == classes
        assert list(read_table(files["per_class"], PER_CLASS)["class"]) == classes
        assert list(read_table(files["metrics"], METRICS)["fold"]) == folds
        assert list(read_table(files["summary"], SUMMARY).columns) == list(SUMMARY)

    metrics, comparison = [tmp_path / model / "metrics.csv" for model in models], tmp_path / "comparison.csv"
    shared = {
        "params": SimpleNamespace(models=models, folds=["grouped"] * 3),
        "input": SimpleNamespace(metrics=metrics, comparison=comparison, summary=[metrics[0].with_name("summary.csv")]),
    }
    compare_models.main(SimpleNamespace(output=SimpleNamespace(comparison=comparison), **shared))
    plot_comparison.main(SimpleNamespace(output=[tmp_path / "comparison.png"], **shared))
    read = read_table(comparison, COMPARISON)
    assert list(read.columns) == list(COMPARISON)
    pairs = [("NA", "null"), ("NA", "true"), ("null", "true")]
    assert list(dict.fromkeys(zip(read["model"], read["versus"], strict=True))) == [(m, "") for m in models] + pairs


def test_reading_tables_needs_nothing_heavy():
    """The plots read tables, and start in a second."""
    code = "import sys, fercv.data.tables; print({'sklearn', 'scipy', 'keras', 'tensorflow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY / "scripts", capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
