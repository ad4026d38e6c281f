"""Which files a data source consists of. Standard library only, since the Snakefile asks at every start."""

import os
import re
from pathlib import Path

from fercv.errors import InputError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm"})


def source_files(path: str | Path) -> list[str]:
    """The files that a data source consists of, in an order that no file system decides.

    Args:
        path: of a csv, csv.gz or zip, or of a folder of images.

    Returns:
        The path itself, or the folder's image files (see `walk_files`) sorted by path, by code points.

    Raises:
        InputError: there is no such file or folder, no image in the folder, a name with braces, or it cannot be walked.
    """
    if not Path(path).exists():
        raise InputError(
            f"data.source is {str(path)!r}, but there is no such file or folder under {Path.cwd()}; "
            "put the data there or correct the path"
        )
    files = sorted(filter(is_image, walk_files(path))) if Path(path).is_dir() else [str(path)]
    if not files:
        raise no_image(path)
    for file in files:
        if "{" in file or "}" in file:
            raise InputError(f"{file}: Snakemake takes braces in a file name for a wildcard; rename it without them")
    return files


def walk_files(folder: str | Path, above: frozenset[str] = frozenset()) -> list[str]:
    """Every file of a folder tree that is not hidden nor in a hidden folder, folder by folder.

    Links to files and folders are followed, except one to a folder that it stands in, which has no end.

    Args:
        folder: where to start; the results begin with it.
        above: real paths of the folders that were gone through to get here.

    Raises:
        InputError: a folder cannot be read, a link leads nowhere, or a name is not UTF-8.
    """
    real = os.path.realpath(folder)
    if real in above:
        return []
    files = []
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    files += walk_files(entry.path, above | {real})
                elif entry.is_file():
                    entry.name.encode()  # samples.csv names every file
                    files.append(entry.path)
                else:
                    raise InputError(f"{entry.path!r} is no file, perhaps a broken link; mend it or take it out")
    except UnicodeEncodeError:
        raise InputError(f"{folder}: the file name {entry.name!r} is not UTF-8; rename it") from None
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror}); correct its permissions or links") from None
    return files


def no_image(path: str | Path) -> InputError:
    """The error for a folder or zip without any image."""
    return InputError(
        f"{path}: no image found; expected folders named after the classes, with files ending in "
        f"{', '.join(sorted(IMAGE_SUFFIXES))}"
    )


def is_image(path: str) -> bool:
    """Whether a file is an image, by the ending of its name."""
    return os.path.splitext(path)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122 - six times as fast, for each of 36,000


def natural_key(path: str) -> list[tuple]:
    """Key that sorts paths with their numbers as numbers, otherwise by code points: face2 before face10."""
    key = []
    for part in re.findall("[0-9]+|[^0-9]+", path):
        digits = part.lstrip("0")
        # Numbers of any length compare by their length, then by their digits; leading zeros only break ties.
        key.append((0, len(digits), digits, part) if part[0] in "0123456789" else (1, 0, "", part))
    return key
