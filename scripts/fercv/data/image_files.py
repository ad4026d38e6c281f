"""Folders of images by class, and zips of such folders.

Samples are sorted by usage (unknown first, then in the order of USAGES), by class, and by path, with numbers in paths
compared as numbers. The order in which the file system or the zip lists the files plays no role.
"""

import io
import logging
import warnings
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageOps, UnidentifiedImageError

from fercv.data.image_names import list_zip, one_line, open_zip, place_images
from fercv.data.sources import USAGES, cannot_be_read, is_image, natural_key, walk_files
from fercv.data.tables import Dataset
from fercv.workflow.errors import InputError

log = logging.getLogger("fercv")

# The formats that IMAGE_SUFFIXES names; JPEG includes MPO. Without this list Pillow would try every format that it
# knows, and would have Ghostscript run the program in an EPS file.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
# Bytes. A zip may declare an entry of any size; a face of 48 x 48 pixels takes 2 kB.
LARGEST_ENTRY = 100_000_000
PIECE = 4096
# Names of files that a message lists.
NAMED = 20


class ImageFile(NamedTuple):
    """One image of a folder or zip: its sort keys, its path inside, and how to read its bytes."""

    usage: str
    label: int
    name: str
    read: Callable[[], bytes]


def read_folder(path: str | Path, classes: Sequence[str], image_size: tuple[int, int]) -> Dataset:
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
    return read_image_files(path, images, others, classes, image_size)


def read_file(path: Path) -> bytes:
    """Bytes of a file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise cannot_be_read(path, error) from None


def read_zip(path: str | Path, classes: Sequence[str], image_size: tuple[int, int]) -> Dataset:
    """Read a zip of a folder as `read_folder` takes it; nothing is unpacked.

    Raises:
        InputError: see `read_dataset`; also for names that lead out of the zip, links and encrypted entries.
    """
    path = Path(path)
    with open_zip(path) as archive:
        entries, others = list_zip(path, archive)
        images = [(name, partial(read_entry, path, archive, entry)) for name, entry in entries.items()]
        return read_image_files(path, images, others, classes, image_size)


def read_entry(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Bytes of a file of a zip, its checksum verified."""
    if entry.file_size > LARGEST_ENTRY:
        raise InputError(
            f"{path}: {entry.filename!r} has {entry.file_size:,} bytes, too many for an image of a face; take it out"
        )
    data = bytearray()
    try:
        # Read in pieces, an entry that declares a wrong size is never unpacked beyond what it declares.
        with archive.open(entry) as file:
            while piece := file.read(PIECE):
                data += piece
        return bytes(data)
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
) -> Dataset:
    """Sort and read image files.

    Args:
        path: of the folder or zip.
        images: names inside it, each with a function that returns the file's bytes.
        others: names of the files that are no images.
        classes: class names, in the order of their labels.
        image_size: (height, width) in pixels.
    """
    places, order = place_images(path, [name for name, _ in images], classes), ("", *USAGES)
    files = [ImageFile(*places[name], str(name), read) for name, read in images]
    files.sort(key=lambda file: (order.index(file.usage), file.label, natural_key(file.name)))
    pixels = decode_files(path, files, image_size)
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


def decode_files(path: Path, files: list[ImageFile], image_size: tuple[int, int]) -> np.ndarray:
    """Decode all images to grey, see `decode`; one message counts those that were converted or resized.

    Returns:
        uint8 (n, height, width).

    Raises:
        InputError: what is wrong with the first image that cannot be decoded, and the names of the others.
    """
    pixels = np.empty((len(files), *image_size), np.uint8)
    converted = resized = 0
    refused = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for index, file in enumerate(files):
            try:
                pixels[index], was_converted, was_resized = decode(path, file.name, file.read(), image_size)
            except InputError as error:
                refused[file.name] = str(error)
                continue
            converted += was_converted
            resized += was_resized
    if refused:
        first, *others = refused
        names = ", ".join(map(repr, others[:NAMED])) + ", ..." * (len(others) > NAMED)
        more = f"; {len(others)} more cannot be read: {names}" if others else ""
        raise InputError(refused[first] + more)
    if converted or resized:
        log.info(
            "%d of %d images were converted to 8-bit grey and %d resized to %dx%d (width x height) in %s",
            converted, len(files), resized, image_size[1], image_size[0], path, extra={"on_terminal": True},
        )  # fmt: skip
    return pixels


def decode(path: Path, name: str, data: bytes, image_size: tuple[int, int]) -> tuple[np.ndarray, bool, bool]:
    """Decode an image file to grey.

    Colour becomes grey by Pillow's luma transform (ITU-R 601-2). Transparent pixels are laid over white. 16 bits are
    scaled to 8, unless no pixel is above 255. Of an animation, the first frame counts. The camera's orientation is
    applied. An image of another size is resampled bicubically to the height and width asked for, whatever its
    proportions.

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
            # Some programs store 8-bit images in 16 or 32 bits, and do not scale them.
            eight_bits = values.max() <= 255
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
