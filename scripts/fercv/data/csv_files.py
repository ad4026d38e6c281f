"""The reader of csv files, the form in which Kaggle and courses distribute FER2013: a row for each image."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fercv.data.csv_rows import CHUNK_ROWS, check_pixels, check_row, find_columns, no_rows, read_rows
from fercv.data.tables import Dataset


def read_csv(path: str | Path, classes: Sequence[str] | None, image_size: tuple[int, int]) -> Dataset:
    """Read a csv with columns of labels (`emotion` or `label`) and pixels (`pixels` or `feature`), perhaps `Usage`.

    Pixels are whole numbers from 0 to 255, row by row of the image, separated by spaces. The file is read row by row
    into one uint8 array that grows by half when it is full, so the array takes at most about 1.5 times the memory of
    the images. Plain text and gzip are told apart by content. A byte order mark, CRLF, quoted fields and blank last
    lines are accepted. Without classes, neither labels nor usages are read.

    Raises:
        InputError: see `read_dataset`. The message names the row, counted from 1 without the header.
    """
    path = Path(path)
    height, width = image_size
    images = np.empty((CHUNK_ROWS, height * width), np.uint8)
    labels, usages = [], []
    with contextlib.closing(read_rows(path)) as rows:
        columns = find_columns(path, next(rows), labelled=classes is not None)
        for number, fields in enumerate(rows, start=1):
            label, pixels, usage = check_row(path, number, fields, columns, 1 if classes is None else len(classes))
            if number > len(images):
                images.resize((len(images) * 3 // 2, height * width), refcheck=False)
            images[number - 1] = parse_pixels(path, number, pixels, image_size)
            labels.append(label)
            usages.append(usage)
    count = len(labels)
    if not count:
        raise no_rows(path)
    images.resize((count, height * width), refcheck=False)
    samples = pd.DataFrame({"label": np.array(labels, np.int64), "usage": usages})
    samples["source"] = [f"row {number}" for number in range(1, count + 1)]
    return Dataset(images.reshape(count, height, width), samples)


def parse_pixels(path: Path, number: int, text: str, image_size: tuple[int, int]) -> np.ndarray:
    """Pixels of a row of a csv: int64 (height * width,), each from 0 to 255."""
    text = text.strip()
    try:
        # NumPy reads a sign as the start of the next number, even without a space before it.
        values = None if "-" in text or "+" in text else np.fromstring(text, np.int64, sep=" ")
    except ValueError:
        values = None
    if values is None or (values > 255).any() or len(values) != image_size[0] * image_size[1]:
        check_pixels(path, number, text, image_size)
    return values
