"""Groups and folds of the user's own, as a csv, a column of the data's csv or the images' names give them.

This module imports the standard library only, because the Snakefile looks at the user's files at every start.
"""

import contextlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from fercv.data.csv_rows import read_rows
from fercv.data.sources import source_kind
from fercv.workflow.errors import InputError
from fercv.workflow.messages import did_you_mean, names

# What samples.csv calls the samples that have no file of their own. The number alone stands for them, too.
NUMBERED = re.compile("(?:row|face) ([0-9]+)")


def fold_files(folds: Mapping) -> dict[str, str]:
    """The user's files that the folds are made from, as {key of the configuration: path}.

    Args:
        folds: the settings `folds` of the configuration.
    """
    files = {"folds.groups.csv": (folds["groups"] or {}).get("csv"), "folds.file": folds["file"]}
    return {key: path for key, path in files.items() if path}


def check_groups(folds: Mapping, source: str) -> None:
    """Refuse what can be known to be wrong with groups and folds of the user's own before the data are read.

    Args:
        folds: the settings `folds` of the configuration.
        source: `data.source`.

    Raises:
        InputError: see `read_values`, `read_folds` and `find_column`; also where the data cannot have such groups.
    """
    for key, path in fold_files(folds).items():
        if not Path(path).is_file():
            raise InputError(f"{key} is {path!r}, but there is no such file under {Path.cwd()}; correct the path")
    groups = folds["groups"] or {}
    if "csv" in groups:
        read_values(Path(groups["csv"]), "group")
    if folds["file"]:
        read_folds(Path(folds["file"]), folds["number"])
    if not {"column", "pattern"} & set(groups):
        return
    is_csv = source_kind(Path(source)) == "csv"
    if "pattern" in groups and is_csv:
        raise InputError(
            f"folds.groups.pattern is set, but {source} is a csv, whose images have no file names; set "
            "folds.groups.column or folds.groups.csv"
        )
    if "column" in groups and not is_csv:
        raise InputError(
            f"folds.groups.column is set, but {source} is no csv; set folds.groups.pattern or folds.groups.csv"
        )
    if "column" in groups:
        with contextlib.closing(read_rows(Path(source))) as rows:
            find_column(Path(source), next(rows), groups["column"])


def read_values(path: Path, column: str) -> dict[str, str]:
    """Read a csv of samples.

    Args:
        path: of the csv or csv.gz.
        column: name of the column whose values count, beside `sample`. Other columns are passed over.

    Returns:
        {sample: value}, as they stand there, without outer spaces; in the order of the rows.

    Raises:
        InputError: the csv cannot be read, lacks a column, has no rows or a field that is empty, or a sample twice.
    """
    values = {}
    with contextlib.closing(read_rows(path)) as rows:
        header = next(rows)
        positions = [find_column(path, header, name) for name in ("sample", column)]
        for number, fields in enumerate(rows, start=1):
            if len(fields) != len(header):
                raise InputError(
                    f"{path}: row {number} has {len(fields)} fields, expected {len(header)} as in the header"
                )
            sample, value = (fields[position].strip() for position in positions)
            if not sample or not value:
                raise InputError(f"{path}: row {number} has no {'sample' if not sample else column}; fill it in")
            if sample in values:
                raise InputError(f"{path}: row {number}: the sample {sample!r} stands in a row before, too; keep one")
            values[sample] = value
    if not values:
        raise InputError(f"{path}: a header but no rows; expected a row for each training image")
    return values


def read_folds(path: Path, number: int) -> dict[str, int]:
    """Read a csv of samples and folds.

    Args:
        path: of the csv or csv.gz, with the columns sample and fold.
        number: how many folds there are.

    Returns:
        {sample: fold}, see `read_values`.

    Raises:
        InputError: see `read_values`; also where a fold is no number from 0 to `number` - 1, or no sample is in it.
    """
    values = read_values(path, "fold")
    for sample, fold in values.items():
        if not re.fullmatch("[0-9]{1,9}", fold) or int(fold) >= number:
            raise InputError(
                f"{path}: the sample {sample!r} has the fold {fold[:40]!r}, expected a whole number from 0 to "
                f"{number - 1}; correct it, or folds.number"
            )
    return {sample: int(fold) for sample, fold in values.items()}


