"""Which files a data source consists of.

This module imports the standard library only, because the Snakefile imports it at every start.
"""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from fercv.workflow.errors import InputError
from fercv.workflow.hashing import file_digest

USAGES = ("Training", "PublicTest", "PrivateTest", "Test")
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm"})


def source_files(path: str | Path) -> list[str]:
    """The files that a data source consists of, in an order that does not depend on the file system.

    Args:
        path: of a csv, csv.gz or zip, or of a folder of images.

    Returns:
        The path itself, or the folder's image files (see `walk_files`) sorted by path, by code points.

    Raises:
        InputError: there is no such file or folder, it cannot be reached or walked, it has no image, or a name with
            braces.
    """
    try:
        exists = Path(path).exists()
    except OSError as error:  # a folder closed to the user, a name too long, a network disk that does not answer
        raise InputError(
            f"data.source is {str(path)!r}, which cannot be reached ({error.strerror}); correct the path, or the "
            "permissions on the way to it"
        ) from None
    if not exists:
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


def source_digest(files: Sequence[str], cache: Path) -> str:
    """Digest of the names and contents of a source's files, 32 hexadecimal digits.

    Args:
        files: see `source_files`.
        cache: a JSON file that remembers each file's digest together with its size and the times of its last changes.
            A file is read again only if one of these differs. The cache may be absent, and need not be writable.

    A file that cannot be read counts as empty; the job that needs it tells why.
    """
    known, found = {}, {}
    with contextlib.suppress(OSError, ValueError, TypeError):
        known = {file: list(entry) for file, entry in dict(json.loads(cache.read_text(encoding="utf-8"))).items()}
    for file in files:
        try:
            status = os.stat(file)  # noqa: PTH116 - faster, for 36,000 files
            # An older file that replaces a newer one keeps its old mtime, but its ctime is the time of the change.
            stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
            entry = known.get(file)
            found[file] = entry if entry and entry[:3] == stamp else [*stamp, file_digest(file)]
        except OSError:
            found[file] = [""]
    if found != known:
        with contextlib.suppress(OSError):
            cache.parent.mkdir(parents=True, exist_ok=True)
            aside = cache.with_suffix(f".{os.getpid()}")
            aside.write_text(json.dumps(found), encoding="utf-8")
            aside.replace(cache)
    content = [(file, entry[-1]) for file, entry in found.items()]
    return hashlib.blake2b(repr(content).encode(), digest_size=16).hexdigest()


def walk_files(folder: str | Path, above: frozenset[str] = frozenset()) -> list[str]:
    """Every file of a folder tree that is not hidden nor in a hidden folder, folder by folder.

    Links to files and folders are followed, but not a link to a folder that contains it: that would never end.

    Args:
        folder: where to start; the results begin with it.
        above: real paths of the folders around this one; links to them are not followed.

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


def cannot_be_read(path: Path, error: OSError) -> InputError:
    """The error for a file that the operating system refuses."""
    return InputError(f"{path}: cannot be read ({error.strerror or error}); check the file and its permissions")


def no_image(path: str | Path) -> InputError:
    """The error for a folder or zip without any image."""
    return InputError(
        f"{path}: no image found; expected folders named after the classes, with files ending in "
        f"{', '.join(sorted(IMAGE_SUFFIXES))}"
    )


def is_image(path: str) -> bool:
    """Whether a file is an image, by the ending of its name."""
    return os.path.splitext(path)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122 - six times as fast, for 36,000 files


def natural_key(path: str) -> list[tuple]:
    """Key that sorts paths with their numbers as numbers, otherwise by code points: face2 before face10."""
    key = []
    for part in re.findall("[0-9]+|[^0-9]+", path):
        digits = part.lstrip("0")
        # Numbers of any length compare by their length, then by their digits; leading zeros only break ties.
        key.append((0, len(digits), digits, part) if part[0] in "0123456789" else (1, 0, "", part))
    return key
