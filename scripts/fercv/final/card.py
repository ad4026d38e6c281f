"""The model card: what a final model was made of, how good it is, how to use it and what not to use it for.

What such a card should say is from Mitchell et al. (2019), Model Cards for Model Reporting.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import jinja2
import pandas as pd
import yaml

from fercv.data.tables import (
    FINAL_RECORD,
    HELD_OUT_METRICS,
    PER_CLASS,
    POOLED_METRICS,
    SUMMARY,
    read_record,
    read_table,
)
from fercv.final.archive import TEMPLATES, example_code
from fercv.report.computed import named_software


class Figure(NamedTuple):
    """A measure: its value, its 95 % interval and its value by chance, as texts; "" where there is none."""

    value: str
    interval: str
    chance: str


class HeldOut(NamedTuple):
    """A measure on held-out images, averaged over the folds' models: of which usage, on which and how many images."""

    usage: str
    images: str
    measure: str
    figure: Figure
    rows: int


class ClassRow(NamedTuple):
    """A class: its name, the number of its training images, and its recall in the cross-validation."""

    name: str
    rows: int
    recall: Figure


def render_card(folder: str | Path, settings: Mapping) -> str:
    """Write the model card.

    Args:
        folder: of the model's results.
        settings: `experiment`, `model`, `source`, `classes`, `image_size`, `folds` (their number), `held_out`,
            `definition`, and `onnx`, whether there is an ONNX file.

    Returns:
        Markdown. Names of the user's are escaped.

    Raises:
        InputError: a table or training.json is damaged.
    """
    folder = Path(folder)
    summary = read_table(folder / "summary.csv", SUMMARY).set_index("measure")
    pooled = read_table(folder / "pooled_metrics.csv", POOLED_METRICS).set_index("measure")
    record = read_record(folder / "final" / "training.json", FINAL_RECORD)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"plain": plain, "fenced": fenced}
    return environment.get_template("model_card.md.jinja").render(
        settings,
        source=Path(settings["source"]).name,
        record=record,
        software=named_software({name: [version] for name, version in record["software"].items()}),
        recipe=yaml.safe_dump(settings["definition"], sort_keys=False, allow_unicode=True),
        measures={
            "accuracy": figure(summary.loc["accuracy"], "mean"),
            "balanced accuracy": figure(summary.loc["balanced_accuracy"], "mean"),
            "log loss": figure(summary.loc["log_loss"], "mean"),
            "macro F1": figure(pooled.loc["macro_f1"], "value"),
        },
        calibration=figure(pooled.loc["calibration_error"], "value"),
        classes=class_rows(folder, record),
        held_out=held_out_rows(folder) if settings["held_out"] else [],
        example=example_code(settings["onnx"]),
    )


def figure(row: Mapping, value: str) -> Figure:
    """A measure of a table, whose value is in the column `value`."""
    interval = "" if pd.isna(row["low"]) else f"{row['low']:.3f} to {row['high']:.3f}"
    return Figure(decimal(row[value]), interval, decimal(row.get("chance")))


def decimal(number: float | None) -> str:
    """A number with 3 decimals; "" where there is none."""
    return "" if pd.isna(number) else f"{number:.3f}"


def class_rows(folder: Path, record: Mapping) -> list[ClassRow]:
    """The classes, in their order."""
    table = read_table(folder / "per_class.csv", PER_CLASS).rename(columns={"recall_low": "low", "recall_high": "high"})
    rows = {row["class"]: figure(row, "recall") for _, row in table.iterrows()}
    return [ClassRow(name, count, rows[name]) for name, count in record["rows_of_classes"].items()]


def held_out_rows(folder: Path) -> list[HeldOut]:
    """What the folds' models reach on the held-out images, each alone."""
    table = read_table(folder / "held_out_metrics.csv", HELD_OUT_METRICS).query("predictions == 'single'")
    return [
        HeldOut(row["usage"], row["images"], row["measure"], figure(row, "value"), row["rows"])
        for _, row in table.iterrows()
    ]


def plain(text: str) -> str:
    """A text as Markdown that shows just this text, in one line, within a paragraph or a cell of a table."""
    return re.sub(r"([\\`*_\[\]<>&|~$#])", r"\\\1", " ".join(text.split()))


def fenced(text: str, language: str) -> str:
    """A text as a block of code. The fence is longer than any row of backticks in the text."""
    longest = max(map(len, re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