def find_column(path: Path, header: Sequence[str] | None, name: str) -> int:
    """Position of a column of a csv, whatever its case and surrounding spaces."""
    found = [column.strip().casefold() for column in header or []]
    positions = [position for position, column in enumerate(found) if column == name.strip().casefold()]
    if len(positions) != 1:
        count = f"{len(positions)} columns" if positions else "no column"
        hint = "" if positions else did_you_mean(name, header or [])
        shown = names(header or ["nothing"])
        raise InputError(
            f"{path}: {count} named {name!r} in the header {shown if len(shown) < 80 else shown[:77] + '...'!r}, "
            f"expected one{hint}"
        )
    return positions[0]


def read_column(path: Path, name: str) -> list[str]:
    """The values of a column of the data's csv, without outer spaces, one for each row."""
    with contextlib.closing(read_rows(path)) as rows:
        position = find_column(path, next(rows), name)
        return [fields[position].strip() for fields in rows]


def find_groups(groups: Mapping, source: str, samples: Sequence[str], training: Sequence[bool], some: bool) -> list:
    """Find the group of each sample.

    Args:
        groups: the settings `folds.groups` of the configuration: csv, column or pattern.
        source: `data.source`.
        samples: the column source of samples.csv.
        training: whether each sample is for training: only these need a group.
        some: whether samples.csv has only some of the data's samples, as a scale's `images` asks for.

    Returns:
        The group of each sample, a text or a tuple of texts, or None for a held-out sample without one.

    Raises:
        InputError: a training sample has no group; a csv names a sample that does not exist. The first one is named.
    """
    if "csv" in groups:
        path = Path(groups["csv"])
        found = match_samples(path, read_values(path, "group"), samples, training, some)
    elif "column" in groups:
        values = read_column(Path(source), groups["column"])
        found = [values[int(NUMBERED.fullmatch(sample)[1]) - 1] or None for sample in samples]
        if lacking := without(found, samples, training):
            raise InputError(f"{source}: nothing in the column {groups['column']!r} of {lacking}; fill it in")
    else:
        matches = [re.search(groups["pattern"], sample) for sample in samples]
        found = [match.groups() if match and any(match.groups()) else None for match in matches]
        if lacking := without(found, samples, training):
            raise InputError(
                f"folds.groups.pattern is {groups['pattern']!r}, which finds no group in {lacking}; correct it"
            )
    return found


def match_samples(path: Path, values: Mapping, samples: Sequence[str], training: Sequence[bool], some: bool) -> list:
    """The value that a csv gives each sample, or None.

    Args:
        path: of the csv, for the messages.
        values: {sample: value}, as in the csv.
        samples: the column source of samples.csv.
        training: whether each sample is for training.
        some: see `find_groups`. What the csv says of other samples is passed over then.

    Raises:
        InputError: the csv names a sample that does not exist, or one in two ways, or lacks a training sample.
    """
    places = {sample: place for place, sample in enumerate(samples)}
    for sample, place in list(places.items()):
        if match := NUMBERED.fullmatch(sample):
            places[match[1]] = place
    found = [None] * len(samples)
    for sample, value in values.items():
        place = places.get(sample)
        if place is None and not some:
            raise InputError(
                f"{path}: there is no sample {sample!r}{did_you_mean(sample, samples)}; samples are named as in the "
                f"column source of data/samples.csv, such as {samples[0]!r}"
            )
        if place is not None and found[place] is not None:
            raise InputError(f"{path}: the sample {sample!r} stands there twice, also as {samples[place]!r}; keep one")
        if place is not None:
            found[place] = value
    if missing := without(found, samples, training):
        raise InputError(f"{path}: no row for {missing}; each training image needs one")
    return found


def without(found: Sequence, samples: Sequence[str], training: Sequence[bool]) -> str:
    """The first training sample of which nothing was found, and how many others there are; nothing if there is none."""
    pairs = zip(samples, found, training, strict=True)
    lacking = [sample for sample, value, needed in pairs if needed and value is None]
    more = f" and {len(lacking) - 1:,} other training images" if len(lacking) > 1 else ""
    return f"{lacking[0]!r}{more}" if lacking else ""
