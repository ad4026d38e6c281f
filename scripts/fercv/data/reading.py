"""Read labelled images from a csv, from a folder of images by class, or from a zip of such a folder.

Each reader returns the same: grey images of one size, and for each its label, its usage and where it came from.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fercv.data.csv_files import read_csv
from fercv.data.image_files import read_folder, read_zip
from fercv.data.sources import source_kind
from fercv.data.tables import Dataset


def read_dataset(path: str | Path, classes: Sequence[str], image_size: tuple[int, int]) -> Dataset:
    """Read a csv, csv.gz, zip or folder with the reader that fits it.

    Args:
        path: of the file or folder.
        classes: class names, in the order of their labels.
        image_size: (height, width) in pixels. A csv must hold this size; other images are resized.

    Raises:
        InputError: one line that names the place, what was found, what was expected, and what to do.
    """
    path = Path(path)
    readers = {"folder": read_folder, "zip": read_zip, "csv": read_csv}
    return readers[source_kind(path)](path, classes, image_size)


def duplicate_groups(images: np.ndarray) -> np.ndarray:
    """Number the groups of exactly equal images.

    Args:
        images: uint8 (n, height, width).

    Returns:
        int64 (n,): equal images share a number; numbers count up from 0 by first appearance.
    """
    seen = {}
    digests = (hashlib.blake2b(np.ascontiguousarray(image), digest_size=16).digest() for image in images)
    return np.fromiter((seen.setdefault(digest, len(seen)) for digest in digests), np.int64, len(images))
