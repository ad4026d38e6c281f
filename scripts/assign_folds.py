"""Assign every training sample to the fold that validates it, and say which samples belong together."""

from fercv.workflow.jobs import run

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from fercv.data.folds import assign_folds, check_folds, check_straddling, independent_groups, join_groups
from fercv.data.groups import find_groups, fold_files, match_samples, read_folds
from fercv.data.sources import source_digest
from fercv.data.tables import SAMPLES, is_held_out, is_training, read_table, write_table
from fercv.workflow.errors import InputError
from fercv.workflow.hashing import derive_seed

log = logging.getLogger("fercv")


def main(snakemake):
    """Write folds.csv: a row for each sample that is for training, with the fold that validates it and its group.

    Also write groups.csv: a row for each sample, with the group that is drawn as a whole when an interval is computed.
    """
    settings, classes = snakemake.params.folds, snakemake.params.classes
    check_files(snakemake)
    samples = read_table(snakemake.input.samples, SAMPLES, below={"label": len(classes)})
    training = is_training(samples).to_numpy()
    rows = samples[training]
    own = samples["index"].to_numpy()
    if settings["groups"]:
        own = numbered_groups(snakemake, samples["source"].tolist(), training)
        warn_of_held_out(own[is_held_out(samples)], own[training])
    groupings = [own[training]]
    if settings["group_duplicates"]:
        groupings.append(rows["duplicate_group"].to_numpy())
    groups = join_groups(*groupings)
    if settings["file"]:
        folds = own_folds(snakemake, samples, training, groups)
    else:
        seed = derive_seed(snakemake.params.seed, "folds")
        folds = assign_folds(rows["label"].to_numpy(), groups, settings["number"], seed, classes)
    # They may have changed while they were read, too.
    check_files(snakemake)
    table = pd.DataFrame({"index": rows["index"], "fold": folds, "group": rows["index"].to_numpy()[groups]})
    write_table(table, snakemake.output.folds)
    independent = independent_groups(own, samples["duplicate_group"].to_numpy(), (samples["excluded"] == "").to_numpy())
    write_table(pd.DataFrame({"index": samples["index"], "group": independent}), snakemake.output.groups)


def numbered_groups(snakemake, sources, training):
    """The groups of `folds.groups`, by number: int64 (samples,). A sample without one has a negative number alone."""
    data, numbers = snakemake.params.data, {}
    found = find_groups(snakemake.params.folds["groups"], data["source"], sources, training, has_some(data))
    return np.array(
        [-1 - row if group is None else numbers.setdefault(group, len(numbers)) for row, group in enumerate(found)]
    )


def has_some(data):
    """Whether samples.csv has only some of the user's samples, as many as the scale asks for."""
    return data["images"] is not None and data["source"] != "synthetic"


def warn_of_held_out(held_out, training):
    """Warn of held-out samples whose group is also in the training samples: the models know them."""
    shared = np.isin(held_out, training)
    if shared.any():
        log.warning(
            "%d held-out images belong to a group of folds.groups that also has training images: measures on them may "
            "look too good",
            shared.sum(),
        )


def own_folds(snakemake, samples, training, groups):
    """The folds of `folds.file`: int64 (training samples,)."""
    settings, classes = snakemake.params.folds, snakemake.params.classes
    path, rows = Path(settings["file"]), samples[training]
    of_samples = read_folds(path, settings["number"])
    found = match_samples(path, of_samples, samples["source"].tolist(), training, has_some(snakemake.params.data))
    folds = np.array([fold for fold, chosen in zip(found, training, strict=True) if chosen])
    names = {label: f"class {name}" for label, name in enumerate(classes)}
    check_folds(folds, rows["label"].to_numpy(), settings["number"], names, f": correct {path}, or folds.number")
    check_straddling(folds, groups, rows["source"].tolist(), path)
    return folds


def check_files(snakemake):
    """Refuse files of the user's that have changed: folds.csv would be recorded as made from what they were."""
    files = list(fold_files(snakemake.params.folds).values())
    groups, source = snakemake.params.folds["groups"] or {}, snakemake.params.data["source"]
    changed = source_digest(files) != snakemake.params.files
    if changed or ("column" in groups and source_digest([source]) != snakemake.params.content):
        named = ", ".join(files) if changed else source
        raise InputError(f"{named}: changed since Snakemake planned this job; start Snakemake again")


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
