"""Images without labels, which the trained models are asked about: whatever the readers of labelled data take."""

import logging
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from fercv.data.csv_files import read_csv
from fercv.data.image_files import ImageFile, decode_files, read_entry, read_file
from fercv.data.image_names import check_name, list_zip, open_zip
from fercv.data.sources import is_image, natural_key, no_image, source_kind, walk_files

log = logging.getLogger("fercv")


def read_unlabelled(path: str | Path, image_size: tuple[int, int]) -> tuple[np.ndarray, list[str]]:
    """Read images whose labels are unknown, or ignored.

    Args:
        path: of a folder or zip of images, in whatever folders they are; of a csv or csv.gz with a column `pixels` or
            `feature`; or of one image.
        image_size: (height, width) in pixels. A csv must hold this size; other images are resized.

    Returns:
        uint8 (n, height, width); and for each image where it came from, such as its path in the folder. Images are
        sorted by path, with numbers in paths compared as numbers. The rows of a csv keep their order.

    Raises:
        InputError: see `reading.read_dataset`.
    """
    path = Path(path)
    if path.is_file() and is_image(path.name):
        return decode_named(path, [(PurePosixPath(path.name), partial(read_file, path))], [], image_size)
    kind = source_kind(path)
    if kind == "csv":
        images, samples = read_csv(path, None, image_size)
        return images, list(samples["source"])
    if kind == "zip":
        with open_zip(path) as archive:
            entries, others = list_zip(path, archive)
            images = [(name, partial(read_entry, path, archive, entry)) for name, entry in entries.items()]
            return decode_named(path, images, others, image_size)
    files = [(PurePosixPath(Path(file).relative_to(path).as_posix()), Path(file)) for file in walk_files(path)]
    images = [(name, partial(read_file, file)) for name, file in files if is_image(name.name)]
    return decode_named(path, images, [name for name, _ in files if not is_image(name.name)], image_size)


def decode_named(path, images, others, image_size):
    """Decode images in the order of their names.

    Args:
        path: of the folder, zip or image.
        images: names, each with a function that returns the file's bytes.
        others: names of the files that are no images.
        image_size: (height, width) in pixels.
    """
    if not images:
        raise no_image(path, labelled=False)
    for name, _ in images:
        check_name(path, name)
    files = [ImageFile("", 0, str(name), read) for name, read in images]
    files.sort(key=lambda file: natural_key(file.name))
    if others:
        log.warning("files that are no images were left out of %s: %d, such as %r", path, len(others), str(min(others)))
    return decode_files(path, files, image_size), [file.name for file in files]
