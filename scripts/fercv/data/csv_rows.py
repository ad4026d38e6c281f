"""The rows of a csv of images: which columns it has, and which rows are refused.

This module imports the standard library only, because the Snakefile looks at the first rows at every start.
"""

import csv
import gzip
import io
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fercv.data.sources import USAGES, cannot_be_read
from fercv.workflow.errors import InputError
from fercv.workflow.messages import did_you_mean

LABEL_COLUMNS, PIXEL_COLUMNS = ("emotion", "label"), ("pixels", "feature")
PIXEL = re.compile("0*([0-9]{1,2}|1[0-9]{2}|2[0-4][0-9]|25[0-5])")
USUAL_PIXELS = frozenset(map(str, range(256)))
# The array of the images starts with this many rows.
CHUNK_ROWS = 2048
# Characters of one field. An unclosed quote reads on to this limit; the pixels of a 1500 x 1500 image stay below it.
LONGEST_FIELD = 10_000_000
# Characters of one row, over all its lines. A small gzip may hold a line that is larger than the memory.
LONGEST_ROW = 12_000_000
# Blank lines in a row. A small gzip may hold any number of them.
LONGEST_GAP = 10_000


def read_rows(path: Path) -> Iterator[list[str] | None]:
    """Read a csv or csv.gz row by row. No more than `LONGEST_ROW` characters are held in memory at a time.

    Args:
        path: of the file. Plain text and gzip are told apart by content.

    Yields:
        The fields of the header, None where the file is empty; then the fields of each row that is not blank.

    Raises:
        InputError: the file cannot be read, is a damaged gzip, is not UTF-8 text, or not comma-separated.
    """
    csv.field_size_limit(LONGEST_FIELD)
    number = length = gap = 0

    def lines(text: io.TextIOBase) -> Iterator[str]:
        nonlocal length
        while line := text.readline(LONGEST_ROW - length + 1):
            length += len(line)
            if length > LONGEST_ROW:
                raise csv.Error(f"a row of more than {LONGEST_ROW:,} characters")
            yield line

    try:
        with path.open("rb") as raw:
            zipped = raw.peek(2)[:2] == b"\x1f\x8b"
            text = io.TextIOWrapper(gzip.GzipFile(fileobj=raw) if zipped else raw, encoding="utf-8-sig", newline="")
            rows = csv.reader(lines(text))
            yield next(rows, None)
            length = 0
            for fields in rows:
                length = 0
                if not fields:
                    gap += 1
                    if gap > LONGEST_GAP:
                        raise csv.Error(f"more than {LONGEST_GAP:,} blank lines in a row")
                    continue
                gap = 0
                yield fields
                number += 1
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason}) after row {number}; save it as UTF-8") from None
    except csv.Error as error:
        raise InputError(
            f"{path}: line {rows.line_num}: {error}; expected comma-separated fields, quotes closed"
        ) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: damaged gzip after row {number} ({error}); download or pack it again") from None
    except OSError as error:
        raise cannot_be_read(path, error) from None


class Columns(NamedTuple):
    """Positions of the columns of a csv, and how many fields a row has; None for a column that is not there."""

    label: int | None
    pixels: int
    usage: int | None
    count: int


def find_columns(path: Path, header: list[str] | None, labelled: bool = True) -> Columns:
    """Find the columns by name, whatever their order, case and surrounding spaces.

    Args:
        path: of the csv.
        header: its first row, None where it is empty.
        labelled: whether labels and usages are asked for; otherwise they count as not there.
    """
    if header is None:
        raise InputError(f"{path}: empty; expected a header such as emotion,pixels,Usage")
    found = [name.strip().lower() for name in header]

    def position(names):
        positions = [index for index, name in enumerate(found) if name in names]
        if len(positions) > 1:
            raise InputError(f"{path}: {len(positions)} columns named {' or '.join(names)} in the header; expected one")
        return positions[0] if positions else None

    label, pixels = position(LABEL_COLUMNS) if labelled else None, position(PIXEL_COLUMNS)
    for names, index in ((LABEL_COLUMNS, label), (PIXEL_COLUMNS, pixels)):
        if index is None and (labelled or names is PIXEL_COLUMNS):
            shown = ",".join(header)
            raise InputError(
                f"{path}: no column named {' or '.join(names)} in the header "
                f"{shown if len(shown) < 80 else shown[:77] + '...'!r}; expected emotion,pixels,Usage or label,feature"
            )
    return Columns(label, pixels, position(("usage",)) if labelled else None, len(header))


def check_row(path: Path, number: int, fields: list[str], columns: Columns, classes: int) -> tuple[int, str, str]:
    """Label, pixels as text and usage of a row of a csv. Without a column of labels, the label is 0."""
    if len(fields) != columns.count:
        raise InputError(f"{path}: row {number} has {len(fields)} fields, expected {columns.count} as in the header")
    label = "0" if columns.label is None else fields[columns.label].strip()
    if not re.fullmatch("[0-9]{1,9}", label) or int(label) >= classes:
        raise InputError(
            f"{path}: row {number} has the label {label[:40]!r}, expected a whole number from 0 to {classes - 1}, the "
            "position of its class in data.classes"
        )
    usage = "" if columns.usage is None else fields[columns.usage].strip()
    if usage not in USAGES and columns.usage is not None:
        raise InputError(
            f"{path}: row {number} has the usage {usage[:40]!r}, expected one of {', '.join(USAGES)}"
            f"{did_you_mean(usage, USAGES)}"
        )
    # `intern` lets all rows of a usage share one string.
    return int(label), fields[columns.pixels], sys.intern(usage)


def check_pixels(path: Path, number: int, text: str, image_size: tuple[int, int]) -> None:
    """Refuse the pixels of a row of a csv that are not as many whole numbers from 0 to 255 as the image has."""
    words = re.findall(r"\S+", text, re.ASCII)
    if not USUAL_PIXELS.issuperset(words):
        for word in words:
            if not PIXEL.fullmatch(word):
                raise InputError(
                    f"{path}: row {number} has the pixel {word[:40]!r}, expected whole numbers from 0 to 255"
                )
    height, width = image_size
    if len(words) != height * width:
        raise InputError(
            f"{path}: row {number} has {len(words)} pixels, expected {height} x {width} = {height * width}; "
            "correct the row, or data.image_size"
        )


def no_rows(path: Path) -> InputError:
    """The error for a csv that has a header only."""
    return InputError(f"{path}: a header but no rows; expected a row for each image")
