"""The reader of csv files, the form in which Kaggle and courses distribute FER2013: a row for each image."""

import contextlib
import csv
import gzip
import io
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from fercv.data.sources import cannot_be_read
from fercv.data.tables import USAGES, Dataset
from fercv.workflow.errors import InputError
from fercv.workflow.messages import did_you_mean

LABEL_COLUMNS, PIXEL_COLUMNS = ("emotion", "label"), ("pixels", "feature")
PIXEL = re.compile("0*([0-9]{1,2}|1[0-9]{2}|2[0-4][0-9]|25[0-5])")
# The array starts with this many rows. The progress bar advances each time this many rows are read.
CHUNK_ROWS = 2048
# Characters of one field. An unclosed quote reads on to this limit; the pixels of a 1500 x 1500 image stay below it.
LONGEST_FIELD = 10_000_000


def read_csv(path: str | Path, classes: Sequence[str], image_size: tuple[int, int], progress: bool = True) -> Dataset:
    """Read a csv with columns of labels (`emotion` or `label`) and pixels (`pixels` or `feature`), perhaps `Usage`.

    Pixels are whole numbers from 0 to 255, row by row of the image, separated by spaces. The file is read row by row
    into one uint8 array that grows by half when it is full, so the array takes at most about 1.5 times the memory of
    the images. Plain text and gzip are told apart by content. A byte order mark, CRLF, quoted fields and blank last
    lines are accepted.

    Raises:
        InputError: see `read_dataset`. The message names the row, counted from 1 without the header.
    """
    path = Path(path)
    height, width = image_size
    images = np.empty((CHUNK_ROWS, height * width), np.uint8)
    labels, usages = [], []
    # The reader is closed even after an error: the progress bar must end before the error is shown.
    with contextlib.closing(read_rows(path, progress)) as rows:
        columns = find_columns(path, next(rows))
        for number, fields in enumerate(rows, start=1):
            label, pixels, usage = check_row(path, number, fields, columns, len(classes))
            if number > len(images):
                images.resize((len(images) * 3 // 2, height * width), refcheck=False)
            images[number - 1] = parse_pixels(path, number, pixels, image_size)
            labels.append(label)
            usages.append(usage)
    count = len(labels)
    if not count:
        raise InputError(f"{path}: a header but no rows; expected a row for each image")
    images.resize((count, height * width), refcheck=False)
    samples = pd.DataFrame({"label": np.array(labels, np.int64), "usage": usages})
    samples["source"] = [f"row {number}" for number in range(1, count + 1)]
    return Dataset(images.reshape(count, height, width), samples)


def read_rows(path: Path, progress: bool) -> Iterator[list[str] | None]:
    """Read a csv or csv.gz row by row.

    Yields:
        The fields of the header, None where the file is empty; then the fields of each row that is not blank.

    Raises:
        InputError: the file cannot be read, is a damaged gzip, is not UTF-8 text, or not comma-separated.
    """
    csv.field_size_limit(LONGEST_FIELD)
    shown = {"unit": "B", "unit_scale": True, "desc": path.name, "disable": None if progress else True}
    number = 0
    try:
        with path.open("rb") as raw, tqdm(total=path.stat().st_size, **shown) as bar:
            zipped = raw.peek(2)[:2] == b"\x1f\x8b"
            text = io.TextIOWrapper(gzip.GzipFile(fileobj=raw) if zipped else raw, encoding="utf-8-sig", newline="")
            rows = csv.reader(text)
            yield next(rows, None)
            for fields in filter(None, rows):
                yield fields
                number += 1
                if number % CHUNK_ROWS == 0:
                    bar.update(raw.tell() - bar.n)
            bar.update(raw.tell() - bar.n)
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
    """Positions of the columns of a csv, and how many fields a row has; usage is None where there is none."""

    label: int
    pixels: int
    usage: int | None
    count: int


def find_columns(path: Path, header: list[str] | None) -> Columns:
    """Find the columns by name, whatever their order, case and surrounding spaces."""
    if header is None:
        raise InputError(f"{path}: empty; expected a header such as emotion,pixels,Usage")
    found = [name.strip().lower() for name in header]

    def position(names):
        positions = [index for index, name in enumerate(found) if name in names]
        if len(positions) > 1:
            raise InputError(f"{path}: {len(positions)} columns named {' or '.join(names)} in the header; expected one")
        return positions[0] if positions else None

    label, pixels = position(LABEL_COLUMNS), position(PIXEL_COLUMNS)
    for names, index in ((LABEL_COLUMNS, label), (PIXEL_COLUMNS, pixels)):
        if index is None:
            shown = ",".join(header)
            raise InputError(
                f"{path}: no column named {' or '.join(names)} in the header "
                f"{shown if len(shown) < 80 else shown[:77] + '...'!r}; expected emotion,pixels,Usage or label,feature"
            )
    return Columns(label, pixels, position(("usage",)), len(header))


def check_row(path: Path, number: int, fields: list[str], columns: Columns, classes: int) -> tuple[int, str, str]:
    """Label, pixels as text and usage of a row of a csv."""
    if len(fields) != columns.count:
        raise InputError(f"{path}: row {number} has {len(fields)} fields, expected {columns.count} as in the header")
    label = fields[columns.label].strip()
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


def parse_pixels(path: Path, number: int, text: str, image_size: tuple[int, int]) -> np.ndarray:
    """Pixels of a row of a csv: int64 (height * width,), each from 0 to 255."""
    text = text.strip()
    try:
        # NumPy reads a sign as the start of the next number, even without a space before it.
        values = None if "-" in text or "+" in text else np.fromstring(text, np.int64, sep=" ")
    except ValueError:
        values = None
    if values is None or (values > 255).any():
        odd = next(word for word in re.findall(r"\S+", text, re.ASCII) if not PIXEL.fullmatch(word))
        raise InputError(f"{path}: row {number} has the pixel {odd[:40]!r}, expected whole numbers from 0 to 255")
    height, width = image_size
    if len(values) != height * width:
        raise InputError(
            f"{path}: row {number} has {len(values)} pixels, expected {height} x {width} = {height * width}; "
            "correct the row, or data.image_size"
        )
    return values
