"""Tables of the page report.html: how the numbers of a csv are written, and which columns belong together."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

# A number as the csv files have it. A name such as 00 is none.
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?(e[-+]?\d+)?", re.IGNORECASE)
DIGITS = 3  # after the decimal point
# The columns of values, of which a table with the columns `low` and `high` has one.
VALUES = ("mean", "value", "accuracy")


class Cell(NamedTuple):
    """A cell of a table: the text that is shown, the value in the csv, and the interval that is shown with it."""

    text: str
    value: str
    interval: str = ""


class Column(NamedTuple):
    """A column of a table: its heading, whether it holds numbers, and whether these have intervals."""

    heading: str
    is_number: bool
    has_interval: bool


class TableView(NamedTuple):
    """A table as the page shows it.

    title, text: see `fercv.report.sections.Table`.
    columns: its columns.
    rows: for each row its cells.
    models: for each row the model that it is of, or "".
    files: paths of the csv files below the experiment's folder.
    total: how many rows the files have; the page may show only the first ones.
    """

    title: str
    text: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    models: Sequence[str]
    files: Sequence[str]
    total: int


def table_view(table: pd.DataFrame, title: str, text: str = "", files: Sequence[str] = (), total: int = 0) -> TableView:
    """Prepare a table for the page.

    The columns `low` and `high` go into the column of the values, `x_low` and `x_high` into the column `x`.

    Args:
        table: texts, as the csv has them; "" where there is no value.
        title: see `TableView`, also for the next two.
        text: see there.
        files: see there.
        total: how many rows the files have, if the table has only the first ones.
    """
    bounds = {name: _bounds(name, table.columns) for name in table.columns}
    of_intervals = {bound for pair in bounds.values() if pair for bound in pair}
    columns, cells = [], []
    for name in table.columns:
        if name in of_intervals:
            continue
        values = list(table[name])
        is_number = holds_numbers(values)
        columns.append(Column(name.replace("_", " "), is_number, bounds[name] is not None))
        intervals = [""] * len(values)
        if bounds[name]:
            low, high = (shown(list(table[bound])) for bound in bounds[name])
            between = " to " if any(number.startswith("-") for number in low) else "\N{EN DASH}"
            intervals = [f"{a}{between}{b}" if a and b else "" for a, b in zip(low, high, strict=True)]
        texts = shown(values) if is_number else values
        cells.append([Cell(*cell) for cell in zip(texts, values, intervals, strict=True)])
    models = list(table["model"]) if "model" in table else [""] * len(table)
    return TableView(title, text, columns, list(zip(*cells, strict=True)), models, files, max(total, len(table)))


def _bounds(name: str, columns: Sequence[str]) -> tuple[str, str] | None:
    """The names of the columns that hold the interval of a column; None if it has none."""
    own = f"{name}_low", f"{name}_high"
    for pair in [own, ("low", "high")] if name in VALUES else [own]:
        if set(pair) <= set(columns):
            return pair
    return None


def holds_numbers(values: Sequence[str]) -> bool:
    """Whether all values of a column that are not empty are numbers, and at least one is not empty."""
    filled = [value for value in values if value]
    return bool(filled) and all(map(NUMBER.fullmatch, filled))


def shown(values: Sequence[str]) -> list[str]:
    """Numbers of one column as the page shows them: as they are if all are whole, else rounded to 3 digits at most.

    All have as many digits after the point, but for those that would become zero: they keep two digits that count.

    Args:
        values: texts of numbers; "" stays.
    """
    if all(re.fullmatch(r"-?\d*", value) for value in values):
        return list(values)
    # 2.5e-07 has more digits than are shown.
    digits = max(DIGITS if "e" in value.lower() else len(value.partition(".")[2]) for value in values)
    return [_shown(value, min(digits, DIGITS)) if value else "" for value in values]


def _shown(value: str, digits: int) -> str:
    number = float(value)
    text = f"{number:.{digits}f}"
    return f"{number:.1e}" if number and not float(text) else text.removeprefix("-") if not float(text) else text
