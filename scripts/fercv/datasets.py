"""Readers of labelled images: csv as Kaggle and courses hand FER2013 out, folders of images by class, zips of these.

All give the same: grey images of one size, and for each a label, a usage and where it came from. Samples of a csv stand
in its order; those of folders and zips by usage (in the order of USAGES, unknown first), class, then path with numbers
compared as numbers. A file system's order plays no role.
"""

import csv
import gzip
import hashlib
import io
import logging
import re
import stat
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm import tqdm

from fercv.errors import InputError
from fercv.sources import is_image, natural_key, source_files

log = logging.getLogger("fercv")

USAGES = ("Training", "PublicTest", "PrivateTest", "Test")
LABEL_COLUMNS, PIXEL_COLUMNS = ("emotion", "label"), ("pixels", "feature")
SPLITS = {"train": "Training", "training": "Training", "test": "Test"}
CHUNK_ROWS = 2048


class Dataset(NamedTuple):
    """Labelled images.

    images: uint8 (n, height, width).
    samples: DataFrame of n rows: label (int64), usage (one of USAGES, or "" where unknown), source (text: the csv's row
        counted from 1 without the header, or the file's path).
    """

    images: np.ndarray
    samples: pd.DataFrame


def read_dataset(source: str, classes: Sequence[str], image_size: tuple[int, int], progress: bool = True) -> Dataset:
    """Read a csv, csv.gz, zip or folder, whichever the path is.

    Args:
        source: the path.
        classes: class names, in the order of their labels.
        image_size: (height, width) in pixels. A csv must hold this size; other images are resized.
        progress: whether a terminal shows a progress bar.

    Raises:
        InputError: one line that names the place, what was found, what was expected, and the mending.
    """
    path = Path(source)
    if path.is_dir():
        return read_folder(path, classes, image_size, progress)
    if not path.is_file():
        raise InputError(f"{source}: no such file or folder; correct data.source")
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith(b"PK"):
        return read_zip(path, classes, image_size, progress)
    if start.startswith(b"\x1f\x8b") or path.suffix.lower() in (".csv", ".txt"):
        return read_csv(path, classes, image_size, progress)
    raise InputError(f"{source}: neither csv, csv.gz, zip nor a folder of images; convert it, or correct data.source")


