"""A file of the results that was changed or damaged is refused in one line that names the file and what to do."""

import numpy as np
import pandas as pd
import pytest

from fercv.data.tables import (
    COMPARISON,
    FOLDS,
    HELD_OUT_PREDICTIONS,
    HISTORY,
    METRICS,
    SAMPLES,
    SUMMARY,
    confusion_matrix_table,
    predictions_table,
    read_confusion_matrix,
    read_history,
    read_predictions,
    read_record,
    read_table,
    write_table,
)
from fercv.evaluate.measures import fold_measures, predicted_classes
from fercv.workflow.errors import InputError

CLASSES = ["angry", "happy", "sad"]
PROBABILITIES = np.array([[0.5, 0.25, 0.25], [0.125, 0.75, 0.125], [0.25, 0.25, 0.5]])


def good_predictions():
    return predictions_table([4, 7, 9], [0, 1, 0], PROBABILITIES, CLASSES)


def refusal_of(path, read):
    """The one line with which a file is refused."""
    with pytest.raises(InputError) as refused:
        read()
    line = str(refused.value)
    assert line.startswith(f"{path}: ")
    assert line.endswith("delete it, and the same command makes it again")
    assert line.isprintable()
    return line


def cell(row, column, value):
    def change(text):
        lines = [line.split(",") for line in text.splitlines()]
        lines[row][lines[0].index(column)] = value
        return "\n".join(map(",".join, lines)) + "\n"

    return change


def add_column(text, name):
    return "\n".join(f"{line},{0 if number else name}" for number, line in enumerate(text.splitlines())) + "\n"


