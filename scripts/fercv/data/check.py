"""What names, headers and the first rows tell of a data source, before anything is computed.

This module imports the standard library only, because the Snakefile imports it at every start.
"""

import contextlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath

from fercv.data.csv_rows import check_pixels, check_row, find_columns, no_rows, read_rows
from fercv.data.image_names import list_zip, open_zip, place_images
from fercv.data.sources import source_kind
from fercv.workflow.errors import InputError

# How far the look into a csv goes: rows, and characters.
FIRST_ROWS, FIRST_CHARACTERS = 100, 1_000_000


def check_source(files: Sequence[str], data: Mapping, folds: int) -> None:
    """Refuse data that the names of the images, or the first rows of a csv, tell to be wrong.

    Args:
        files: of the source, see `sources.source_files`.
        data: the settings `data` of the configuration.
        folds: number of folds.

    Raises:
        InputError: see `reading.read_dataset`; also for a class with fewer training images than folds, and for
            usages that don't fit `held_out`.
    """
    path, classes = Path(data["source"]), data["classes"]
    kind = source_kind(path)
    if kind == "csv":
        check_first_rows(path, classes, data["image_size"])
        return
    if kind == "zip":
        with open_zip(path) as archive:
            names = list(list_zip(path, archive)[0])
    else:
        names = [PurePosixPath(Path(file).relative_to(path).as_posix()) for file in files]
    counts = Counter(place_images(path, names, classes).values())
    check_usages({usage for usage, _ in counts}, path, data["held_out"])
    for label, name in enumerate(classes):
        samples = sum(counts[usage, label] for usage in ("Training", ""))
        if samples < folds:
            raise too_few_samples(f"class {name}", samples, samples, folds)


def check_first_rows(path: Path, classes: Sequence[str], image_size: Sequence[int]) -> None:
    """Refuse a csv by its header and its first rows."""
    with contextlib.closing(read_rows(path)) as rows:
        columns = find_columns(path, next(rows))
        characters = number = 0
        for number, fields in enumerate(rows, start=1):
            _, pixels, _ = check_row(path, number, fields, columns, len(classes))
            check_pixels(path, number, pixels, image_size)
            characters += sum(map(len, fields))
            if number == FIRST_ROWS or characters > FIRST_CHARACTERS:
                break
    if not number:
        raise no_rows(path)


def check_usages(usages: Collection[str], source: str | Path, predict_held_out: bool) -> None:
    """Refuse data without training rows, or without the held-out rows that the config promises.

    Args:
        usages: those that occur in the data.
        source: of the data, for the messages.
        predict_held_out: `data.held_out`.
    """
    held_out = set(usages) - {"Training", ""}
    if held_out == set(usages):
        raise InputError(
            f"{source}: no row has the usage Training, found {', '.join(sorted(held_out))}; folds are made of Training "
            "rows, or of all rows where no usage is given"
        )
    if predict_held_out and not held_out:
        raise InputError(f"data.held_out is true, but all rows of {source} are for training; set data.held_out: false")


def too_few_samples(name: str, samples: int, distinct: int, folds: int) -> InputError:
    """The error for a class with fewer samples, or fewer groups of equal ones (`distinct`), than folds."""
    counted = f"{samples} sample{'' if samples == 1 else 's'}" + (
        f" in {distinct} groups that stay together" if distinct < samples else ""
    )
    mending = f"lower folds.number to {distinct} or less" if distinct > 1 else "leave the class out"
    missing = "samples of other groups" if distinct < samples else "samples"
    return InputError(
        f"{name} has {counted}, fewer than folds.number = {folds}: {mending}, or add {missing}, for the built-in faces "
        "by a scale with more `images`"
    )
