"""Which files a data source consists of. Standard library only, since the Snakefile asks at every start."""

import os
import re
from pathlib import Path

from fercv.errors import InputError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm"})


def source_files(source: str) -> list[str]:
    """The files that a data source consists of, in an order that no file system decides.

    Args:
        source: path of a csv, csv.gz or zip, or of a folder of images. Links are followed, hidden files left out.

    Returns:
        The path itself, or the folder's image files sorted by path.

    Raises:
        InputError: there is no such file or folder, or no image in the folder.
    """
    path = Path(source)
    if not path.exists():
        raise InputError(
            f"data.source is {source!r}, but there is no such file or folder under {Path.cwd()}; "
            "put the data there or correct the path"
        )
    if not path.is_dir():
        return [source]
    files = []
    visited = set()
    for folder, folders, names in os.walk(path, followlinks=True):
        real = os.path.realpath(folder)
        # A link to a folder above itself would otherwise be walked for ever.
        folders[:] = [] if real in visited else [name for name in folders if not name.startswith(".")]
        if real not in visited:
            files += [os.path.join(folder, name) for name in names if is_image(name)]  # noqa: PTH118 - 36,000 files
        visited.add(real)
    if not files:
        raise InputError(
            f"{source}: no image found; expected folders named after the classes, with files ending in "
            f"{', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    return sorted(files)


def is_image(name: str) -> bool:
    """Whether a file name is that of an image and not hidden."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122


def natural_key(path: str) -> list:
    """Key that sorts paths with their numbers as numbers, otherwise by code points: face2 before face10."""
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", path) if part]