DAMAGE = {
    "sum": (cell(2, "happy", "0.5"), "row 2: the probabilities sum to 0.75, expected 1"),
    "no number": (cell(2, "happy", "nan"), "row 2: happy is 'nan', expected a number from 0 to 1"),
    "no field": (cell(2, "happy", ""), "row 2: happy is '', expected a number from 0 to 1"),
    "too much": (cell(3, "sad", "1e300"), "row 3: sad is '1e300', expected a number from 0 to 1"),
    "negative": (cell(1, "angry", "-5"), "row 1: angry is '-5'"),
    "above one": (cell(1, "angry", "6"), "row 1: angry is '6'"),
    "text": (cell(1, "angry", "half"), "row 1: angry is 'half'"),
    "another class": (cell(2, "label", "3"), "row 2: label is '3', expected a whole number from 0 to 2"),
    "half a class": (cell(2, "label", "0.5"), "row 2: label is '0.5', expected a whole number"),
    "repeated index": (cell(3, "index", "4"), "row 3: index is '4', which stands in a row before"),
    "negative index": (cell(3, "index", "-1"), "row 3: index is '-1', expected a whole number from 0"),
    "renamed column": (lambda text: text.replace("happy", "hapy"), "lacks the column happy; did you mean 'hapy'"),
    "another column": (lambda text: add_column(text, "calm"), "has the column calm, but the classes are angry"),
    "no rows": (lambda text: text.splitlines()[0] + "\n", "has no rows"),
    "nothing": (lambda text: "", "is no table with the columns index, label, angry, happy, sad"),
    "a row too long": (lambda text: text + "1,2,3,4,5,6,7\n", "is no table"),
    "rows too long": (lambda text: add_column(text, "calm").replace(",calm", ""), "is no table"),
    "a row too short": (lambda text: text + "11,2\n", "row 4: angry is ''"),
    "cut in a quote": (lambda text: text + '"11', "is no table"),
    "binary": (lambda text: b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe" + bytes(range(256)), ""),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_predictions_with_damage_are_refused_with_file_row_and_column(tmp_path, damage):
    change, expected = DAMAGE[damage]
    path = tmp_path / "predictions.csv"
    write_table(good_predictions(), path)
    read_predictions(path, CLASSES)
    changed = change(path.read_text())
    path.write_bytes(changed if isinstance(changed, bytes) else changed.encode())
    line = refusal_of(path, lambda: read_predictions(path, CLASSES))
    assert expected in line


@pytest.mark.parametrize(
    ("kinds", "row", "change", "expected"),
    [
        (SAMPLES, [0, 1, "training", 0, "a.png", ""], {}, "usage is 'training', expected one of"),
        (SAMPLES, [3, 1, "Training", 0, "a.png", ""], {}, "row 1: index is '3', expected 0, and one more each row"),
        (
            SAMPLES,
            [0, 7, "Training", 0, "a.png", ""],
            {"below": {"label": 7}},
            "label is '7', expected a whole number from",
        ),
        (FOLDS, [5, 2, 5], {"below": {"fold": 2}}, "fold is '2', expected a whole number from 0 to 1"),
        (FOLDS, ["a", 2, 5], {}, "index is 'a', expected a whole number from 0"),
        (HISTORY, [0, 1, 1, 1, 1, 1, 1, 1, 1], {}, "epoch is '0', expected a whole number from 1"),
        (HISTORY, [1, 1, 1.5, 1, 1, 1, 1, 1, 1], {}, "accuracy is '1.5', expected a number from 0 to 1"),
        (METRICS, ["00", 0.5, 0.5, -0.5, 1, 9], {}, "macro_f1 is '-0.5'"),
        (METRICS, ["00", 0.5, 0.5, 0.5, 1, "many"], {}, "n is 'many'"),
        (SUMMARY, ["accuracy", "?", 0, 0, 0, 0, 0, 0], {}, "mean is '?', expected a number"),
        (COMPARISON, ["cnn", "fc", "accuracy", 0, 0, 0, 0, 2, 1, 5], {}, "p_value is '2', expected a number"),
    ],
)
def test_other_tables_are_refused_in_the_same_way(tmp_path, kinds, row, change, expected):
    path = tmp_path / "table.csv"
    write_table(pd.DataFrame([row], columns=list(kinds)), path)
    assert expected in refusal_of(path, lambda: read_table(path, kinds, **change))


@pytest.mark.parametrize("kept", [[0, 0], [1, 1]])
def test_a_history_is_refused_in_which_not_one_epoch_is_kept(tmp_path, kept):
    path = tmp_path / "history.csv"
    table = pd.DataFrame({name: [0.5, 0.5] for name in HISTORY} | {"epoch": [1, 2], "kept": kept})
    write_table(table, path)
    assert f"has {sum(kept)} rows whose kept is 1, expected one row" in refusal_of(path, lambda: read_history(path))


def test_a_confusion_matrix_with_other_rows_than_columns_is_refused(tmp_path):
    path = tmp_path / "confusion_matrix.csv"
    table = confusion_matrix_table(np.eye(3, dtype=int), CLASSES)
    write_table(table.iloc[:2], path)
    assert "rows of the classes angry, happy, but columns of" in refusal_of(path, lambda: read_confusion_matrix(path))
    write_table(table.assign(sad=[0.5, 1, 1]), path)
    assert "row 1: sad is '0.5', expected a whole number" in refusal_of(path, lambda: read_confusion_matrix(path))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{", "is no JSON"),
        (b"\xff\x00", "is no JSON"),
        (b"[]", "lacks the key software"),
        (b'{"software": {}, "precision": "float32"}', "lacks the key predictions_sha256"),
        (b'{"software": 3, "precision": "float32", "predictions_sha256": ""}', "lacks the key software"),
    ],
)
def test_a_damaged_record_of_a_fold_is_refused(tmp_path, content, expected):
    path = tmp_path / "metrics.json"
    path.write_bytes(content)
    assert expected in refusal_of(path, lambda: read_record(path))


def test_probabilities_go_by_the_names_of_their_columns(tmp_path):
    """The order of the columns changes neither the measures nor the predicted classes."""
    path = tmp_path / "predictions.csv"
    write_table(good_predictions(), path)
    read = read_predictions(path, CLASSES)
    write_table(good_predictions()[["sad", "index", "happy", "label", "angry"]], path)
    turned = read_predictions(path, CLASSES)
    pd.testing.assert_frame_equal(turned, read)
    assert list(predicted_classes(turned, CLASSES)) == [0, 1, 2]
    unordered = good_predictions()[["sad", "index", "happy", "label", "angry"]]
    assert fold_measures(unordered, CLASSES) == fold_measures(good_predictions(), CLASSES)
    assert fold_measures(unordered, CLASSES)["accuracy"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("usage", "Training", "row 2: usage is 'Training', expected one of 'PublicTest', 'PrivateTest', 'Test'"),
        ("in_training", "2", "row 2: in_training is '2', expected a whole number from 0 to 1"),
        ("index", "12", "row 2: index is '12', expected a whole number from 0 to 11"),
        ("happy", "0.5", "row 2: the probabilities sum to 0.75, expected 1"),
    ],
)
def test_held_out_predictions_that_were_changed_are_refused(tmp_path, column, value, said):
    table = good_predictions()
    table.insert(2, "usage", "Test")
    table.insert(3, "in_training", 0)
    path = tmp_path / "held_out_predictions.csv"
    write_table(table, path)
    read = read_predictions(path, CLASSES, columns=HELD_OUT_PREDICTIONS, samples=12)
    assert list(read.columns) == [*HELD_OUT_PREDICTIONS, *CLASSES]
    path.write_text(cell(2, column, value)(path.read_text()))
    assert said in refusal_of(path, lambda: read_predictions(path, CLASSES, columns=HELD_OUT_PREDICTIONS, samples=12))
