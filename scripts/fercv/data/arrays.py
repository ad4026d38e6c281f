"""The arrays that stages hand to each other: which each file holds, and the one way to read them.

Each dict gives the arrays of one kind of npz file: what their values are, and their shape, a letter for each axis.
Equal letters stand for equal lengths. In the comments, E stands for the folder `results/<experiment>`, and M for
`E/<model>`.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fercv.data.tables import AMOUNT, COUNT, INDEX, SHARE, Kind, refuse_file

GREY = Kind("int64", 0, 255)
NUMBER = Kind("float64")

# M/saliency.npz: images n, height h, width w, classes k, methods m, methods of the means q. Methods are positions in
# `fercv.visualize.methods.METHODS`. `signed` is each map divided by its largest absolute value. `masked` belongs to the
# first method. `fold_mean` and `fold_deviation` are of the heat that the models of all folds give, and `agreement` is
# its mean rank correlation between two folds. `means` is the mean heat of each class, in multiples of an even
# distribution, over `mean_images` images, and `mean_faces` is the mean of these, from 0 to 255.
SALIENCY = {
    "index": (INDEX, "n"),
    "images": (GREY, "nhw"),
    "labels": (COUNT, "n"),
    "probabilities": (SHARE, "nk"),
    "methods": (COUNT, "m"),
    "heat": (SHARE, "mnhw"),
    "signed": (Kind("float64", -1, 1), "mnhw"),
    "masked": (GREY, "nhw"),
    "fold_mean": (SHARE, "mnhw"),
    "fold_deviation": (SHARE, "mnhw"),
    "agreement": (Kind("float64", -1, 1), "mn"),
    "mean_methods": (COUNT, "q"),
    "means": (AMOUNT, "qkhw"),
    "mean_faces": (Kind("float64", 0, 255), "khw"),
    "mean_images": (COUNT, "k"),
}
# M/filters_<layer>.npz: filters f of the layer's `total`, height h, width w, steps s.
FILTERS = {"filters": (INDEX, "f"), "total": (COUNT, ""), "images": (NUMBER, "fhw"), "activations": (NUMBER, "fs")}
# M/feature_maps_<layer>.npz: an image of height h and width w; its maps of rows r, columns c, channels f.
FEATURE_MAPS = {"image": (GREY, "hw"), "maps": (NUMBER, "rcf")}
# M/filter_checks.npz: filters f of all layers; their images of the kinds k, which are the methods and starts of
# M/filter_checks.csv in its order, height h, width w; then the real images r that excite each filter most.
CHECKED_FILTERS = {"images": (NUMBER, "kfhw"), "exciting": (GREY, "frhw")}


def checked_maps(layers: int) -> dict[str, tuple[Kind, str]]:
    """The arrays of M/feature_map_checks.npz.

    Images n, height h, width w. Then for each layer, numbered from 0, the channels m that are shown, and their maps.
    The first of two, t, are those with the weights as trained, the others those with random weights. Each layer has
    rows, columns and a number of channels of its own.
    """
    arrays = {"images": (GREY, "nhw"), "labels": (COUNT, "n")}
    for layer in range(layers):
        channels, rows, columns = (chr(256 + 3 * layer + dimension) for dimension in range(3))
        arrays[f"channels_{layer}"] = (COUNT, f"t{channels}")
        arrays[f"maps_{layer}"] = (NUMBER, f"t{channels}n{rows}{columns}")
    return arrays


def open_images(path: str | Path, count: int | None = None) -> np.ndarray:
    """Open E/data/images.npy. The images stay on the disk until they are looked at.

    Args:
        path: the file.
        count: how many images samples.csv names.

    Returns:
        uint8 (images, height, width), memory-mapped.

    Raises:
        InputError: the file holds no such array, or another number of images.
    """
    images = _open_array(path, "images")
    if images.dtype != np.uint8 or images.ndim != 3 or not images.size:
        refuse_file(path, "is no array of images, expected uint8 of three axes: image, row, column")
    if count is not None and len(images) != count:
        refuse_file(path, f"has {len(images)} images, but samples.csv beside it has {count} rows")
    return images


def read_probabilities(path: str | Path, shape: tuple[int, int, int]) -> np.ndarray:
    """Read M/held_out_probabilities.npy: what the model of each fold says of each row of M/held_out_predictions.csv.

    Args:
        path: the file.
        shape: how many folds, rows and classes there are.

    Returns:
        float32 (folds, rows, classes).

    Raises:
        InputError: the file holds no such array, or one of another shape.
    """
    probabilities = np.array(_open_array(path, "probabilities"))
    if probabilities.dtype != np.float32 or SHARE.wrong(probabilities).any():
        refuse_file(path, f"is no array of probabilities, expected float32 with {SHARE} everywhere")
    if probabilities.shape != shape:
        refuse_file(path, f"has the shape {probabilities.shape}, expected {shape}: folds, rows and classes")
    return probabilities


def read_part_masks(path: str | Path, count: int) -> dict[str, np.ndarray]:
    """Read from E/data/truth.npz which pixels of the built-in faces belong to which part.

    Args:
        path: the file.
        count: how many images there are.

    Returns:
        {part: bool (count, height, width)}.

    Raises:
        InputError: the file is no npz with such arrays.
    """
    try:
        with np.load(path) as saved:
            masks, parts = saved["masks"], saved["parts"].tolist()
        if masks.dtype != bool or masks.ndim != 4 or masks.shape[:2] != (count, len(parts)):
            raise ValueError(f"masks of the type {masks.dtype} and the shape {masks.shape}")
    except OSError:
        raise
    # As below: what zipfile, zlib and NumPy raise on a damaged file.
    except Exception as error:
        refuse_file(path, f"does not hold the masks of {count} images, and the names of their parts ({error})")
    return dict(zip(parts, np.moveaxis(masks, 1, 0), strict=True))


def _open_array(path: str | Path, what: str) -> np.ndarray:
    """Open an npy file, memory-mapped. A file that is none is refused; `what` says what it should hold."""
    try:
        array = np.load(path, mmap_mode="r")
    except OSError:
        raise
    # NumPy names no exceptions for a damaged file: there are many, and they change.
    except Exception as error:
        refuse_file(path, f"is no array of {what} ({error})")
    if not isinstance(array, np.ndarray):
        refuse_file(path, f"is no array of {what}")
    return array


def read_arrays(
    path: str | Path,
    kinds: Mapping[str, tuple[Kind, str]],
    lengths: Mapping[str, int] | None = None,
    below: Mapping[str, int] | None = None,
) -> dict[str, np.ndarray]:
    """Read an npz file and check its arrays.

    Args:
        path: the file.
        kinds: its arrays: one of the dicts above.
        lengths: the lengths of axes that are known, by their letters.
        below: for an array of whole numbers, a number that they must be below, such as the number of classes.

    Returns:
        The arrays by name.

    Raises:
        InputError: the file is no npz, lacks an array, or holds one of other values or of another shape.
    """
    try:
        with np.load(path) as saved:
            arrays = {name: saved[name] for name in kinds}
    except OSError:
        raise
    # As above: what zipfile, zlib and NumPy raise on a damaged file.
    except Exception as error:
        refuse_file(path, f"does not hold the arrays {', '.join(kinds)} ({error})")
    lengths = dict(lengths or {})
    for name, (kind, axes) in kinds.items():
        array = arrays[name]
        if name in (below or {}):
            kind = kind._replace(highest=below[name] - 1)
        if array.dtype.kind not in "uif" or array.ndim != len(axes) or kind.wrong(array).any():
            refuse_file(path, f"its array {name} is not of {len(axes)} axes with {kind} everywhere")
        for axis, length in zip(axes, array.shape, strict=True):
            if lengths.setdefault(axis, length) != length:
                refuse_file(
                    path,
                    f"its array {name} has the shape {array.shape}, which does not fit the others or the experiment",
                )
    return arrays
