"""Tables of the page: numbers that are short and right, and intervals beside their values."""

import pandas as pd
import pytest

from fercv.report.tables import holds_numbers, shown, table_view


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (["1530", "7", ""], ["1530", "7", ""]),
        (["0.81234567", "0.5", ""], ["0.812", "0.500", ""]),
        (["8.5", "12"], ["8.5", "12.0"]),
        (["2.468e-05", "0.4", "0.0"], ["2.5e-05", "0.400", "0.000"]),
        (["-0.25", "-0.0"], ["-0.25", "0.00"]),
        (["3e2"], ["300.000"]),
    ],
    ids=["whole", "rounded", "few digits", "tiny", "negative", "power"],
)
def test_numbers_of_a_column_have_as_many_digits(values, texts):
    assert shown(values) == texts


@pytest.mark.parametrize(("values", "are"), [(["1", "2e-3", ""], True), (["00", "01"], False), (["", ""], False)])
def test_names_of_folds_are_no_numbers(values, are):
    assert holds_numbers(values) == are


def test_an_interval_stands_beside_its_value_and_the_csvs_value_is_kept():
    table = pd.DataFrame(
        {
            "model": ["cnn", "fc"],
            "mean": ["0.81234", "0.5"],
            "low": ["0.7", ""],
            "high": ["0.9", ""],
            "recall": ["0.5", "0.25"],
            "recall_low": ["-0.1", "0.125"],
            "recall_high": ["0.6", "0.375"],
            "p_adjusted": ["0.03", ""],
        }
    )
    view = table_view(table, "Title", total=9)
    assert [(column.heading, column.is_number, column.has_interval) for column in view.columns] == [
        ("model", False, False), ("mean", True, True), ("recall", True, True), ("p adjusted", True, False)
    ]  # fmt: skip
    first, second = view.rows
    assert [tuple(cell) for cell in first[:3]] == [
        ("cnn", "cnn", ""), ("0.812", "0.81234", "0.7\N{EN DASH}0.9"), ("0.50", "0.5", "-0.100 to 0.600")
    ]  # fmt: skip
    assert tuple(second[1]) == ("0.500", "0.5", "")
    assert (view.models, view.total) == (["cnn", "fc"], 9)


def test_a_table_without_rows_has_none():
    view = table_view(pd.DataFrame({"index": [], "sample": []}, dtype=str), "Title")
    assert (view.rows, view.total) == ([], 0)
