"""Which files a data source consists of.

This module imports the standard library only, because the Snakefile imports it at every start.
"""

import contextlib
import gzip
import hashlib
import json
import os
import re
import stat
import zlib
from collections.abc import Sequence
from pathlib import Path

from fercv.workflow.errors import InputError
from fercv.workflow.hashing import file_digest
from fercv.workflow.messages import did_you_mean

USAGES = ("Training", "PublicTest", "PrivateTest", "Test")
# The first bytes of 7z, RAR, bzip2 and xz; at TAR_MARK of a tar stands `ustar`.
OTHER_ARCHIVES = (b"7z\xbc\xaf\x27\x1c", b"Rar!", b"BZh", b"\xfd7zXZ")
TAR_MARK = 257
# Folders inside each other, more than any data set has.
DEEPEST = 50
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm"})


def source_files(path: str | Path, setting: str = "data.source") -> list[str]:
    """The files that a data source consists of, in an order that does not depend on the file system.

    Args:
        path: of a csv, csv.gz or zip, or of a folder of images.
        setting: the name of the setting that holds the path, for messages.

    Returns:
        The path itself, or the folder's image files (see `walk_files`) sorted by path, by code points.

    Raises:
        InputError: there is no such file or folder, it is a pipe or a device, it cannot be reached or walked, it has no
            image.
    """
    try:
        mode = Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        known = ["synthetic"] if setting == "data.source" else []
        hint = did_you_mean(path, known) or "; put the data there or correct the path"
        raise InputError(
            f"{setting} is {str(path)!r}, but there is no such file or folder under {Path.cwd()}{hint}"
        ) from None
    except ValueError:
        raise InputError(f"{setting} is {str(path)!r}, which is no path; correct it") from None
    except OSError as error:  # a folder closed to the user, a name too long, a network disk that does not answer
        raise InputError(
            f"{setting} is {str(path)!r}, which cannot be reached ({error.strerror}); correct the path, or the "
            "permissions on the way to it"
        ) from None
    # A pipe or a device would be read without end.
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(
            f"{setting} is {str(path)!r}, a pipe, a socket or a device; set it to a csv, csv.gz, zip or folder"
        )
    files = sorted(filter(is_image, walk_files(path))) if stat.S_ISDIR(mode) else [str(path)]
    if not files:
        raise no_image(path, labelled=setting == "data.source")
    return files


def plain_path(source: str) -> str:
    """One way to write a path: `data/mine` for `./data/mine`, `data/mine/` and `data//mine`. `~` is the home folder.

    `synthetic`, the name of the built-in faces, stays what it is; so does a path to a file or folder of that name.
    """
    plain = str(Path(os.path.expanduser(source)))  # noqa: PTH111 - Path's own raises where there is no such user
    return plain if plain != "synthetic" or source == plain else f"./{plain}"


def source_kind(path: Path) -> str:
    """Tell by content and name what a source is: `folder`, `zip` or `csv`.

    Raises:
        InputError: it is nothing of these, or cannot be read.
    """
    if path.is_dir():
        return "folder"
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder; correct the path")
    name = path.name.lower()
    try:
        with path.open("rb") as file:
            start = inner = file.read(TAR_MARK + 5)
            if start.startswith(b"\x1f\x8b"):
                file.seek(0)
                # The reader of csv files tells a damaged gzip, together with the row.
                with contextlib.suppress(EOFError, zlib.error, gzip.BadGzipFile):
                    inner = gzip.GzipFile(fileobj=file).read(TAR_MARK + 5)
    except OSError as error:
        raise cannot_be_read(path, error) from None
    if inner[TAR_MARK:] == b"ustar" or start.startswith(OTHER_ARCHIVES) or name.endswith((".tar.gz", ".tgz")):
        raise InputError(f"{path}: an archive, but no zip; unpack it, and name the folder or csv")
    if start.startswith(b"PK") or name.endswith(".zip"):
        return "zip"
    if start.startswith(b"\x1f\x8b") or name.endswith((".csv", ".csv.gz", ".txt")):
        return "csv"
    raise InputError(f"{path}: neither csv, csv.gz, zip nor a folder of images; convert it, or correct the path")


