"""Folders of images by class, and zips of such folders.

Samples are sorted by usage (unknown first, then in the order of USAGES), by class, and by path, with numbers in paths
compared as numbers. The order in which the file system or the zip lists the files plays no role.
"""

import io
import logging
import stat
import textwrap
import warnings
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm import tqdm

from fercv.data.sources import cannot_be_read, is_image, natural_key, no_image, walk_files
from fercv.data.tables import USAGES, Dataset
from fercv.workflow.errors import InputError
from fercv.workflow.messages import did_you_mean

log = logging.getLogger("fercv")

SPLITS = {"train": "Training", "training": "Training", "test": "Test"}
# The formats that IMAGE_SUFFIXES names; JPEG includes MPO. Without this list Pillow would try every format that it
# knows, and would have Ghostscript run the program in an EPS file.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
# Bytes. A zip may declare an entry of any size; a face of 48 x 48 pixels takes 2 kB.
LARGEST_ENTRY = 100_000_000


class ImageFile(NamedTuple):
    """One image of a folder or zip: its sort keys, its path inside, and how to read its bytes."""

    usage: str
    label: int
    name: str
    read: Callable[[], bytes]


def read_folder(
    path: str | Path, classes: Sequence[str], image_size: tuple[int, int], progress: bool = True
) -> Dataset:
    """Read a folder of images by class, with or without train/ and test/ above the classes.

    A class folder bears the name of its class, in upper or lower case, or the number of its label. The usage of an
    image follows from its path:

    - under train/: Training;
    - under test/: PublicTest or PrivateTest where the file name starts with PublicTest_ or PrivateTest_, else Test;
    - otherwise: Training, PublicTest or PrivateTest where the file name starts so, else unknown.

    Hidden files are left out. Files that are no images are left out too, and a warning counts them.

    Raises:
        InputError: see `read_dataset`.
    """
    path = Path(path)
    files = [(PurePosixPath(Path(file).relative_to(path).as_posix()), file) for file in walk_files(path)]
    images = [(name, partial(read_file, Path(file))) for name, file in files if is_image(name.name)]
    others = [name for name, _ in files if not is_image(name.name)]
    return read_image_files(path, images, others, classes, image_size, progress)


def read_file(path: Path) -> bytes:
    """Bytes of a file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise cannot_be_read(path, error) from None


def read_zip(path: str | Path, classes: Sequence[str], image_size: tuple[int, int], progress: bool = True) -> Dataset:
    """Read a zip of a folder as `read_folder` takes it; nothing is unpacked.

    Raises:
        InputError: see `read_dataset`; also for names that lead out of the zip, links and encrypted entries.
    """
    path = Path(path)
    try:
        archive = zipfile.ZipFile(path)
    except Exception as error:  # its class depends on the place of the damage
        raise InputError(f"{path}: no zip, or a damaged one ({one_line(error)}); download or pack it again") from None
    with archive:
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
                images[name] = partial(read_entry, path, archive, entry)
        return read_image_files(path, list(images.items()), others, classes, image_size, progress)


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


def read_entry(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Bytes of a file of a zip, its checksum verified."""
    if entry.file_size > LARGEST_ENTRY:
        raise InputError(
            f"{path}: {entry.filename!r} has {entry.file_size:,} bytes, too many for an image of a face; take it out"
        )
    try:
        return archive.read(entry)
    except Exception as error:  # its class depends on the compression
        raise InputError(
            f"{path}: {entry.filename!r} is damaged ({one_line(error)}); download or pack the zip again"
        ) from None


def read_image_files(
    path: Path,
    images: list[tuple[PurePosixPath, Callable[[], bytes]]],
    others: list[PurePosixPath],
    classes: Sequence[str],
    image_size: tuple[int, int],
    progress: bool,
) -> Dataset:
    """Sort and read image files.

    Args:
        path: of the folder or zip.
        images: names inside it, each with a function that returns the file's bytes.
        others: names of the files that are no images.
        classes: class names, in the order of their labels.
        image_size: (height, width) in pixels.
        progress: whether a terminal shows a progress bar.
    """
    files = sort_files(path, images, classes)
    pixels = decode_files(path, files, image_size, progress)
    if others:
        log.warning("files that are no images were left out of %s: %d, such as %r", path, len(others), str(min(others)))
    samples = pd.DataFrame(
        {
            "label": np.array([file.label for file in files], np.int64),
            "usage": [file.usage for file in files],
            "source": [file.name for file in files],
        }
    )
    return Dataset(pixels, samples)


def sort_files(
    path: Path, images: list[tuple[PurePosixPath, Callable[[], bytes]]], classes: Sequence[str]
) -> list[ImageFile]:
    """Tell each image's usage and label from its name, and put the images into the order of the samples.

    Raises:
        InputError: there is no image at all, or none of some class, or an image is in no class folder.
    """
    if not images:
        raise no_image(path)
    # Sorted first, so that of several mistakes the same one is always reported.
    images = sorted(images, key=lambda image: image[0])
    labels = {name.casefold(): label for label, name in enumerate(classes)}
    if not any(name.isdecimal() for name in classes):
        labels |= {str(label): label for label in range(len(classes))}
    wrapping = count_wrapping([name for name, _ in images], labels)
    files = [ImageFile(*locate(path, name, wrapping, labels, classes), str(name), read) for name, read in images]
    for label, name in enumerate(classes):
        if not any(file.label == label for file in files):
            raise InputError(f"{path}: no image of the class {name!r}; add some, or take it out of data.classes")
    order = ("", *USAGES)
    return sorted(files, key=lambda file: (order.index(file.usage), file.label, natural_key(file.name)))


