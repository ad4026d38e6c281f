"""What the names in a folder or zip of images tell: the class and the usage of each image, and which are refused.

This module imports the standard library only, because the Snakefile looks at the names at every start.
"""

import stat
import textwrap
import unicodedata
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from fercv.data.sources import is_image, no_image
from fercv.workflow.errors import InputError
from fercv.workflow.messages import did_you_mean

SPLITS = {"train": "Training", "training": "Training", "test": "Test"}


def open_zip(path: Path) -> zipfile.ZipFile:
    """Open a zip for reading.

    Raises:
        InputError: it is damaged, or no zip at all.
    """
    try:
        return zipfile.ZipFile(path)
    except Exception as error:  # its class depends on the place of the damage
        raise InputError(f"{path}: no zip, or a damaged one ({one_line(error)}); download or pack it again") from None


def list_zip(path: Path, archive: zipfile.ZipFile) -> tuple[dict[PurePosixPath, zipfile.ZipInfo], list[PurePosixPath]]:
    """List the files of a zip that count.

    Returns:
        The images by name, and the names of the files that are no images.

    Raises:
        InputError: a name leads out of the zip or stands in it twice, an entry is a link or encrypted, or the zip holds
            no image but a csv.
    """
    images, others = {}, []
    for entry in archive.infolist():
        name = check_entry(path, entry)
        if name is None:
            continue
        if not is_image(name.name):
            others.append(name)
        elif name in images:
            raise InputError(f"{path}: the entry {str(name)!r} stands in it twice; pack it again")
        else:
            images[name] = entry
    tables = [name for name in others if name.name.lower().endswith((".csv", ".csv.gz"))]
    if tables and not images:
        raise InputError(f"{path}: it holds {str(min(tables))!r} and no image; unpack it, and name that file instead")
    return images, others


def check_entry(path: Path, entry: zipfile.ZipInfo) -> PurePosixPath | None:
    """The name of a file of a zip; None for a folder, a hidden file, and what macOS adds."""
    text = entry.filename.replace("\\", "/")  # as some Windows programs write it
    name = PurePosixPath(text)
    if name.is_absolute() or ".." in name.parts:
        raise InputError(f"{path}: the entry {entry.filename!r} leads out of the zip; pack it again")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise InputError(f"{path}: the entry {entry.filename!r} is a link; pack what it links to")
    if entry.flag_bits & 1:
        raise InputError(f"{path}: the entry {entry.filename!r} is encrypted; pack it without a password")
    ignored = text.endswith("/") or any(part.startswith(".") or part == "__MACOSX" for part in name.parts)
    return None if ignored else name


def place_images(
    path: Path, names: Iterable[PurePosixPath], classes: Sequence[str]
) -> dict[PurePosixPath, tuple[str, int]]:
    """Tell each image's usage and label from its name.

    Args:
        path: of the folder or zip.
        names: of the images inside it.
        classes: class names, in the order of their labels. Upper and lower case are the same, and so are the forms of
            a letter in Unicode: macOS may store an accent as a character of its own.

    Raises:
        InputError: there is no image at all, or none of some class, an image is in no class folder, or a name has a
            line break.
    """
    # Sorted first, so that of several mistakes the same one is always reported.
    names = sorted(names, key=lambda name: name.parts)
    if not names:
        raise no_image(path)
    labels = {folded(name): label for label, name in enumerate(classes)}
    if not any(name.isdecimal() for name in classes):
        labels |= {str(label): label for label in range(len(classes))}
    wrapping = count_wrapping(names, labels)
    places = {name: locate(path, name, wrapping, labels, classes) for name in names}
    found = {label for _, label in places.values()}
    for label, name in enumerate(classes):
        if label not in found:
            raise InputError(f"{path}: no image of the class {name!r}; add some, or take it out of data.classes")
    return places


def folded(name: str) -> str:
    """A folder's name for comparison: without regard to case and to the forms of a letter in Unicode."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def count_wrapping(names: list[PurePosixPath], labels: dict[str, int]) -> int:
    """Count the outer folders that all images share and that are no class or split: 1 in fer2013/train/happy/7.jpg."""
    deepest = max(names, key=lambda name: len(name.parts)).parts
    for depth, folder in enumerate(deepest[:-2]):
        shared = all(len(name.parts) > depth + 1 and name.parts[depth] == folder for name in names)
        if not shared or folded(folder) in labels or folded(folder) in SPLITS:
            return depth
    return max(0, len(deepest) - 2)


def locate(
    path: Path, name: PurePosixPath, wrapping: int, labels: dict[str, int], classes: Sequence[str]
) -> tuple[str, int]:
    """Tell an image's usage and label from its name, e.g. train/happy/Training_17.jpg, below wrapping folders."""
    check_name(path, name)
    folders = list(name.parts[wrapping:-1])
    split = None
    if folders and folded(folders[0]) not in labels and folded(folders[0]) in SPLITS:
        split = SPLITS[folded(folders.pop(0))]
    if not folders:
        raise InputError(
            f"{path}: {str(name)!r} is in no class folder; expected <class>/<file>, with train/ or test/ above or not"
        )
    label = labels.get(folded(folders[0]))
    if label is None:
        raise InputError(
            f"{path}: the folder {folders[0]!r} (of {str(name)!r}) is no class; data.classes has "
            f"{', '.join(classes)}{did_you_mean(folders[0], classes)}"
        )
    prefix = name.name.split("_")[0] if "_" in name.name else ""
    named = {None: ("Training", "PublicTest", "PrivateTest"), "Test": ("PublicTest", "PrivateTest")}.get(split, ())
    return prefix if prefix in named else split or "", label


def check_name(path: Path, name: PurePosixPath) -> None:
    """Refuse a name that would break the lines of a table."""
    if "\n" in str(name) or "\r" in str(name):
        raise InputError(f"{path}: the name {str(name)!r} has a line break; rename it")


def one_line(error: Exception) -> str:
    """An error's text in one short line, or the name of its class if it has no text."""
    return textwrap.shorten(str(error), 120, placeholder="...") or type(error).__name__
