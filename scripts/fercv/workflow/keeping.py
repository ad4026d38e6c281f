"""What the finished folds rest on: the files of the data, watched and kept, and the params that each job has run with.

Snakemake removes the outputs of a job before it runs the job again. If the job then fails, for instance because of a
mistyped setting, images.npy is gone, and all folds would be trained again as soon as the mistake is corrected. So a
copy of each such file is kept, together with what Snakemake has recorded of it.
"""

import contextlib
import json
import shutil
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from pathlib import Path

from fercv.workflow.errors import InputError
from fercv.workflow.finished import FINAL, marked_incomplete
from fercv.workflow.hashing import digest_of, file_digest


def keep(directory: str | Path, experiment: str, digest: str, files: Iterable[str]) -> None:
    """Keep a copy of each file, and note what it was made from. If there is no room for that, the copies are left out.

    Args:
        directory: where Snakemake runs, with `results` and `.snakemake`.
        experiment: name of the experiment.
        digest: of everything that the files are made from.
        files: paths below `directory`, which a job has written.
    """
    kept, entries = kept_folder(directory, experiment), {}
    with contextlib.suppress(OSError):
        kept.mkdir(parents=True, exist_ok=True)
        for file in map(str, files):
            copy = kept / Path(file).name
            record_of(copy).unlink(missing_ok=True)
            shutil.copy2(Path(directory, file), copy)
            entries[file] = {"made_from": digest, "sha256": file_digest(copy), "stamp": stamp(directory, file)}
        write_notes(kept, read_notes(kept) | entries)


def restore(directory: str | Path, experiment: str, digests: Iterable[str]) -> None:
    """Put back files that a job has lost, if they would be made again from the same. Call it before any job runs.

    While another Snakemake runs in the folder, nothing is done.

    Args:
        directory: see `keep`.
        experiment: see `keep`.
        digests: of everything that the files would now be made from.

    Raises:
        InputError: a file would be made from the same as before, but is not what the program wrote. Somebody has
            changed it, and what is trained on it would pass for a result of the data.
    """
    kept, records = kept_folder(directory, experiment), Path(directory, ".snakemake")
    notes = read_notes(kept)
    if not notes or any((records / "locks").glob("*")):
        return
    # Without trained models there is nothing to lose, and whoever has deleted the results wants them anew.
    results = Path(directory, "results", experiment)
    has_models = any(any(results.glob(models)) for models in ("*/folds/*/model.keras", f"*/{FINAL}/model.keras"))
    unfinished, digests = set(marked_incomplete(records / "incomplete")), set(digests)
    for file, entry in notes.items():
        path, copy = Path(directory, file), kept / Path(file).name
        record, mark = (records / kind / snakemakes_name(file) for kind in ("metadata", "incomplete"))
        is_current = entry["made_from"] in digests
        if file in unfinished or not path.exists():
            if is_current and has_models:
                put_back(path, copy, entry["sha256"], record, mark)
        elif stamp(directory, file) == entry["stamp"] or file_digest(path) == entry["sha256"]:
            with contextlib.suppress(OSError):
                shutil.copy2(record, record_of(copy))
        elif is_current:
            raise InputError(
                f"{file} was changed by hand: it is not what this program wrote; delete it to have it back as it was, "
                "and make changes in the data or in the settings"
            )
    fresh = {file: entry | {"stamp": stamp(directory, file)} for file, entry in notes.items()}
    if fresh != notes:
        with contextlib.suppress(OSError):
            write_notes(kept, fresh)


def put_back(path: Path, copy: Path, sha256: str, record: Path, mark: Path) -> None:
    """Put a kept copy in the place of a file, unless the copy has changed, and with it what Snakemake recorded.

    Args:
        path: of the missing or half-written file.
        copy: of the kept copy.
        sha256: of the file's content.
        record: path of the file in which Snakemake records what it has made from what.
        mark: path of the file with which Snakemake marks an output that it has begun.
    """
    aside = path.with_name(f"part.{path.name}")
    with contextlib.suppress(OSError):
        if file_digest(copy) != sha256:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(copy, aside)
        aside.replace(path)
        mark.unlink(missing_ok=True)
        shutil.copy2(record_of(copy), record)


def note_params(directory: str | Path, experiment: str, job: str, params: Mapping) -> None:
    """Note the params with which a job has run to its end.

    Args:
        directory: see `keep`.
        experiment: see `keep`.
        job: name of the job, see `resources.job_name`.
        params: of lists, dicts, texts and numbers.
    """
    with contextlib.suppress(OSError):
        folder = kept_folder(directory, experiment) / "params"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / job).write_text(digest_of(params), encoding="utf-8")


def has_run_with(directory: str | Path, experiment: str, job: str, params: Mapping) -> bool:
    """Whether these are the params that are noted of a job, see `note_params`."""
    try:
        return (kept_folder(directory, experiment) / "params" / job).read_text(encoding="utf-8") == digest_of(params)
    except OSError:
        return False


def kept_folder(directory: str | Path, experiment: str) -> Path:
    """The folder of what is kept of an experiment."""
    return Path(directory, ".snakemake", "fer-crossval", experiment)


def record_of(copy: Path) -> Path:
    """Path of the copy of what Snakemake recorded of a file, beside the copy of the file itself."""
    return copy.with_name(f"{copy.name}.record")


def snakemakes_name(file: str) -> str:
    """Path below a folder of Snakemake's records that stands for a file: its path in base64, if need be in parts."""
    name = urlsafe_b64encode(file.encode()).decode()
    longest = 254
    parts = [name[start : start + longest] for start in range(0, len(name), longest)]
    return "/".join([*(f"@{part}" for part in parts[:-1]), parts[-1]])


def stamp(directory: str | Path, file: str) -> list[int] | None:
    """Size and times of the last changes of a file: with the same ones it need not be read again. None if missing."""
    try:
        status = Path(directory, file).stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def read_notes(kept: Path) -> dict:
    """What is noted of the kept files: {path: {made_from, sha256, stamp}}; nothing where the notes cannot be read."""
    try:
        notes = json.loads((kept / "notes.json").read_text(encoding="utf-8"))
        return {file: {key: entry[key] for key in ("made_from", "sha256", "stamp")} for file, entry in notes.items()}
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return {}


def write_notes(kept: Path, notes: dict) -> None:
    """Write the notes of the kept files as a whole."""
    aside = kept / "notes.json.part"
    aside.write_text(json.dumps(notes, indent=1), encoding="utf-8")
    aside.replace(kept / "notes.json")