def decode_files(path: Path, files: list[ImageFile], image_size: tuple[int, int], progress: bool) -> np.ndarray:
    """Decode all images to grey, see `decode`; one warning counts those that were converted or resized.

    Returns:
        uint8 (n, height, width).
    """
    pixels = np.empty((len(files), *image_size), np.uint8)
    converted = resized = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for index, file in enumerate(tqdm(files, unit=" images", desc=path.name, disable=None if progress else True)):
            pixels[index], was_converted, was_resized = decode(path, file.name, file.read(), image_size)
            converted += was_converted
            resized += was_resized
    if converted or resized:
        log.warning(
            "%d of %d images were converted to 8-bit grey and %d resized to %dx%d (width x height) in %s",
            converted, len(files), resized, image_size[1], image_size[0], path,
        )  # fmt: skip
    return pixels


def count_wrapping(names: list[PurePosixPath], labels: dict[str, int]) -> int:
    """Count the outer folders that all images share and that are no class or split: 1 in fer2013/train/happy/7.jpg."""
    deepest = max(names, key=lambda name: len(name.parts)).parts
    for depth, folder in enumerate(deepest[:-2]):
        shared = all(len(name.parts) > depth + 1 and name.parts[depth] == folder for name in names)
        if not shared or folder.casefold() in labels or folder.casefold() in SPLITS:
            return depth
    return max(0, len(deepest) - 2)


def locate(
    path: Path, name: PurePosixPath, wrapping: int, labels: dict[str, int], classes: Sequence[str]
) -> tuple[str, int]:
    """Tell an image's usage and label from its name, e.g. train/happy/Training_17.jpg, below wrapping folders."""
    folders = list(name.parts[wrapping:-1])
    split = None
    if folders and folders[0].casefold() not in labels and folders[0].casefold() in SPLITS:
        split = SPLITS[folders.pop(0).casefold()]
    if not folders:
        raise InputError(
            f"{path}: {str(name)!r} is in no class folder; expected <class>/<file>, with train/ or test/ above or not"
        )
    label = labels.get(folders[0].casefold())
    if label is None:
        raise InputError(
            f"{path}: the folder {folders[0]!r} (of {str(name)!r}) is no class; data.classes has "
            f"{', '.join(classes)}{did_you_mean(folders[0], classes)}"
        )
    prefix = name.name.split("_")[0] if "_" in name.name else ""
    named = {None: ("Training", "PublicTest", "PrivateTest"), "Test": ("PublicTest", "PrivateTest")}.get(split, ())
    return prefix if prefix in named else split or "", label


def decode(path: Path, name: str, data: bytes, image_size: tuple[int, int]) -> tuple[np.ndarray, bool, bool]:
    """Decode an image file to grey.

    Colour becomes grey by Pillow's luma transform (ITU-R 601-2). Transparent pixels are laid over white. 16 bits are
    scaled to 8. Of an animation, the first frame counts. The camera's orientation is applied. An image of another size
    is resampled bicubically to the height and width asked for, whatever its proportions.

    Returns:
        uint8 (height, width); whether its mode was converted; whether it was resized.

    Raises:
        InputError: the file is no image that can be read, is damaged, or has too many pixels.
    """
    height, width = image_size
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            opened.load()
            image = ImageOps.exif_transpose(opened)
        converted, resized = image.mode != "L", image.size != (width, height)
        if image.mode == "F":
            raise ValueError("pixels are fractions, whose range is not known")
        if image.mode.startswith("I"):
            values = np.asarray(image).astype(np.int64)
            if values.min() < 0 or values.max() > 65535:
                raise ValueError(f"pixels from {values.min()} to {values.max()} are not of 8 or 16 bits")
            # Pillow's mode I has 32 bits. Some programs store 8-bit images in it.
            eight_bits = image.mode == "I" and values.max() <= 255
            image = Image.fromarray((values if eight_bits else values >> 8).astype(np.uint8))
        elif image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("L")
        elif converted:
            image = image.convert("L")
        if resized:
            image = image.resize((width, height), Image.Resampling.BICUBIC)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise InputError(f"{path}: {name!r} has too many pixels to be an image of a face; take it out") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: {name!r} is no image that can be read; replace it or take it out") from None
    except Exception as error:  # Pillow's decoders raise many classes on a damaged file
        raise InputError(f"{path}: {name!r} is damaged ({one_line(error)}); replace it or take it out") from None
    return np.asarray(image), converted, resized


def one_line(error: Exception) -> str:
    """An error's text in one short line, or the name of its class if it has no text."""
    return textwrap.shorten(str(error), 120, placeholder="...") or type(error).__name__