def source_digest(files: Sequence[str], cache: Path | None = None) -> str:
    """Digest of the names and contents of a source's files, 32 hexadecimal digits.

    Args:
        files: see `source_files`.
        cache: a JSON file that remembers each file's digest together with its size and the times of its last changes.
            A file is read again only if one of these differs. The cache may be absent, and need not be writable. With
            None, every file is read.

    A file that cannot be read counts as empty; the job that needs it tells why.
    """
    known, found = {}, {}
    with contextlib.suppress(OSError, ValueError, TypeError):
        text = cache.read_text(encoding="utf-8") if cache else "{}"
        known = {file: list(entry) for file, entry in dict(json.loads(text)).items()}
    for file in files:
        try:
            status = os.stat(file)  # noqa: PTH116 - faster, for 36,000 files
            # An older file that replaces a newer one keeps its old mtime, but its ctime is the time of the change.
            stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
            entry = known.get(file)
            found[file] = entry if entry and entry[:3] == stamp else [*stamp, file_digest(file)]
        except OSError:
            found[file] = [""]
    if cache and found != known:
        with contextlib.suppress(OSError):
            cache.parent.mkdir(parents=True, exist_ok=True)
            aside = cache.with_suffix(f".{os.getpid()}")
            aside.write_text(json.dumps(found), encoding="utf-8")
            aside.replace(cache)
    content = [(file, entry[-1]) for file, entry in found.items()]
    return hashlib.blake2b(repr(content).encode(), digest_size=16).hexdigest()


def file_stamps(files: Sequence[str]) -> list[tuple[int, ...] | None]:
    """Device, number, size and times of the last changes of each file; None where there is no such file.

    They differ after each change, even if the content and the time of modification are put back.
    """
    stamps = []
    for file in files:
        try:
            status = os.stat(file)  # noqa: PTH116 - faster, for 36,000 files
            stamps.append((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
        except OSError:
            stamps.append(None)
    return stamps


def walk_files(folder: str | Path, walked: dict[str, str | Path] | None = None, above: Sequence[str] = ()) -> list[str]:
    """Every file of a folder tree that is not hidden nor in a hidden folder, folder by folder.

    Links to files and folders are followed, but not a link to a folder that contains it: that would never end.

    Args:
        folder: where to start; the results begin with it.
        walked: the folders that were walked already, by their real paths. It is added to.
        above: real paths of the folders around this one; links to them are not followed.

    Raises:
        InputError: a folder cannot be read, a link leads nowhere, two folders are one and the same by links, folders
            lie too deep inside each other, or a name is not UTF-8.
    """
    walked = {} if walked is None else walked
    real = os.path.realpath(folder)
    if real in above:
        return []
    if real in walked:
        raise InputError(f"{folder}: by links the same folder as {walked[real]}; take one of them out")
    if len(above) > DEEPEST:
        raise InputError(f"{folder}: more than {DEEPEST} folders inside each other; move the images further up")
    walked[real] = folder
    files = []
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    files += walk_files(entry.path, walked, (*above, real))
                elif entry.is_file():
                    entry.name.encode()  # samples.csv names every file
                    files.append(entry.path)
                else:
                    raise InputError(
                        f"{entry.path!r} is no file, perhaps a broken link, a pipe or a device; mend it or take it out"
                    )
    except UnicodeEncodeError:
        raise InputError(f"{folder}: the file name {entry.name!r} is not UTF-8; rename it") from None
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror}); correct its permissions or links") from None
    return files


def cannot_be_read(path: Path, error: OSError) -> InputError:
    """The error for a file that the operating system refuses."""
    return InputError(f"{path}: cannot be read ({error.strerror or error}); check the file and its permissions")


def no_image(path: str | Path, labelled: bool = True) -> InputError:
    """The error for a folder or zip without any image."""
    expected = "folders named after the classes, with files" if labelled else "files"
    return InputError(f"{path}: no image found; expected {expected} ending in {', '.join(sorted(IMAGE_SUFFIXES))}")


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