def read_csv(path: Path, classes: Sequence[str], image_size: tuple[int, int], progress: bool = True) -> Dataset:
    """Read a csv with a column of labels (`emotion` or `label`), one of pixels (`pixels` or `feature`), maybe `Usage`.

    Pixels are whole numbers from 0 to 255, row by row, separated by spaces. The file is read in chunks into one uint8
    array that grows by half, so memory is bounded by about 1.5 times the images, whatever their number. Plain text and
    gzip are told apart by content; a byte order mark, CRLF, quoted fields and a blank last line are accepted.

    Raises:
        InputError: as `read_dataset`, with the number of the row, counted from 1 without the header.
    """
    height, width = image_size
    images = np.empty((CHUNK_ROWS, height * width), np.uint8)
    labels, usages, count = [], [], 0
    with (
        path.open("rb") as raw,
        tqdm(
            total=path.stat().st_size, unit="B", unit_scale=True, desc=path.name, disable=None if progress else True
        ) as bar,
    ):
        zipped = raw.peek(2)[:2] == b"\x1f\x8b"
        text = io.TextIOWrapper(gzip.GzipFile(fileobj=raw) if zipped else raw, encoding="utf-8-sig", newline="")
        csv.field_size_limit(10_000_000)
        rows = csv.reader(text)
        try:
            columns = find_columns(path, next(rows, None))
            chunk = []
            for fields in rows:
                if fields:
                    chunk.append(check_row(path, count + len(chunk) + 1, fields, columns, len(classes)))
                if len(chunk) == CHUNK_ROWS:
                    images = store_chunk(path, images, count, [pixels for _, pixels, _ in chunk], image_size)
                    count, chunk = count + len(chunk), collect(chunk, labels, usages)
                    bar.update(raw.tell() - bar.n)
            images = store_chunk(path, images, count, [pixels for _, pixels, _ in chunk], image_size)
            count, chunk = count + len(chunk), collect(chunk, labels, usages)
            bar.update(raw.tell() - bar.n)
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path}: not UTF-8 text ({error.reason}) near row {count + 1}; save it as UTF-8"
            ) from None
        except csv.Error as error:
            raise InputError(f"{path}: row {rows.line_num - 1}: {error}; expected comma-separated fields") from None
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{path}: damaged gzip after row {count} ({error}); download or pack it again") from None
    if not count:
        raise InputError(f"{path}: a header but no rows; expected a row for each image")
    samples = pd.DataFrame({"label": np.array(labels, np.int64), "usage": usages})
    samples["source"] = [f"row {number}" for number in range(1, count + 1)]
    return Dataset(images[:count].reshape(count, height, width), samples)


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
        close = get_close_matches(usage, USAGES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise InputError(
            f"{path}: row {number} has the usage {usage[:40]!r}, expected one of {', '.join(USAGES)}{hint}"
        )
    return int(label), fields[columns.pixels], usage


def collect(chunk: list, labels: list[int], usages: list[str]) -> list:
    """Move a chunk's labels and usages to the lists of all; return an empty chunk."""
    labels += [label for label, _, _ in chunk]
    usages += [usage for _, _, usage in chunk]
    return []


def store_chunk(path: Path, images: np.ndarray, count: int, texts: list[str], image_size: tuple[int, int]):
    """Parse a chunk of pixel texts into the rows of `images` from `count` on; return the array, grown if need be."""
    needed = count + len(texts)
    if needed > len(images):
        images.resize((max(needed, len(images) * 3 // 2), images.shape[1]), refcheck=False)
    height, width = image_size
    for offset, text in enumerate(texts):
        try:
            values = np.array(text.split(), np.int64)
        except (ValueError, OverflowError):
            values = None
        number = count + offset + 1
        if values is None:
            odd = next(word for word in text.split() if not re.fullmatch("[0-9]{1,9}", word))
            raise InputError(f"{path}: row {number} has the pixel {odd[:40]!r}, expected whole numbers from 0 to 255")
        if len(values) != height * width:
            raise InputError(
                f"{path}: row {number} has {len(values)} pixels, expected {height} x {width} = {height * width}; "
                "correct the row, or data.image_size"
            )
        if values.min() < 0 or values.max() > 255:
            odd = values[(values < 0) | (values > 255)][0]
            raise InputError(f"{path}: row {number} has the pixel {odd}, expected whole numbers from 0 to 255")
        images[count + offset] = values
    return images


class ImageFile(NamedTuple):
    """One image of a folder or zip: its sort keys, its path for messages, and how to read its bytes."""

    usage: str
    label: int
    name: str
    read: Callable[[], bytes]


def read_folder(path: Path, classes: Sequence[str], image_size: tuple[int, int], progress: bool = True) -> Dataset:
    """Read a folder of images by class, with or without train/ and test/ above the classes.

    Raises:
        InputError: as `read_dataset`.
    """
    names = [PurePosixPath(Path(file).relative_to(path).as_posix()) for file in source_files(str(path))]
    readers = [(path / name).read_bytes for name in names]
    return read_images(path, list(zip(names, readers, strict=True)), classes, image_size, progress)


def read_zip(path: Path, classes: Sequence[str], image_size: tuple[int, int], progress: bool = True) -> Dataset:
    """Read a zip of a folder as `read_folder` takes it; nothing is unpacked.

    Raises:
        InputError: as `read_dataset`; also for names that lead out of the zip, links and encrypted entries.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            files = []
            for entry in archive.infolist():
                name = PurePosixPath(entry.filename)
                if entry.is_dir() or "__MACOSX" in name.parts or not is_image(name.name):
                    continue
                if name.is_absolute() or ".." in name.parts or "\\" in entry.filename:
                    raise InputError(f"{path}: the entry {entry.filename!r} leads out of the zip; pack it again")
                if stat.S_ISLNK(entry.external_attr >> 16):
                    raise InputError(f"{path}: the entry {entry.filename!r} is a link; pack the image itself")
                if entry.flag_bits & 1:
                    raise InputError(f"{path}: the entry {entry.filename!r} is encrypted; pack it without a password")
                files.append((name, lambda entry=entry: archive.read(entry)))
            return read_images(path, files, classes, image_size, progress)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
        raise InputError(f"{path}: damaged zip ({error}); download or pack it again") from None


def read_images(path, files, classes: Sequence[str], image_size: tuple[int, int], progress: bool) -> Dataset:
    """Sort and read image files.

    Args:
        path: of the folder or zip.
        files: pairs of the name inside it (PurePosixPath) and a function that returns the file's bytes.
        classes: class names, in the order of their labels.
        image_size: (height, width) in pixels.
        progress: whether a terminal shows a progress bar.
    """
    by_name = {name.casefold(): label for label, name in enumerate(classes)}
    # A folder that wraps all others is not a class.
    while files and len({name.parts[0] for name, _ in files}) == 1 and not is_known(files[0][0].parts[0], by_name):
        if min(len(name.parts) for name, _ in files) < 3:
            break
        files = [(PurePosixPath(*name.parts[1:]), read) for name, read in files]
    found = [locate(path, name, read, by_name, classes) for name, read in files]
    for label, name in enumerate(classes):
        if not any(file.label == label for file in found):
            raise InputError(f"{path}: no image of the class {name!r}; add some, or take it out of data.classes")
    order = ("", *USAGES)
    found.sort(key=lambda file: (order.index(file.usage), file.label, natural_key(file.name)))
    images = np.empty((len(found), *image_size), np.uint8)
    converted = resized = 0
    bar = tqdm(found, unit=" images", desc=Path(path).name, disable=None if progress else True)
    for index, file in enumerate(bar):
        images[index], was_converted, was_resized = decode(path, file, image_size)
        converted += was_converted
        resized += was_resized
    if converted or resized:
        log.warning(
            "%s: of %d images %d were converted to 8-bit grey and %d resized to %dx%d (width x height)",
            path, len(found), converted, resized, image_size[1], image_size[0],
        )  # fmt: skip
    samples = pd.DataFrame(
        {
            "label": np.array([file.label for file in found], np.int64),
            "usage": [file.usage for file in found],
            "source": [file.name for file in found],
        }
    )
    return Dataset(images, samples)


def is_known(folder: str, by_name: dict[str, int]) -> bool:
    """Whether a folder is a class or a split, and so means something."""
    return folder.casefold() in by_name or folder.casefold() in SPLITS


def locate(path, name: PurePosixPath, read, by_name: dict[str, int], classes: Sequence[str]) -> ImageFile:
    """Tell an image's class and usage from its name, e.g. train/happy/Training_17.jpg."""
    parts = list(name.parts)
    split = SPLITS.get(parts[0].casefold()) if len(parts) > 1 and parts[0].casefold() not in by_name else None
    if split is not None:
        parts = parts[1:]
    if len(parts) < 2:
        raise InputError(
            f"{path}: {name} is in no class folder; expected <class>/{name.name}, with train/ or test/ above"
        )
    folder = parts[0]
    label = by_name.get(folder.casefold())
    if label is None and folder.isdecimal() and folder.isascii() and int(folder) < len(classes):
        label = int(folder)
    if label is None:
        close = get_close_matches(folder.casefold(), by_name, n=1)
        hint = f"; did you mean {classes[by_name[close[0]]]!r}?" if close else ""
        raise InputError(
            f"{path}: the folder {folder!r} (of {name}) is no class; data.classes has {', '.join(classes)}{hint}"
        )
    prefix = name.name.split("_")[0]
    if split in (None, "Test") and prefix in USAGES:
        split = prefix
    return ImageFile(split or "", label, str(name), read)


def decode(path, file: ImageFile, image_size: tuple[int, int]) -> tuple[np.ndarray, bool, bool]:
    """Decode an image file to grey.

    Colour is converted by Pillow's luma transform, transparency laid over white, 16 bits scaled to 8, an animation's
    first frame taken, the camera's orientation applied; another size is resampled bicubically.

    Returns:
        uint8 (height, width), whether its mode was converted, whether it was resized.
    """
    height, width = image_size
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(file.read())) as opened:
                opened.load()
                image = ImageOps.exif_transpose(opened)
        converted, resized = image.mode != "L", image.size != (width, height)
        if image.mode.startswith("I"):
            image = Image.fromarray((np.asarray(image).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8))
        elif image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("L")
        elif converted:
            image = image.convert("L")
        if resized:
            image = image.resize((width, height), Image.Resampling.BICUBIC)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise InputError(f"{path}: {file.name} has too many pixels to be an image of a face; take it out") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: {file.name} is no image that can be read; replace it or take it out") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        if isinstance(error, zipfile.BadZipFile):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: {file.name} is damaged ({reason}); replace it or take it out") from None
    return np.asarray(image), converted, resized


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
