"""The user's list of samples that a model is not trained on. They are validated all the same.

The list is a csv with a column `sample`, such as label_issues.csv. Samples are named as in the column `source` of
samples.csv. Other columns are passed over.

This module imports the standard library only, because the Snakefile imports it at every start.
"""

import csv
from collections.abc import Iterable
from pathlib import Path

from fercv.workflow.errors import InputError
from fercv.workflow.hashing import file_digest
from fercv.workflow.messages import did_you_mean, names, shown


def read_exclusions(path: str | Path) -> list[str]:
    """The samples that a list names, in its order. A sample may stand there twice.

    Raises:
        InputError: there is no such file, it cannot be read, or it has no column `sample`.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            columns = rows.fieldnames or []
            if "sample" not in columns:
                raise InputError(
                    f"{path}: has no column sample, found {names(columns) or 'nothing'}; the first line must name the "
                    "columns"
                )
            return [row["sample"] or "" for row in rows]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file under {Path.cwd()}; correct exclude_from_training") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); correct exclude_from_training") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: no csv in UTF-8 ({error}); save it in that format") from None


def excluded_rows(path: str | Path, sources: Iterable[str], digest: str) -> list[int]:
    """The rows of samples.csv that a list names, in ascending order.

    Args:
        path: of the list.
        sources: the column `source` of samples.csv.
        digest: SHA-256 that the list had when Snakemake planned.

    Raises:
        InputError: as `read_exclusions`; also if the list has changed since then, or names a sample that there is not.
    """
    excluded = read_exclusions(path)
    if file_digest(path) != digest:
        raise InputError(f"{path}: changed since Snakemake planned this job; start Snakemake again")
    rows = {source: row for row, source in enumerate(sources)}
    for line, sample in enumerate(excluded, start=1):
        if sample not in rows:
            raise InputError(
                f"{path}: row {line}: sample is {shown(sample)}, which is not in the column source of samples.csv"
                f"{did_you_mean(sample, rows)}"
            )
    return sorted({rows[sample] for sample in excluded})
