"""Cross-validation folds: stratified by class, with duplicate images and groups of the user's kept in one fold."""

from collections.abc import Mapping, Sequence

import numpy as np

from fercv.data.check import too_few_samples
from fercv.workflow.errors import InputError


def assign_folds(
    labels: np.ndarray, groups: np.ndarray, number: int, seed: int, class_names: Sequence[str] | None = None
) -> np.ndarray:
    """Give each row the fold in which it is validated.

    The method is scikit-learn's StratifiedGroupKFold with shuffling: each group in turn goes to the fold that keeps the
    classes most evenly spread over the folds. Where most groups are single rows, the counts of a class in two folds
    differ by two at most.

    Args:
        labels: int (n,), the class of each row.
        groups: int (n,), rows of one group share a fold.
        number: how many folds.
        seed: seed of the shuffling.
        class_names: names of the classes 0, 1, ... for the messages. If they are given, each class must have rows.

    Returns:
        int64 (n,), 0 to number - 1.

    Raises:
        InputError: less than two folds or classes, or a class with too few rows or groups for the folds.
    """
    if number < 2:
        raise InputError(f"folds.number: {number} found, but cross-validation needs 2 folds or more")
    if class_names is None:
        names = {label: f"class {label}" for label in np.unique(labels)}
    else:
        names = {label: f"class {name}" for label, name in enumerate(class_names)}
    if len(names) < 2:
        raise InputError(
            f"all samples are of {', '.join(names.values()) or 'no class'}, but training needs 2 classes or more: "
            "check the labels of the data and the class names"
        )
    for label, name in names.items():
        rows = labels == label
        samples, distinct = np.count_nonzero(rows), len(np.unique(groups[rows]))
        if distinct < number:
            raise too_few_samples(name, samples, distinct, number)

    # A fold's job imports this module, too, and seldom needs scikit-learn, whose import takes a second.
    from sklearn.model_selection import StratifiedGroupKFold

    folds = np.full(len(labels), -1, dtype=np.int64)
    splitter = StratifiedGroupKFold(n_splits=number, shuffle=True, random_state=seed)
    for fold, (_, validation) in enumerate(splitter.split(labels, labels, groups)):
        folds[validation] = fold
    mending = (
        ", as the groups are uneven: lower folds.number, add samples, or keep fewer together (folds.groups, "
        "folds.group_duplicates)"
    )
    check_folds(folds, labels, number, names, mending)
    return folds


def check_folds(folds: np.ndarray, labels: np.ndarray, number: int, names: Mapping[int, str], mending: str) -> None:
    """Refuse an empty fold and one with all samples of a class.

    Args:
        folds: int (n,), the fold of each row.
        labels: int (n,), the class of each row.
        number: how many folds there must be.
        names: the name of each class, by its label.
        mending: why a fold may be so, and what to do.
    """
    for fold in range(number):
        training = folds != fold
        if training.all():
            raise InputError(f"fold {fold} of {number} would be empty{mending}")
        missing = np.setdiff1d(list(names), labels[training])
        if len(missing):
            raise InputError(
                f"all samples of {names[missing[0]]} fall into fold {fold} of {number}, which leaves none to train on"
                f"{mending}"
            )


def join_groups(*groupings: np.ndarray) -> np.ndarray:
    """Join groups that share a row: two rows are together if any of the groupings puts them together.

    Args:
        groupings: int (n,) each, rows of one group have the same number.

    Returns:
        int64 (n,), the first row of each row's group.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows = np.arange(len(groupings[0]))
    firsts = [first[inverse] for _, first, inverse in (np.unique(g, True, True) for g in groupings)]
    links = (np.tile(rows, len(firsts)), np.concatenate(firsts))
    graph = coo_array((np.ones(len(links[0])), links), shape=(len(rows), len(rows)))
    _, joined = connected_components(graph, directed=False)
    _, first, inverse = np.unique(joined, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int64)


def independent_groups(own: np.ndarray, duplicate_groups: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Group samples that tell the same twice: those of one group of the user's, and copies of an image.

    Copies count even where folds may split them. A sample that is left out joins no groups: a black image in the videos
    of two persons does not make one of them.

    Args:
        own: int (n,), the groups of the user's own.
        duplicate_groups: int (n,), equal images have the same number.
        used: bool (n,), whether the sample is for training or held out.

    Returns:
        int64 (n,), the first used sample of each sample's group. A sample that is not used is alone.
    """
    groups, rows = np.arange(len(own)), np.flatnonzero(used)
    groups[rows] = rows[join_groups(own[rows], duplicate_groups[rows])]
    return groups


def check_straddling(folds: np.ndarray, groups: np.ndarray, samples: Sequence[str], path: str) -> None:
    """Refuse folds of the user's own that split a group.

    Args:
        folds: int (n,), the fold of each row.
        groups: int (n,), the first row of each row's group, see `join_groups`.
        samples: the name of each row.
        path: of the user's file, for the message.
    """
    split = np.flatnonzero(folds != folds[groups])
    if len(split):
        row, other = split[0], groups[split[0]]
        raise InputError(
            f"{path}: {samples[other]!r} is in fold {folds[other]} and {samples[row]!r} in fold {folds[row]}, but they "
            "belong to one group; correct the folds or folds.groups; if the two are copies that may be apart, set "
            "folds.group_duplicates to false"
        )


def inner_split(labels: np.ndarray, groups: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Choose the training rows that are held back for early stopping. The model does not learn from them.

    The method is scikit-learn's train_test_split of the groups, stratified by their most frequent class (the lowest
    label on a tie).

    Args:
        labels: int (n,), the class of each training row.
        groups: int (n,), rows of one group stay together.
        fraction: share of the groups to hold back, between 0 and 1.
        seed: seed of the drawing.

    Returns:
        bool (n,), true where a row is held back.

    Raises:
        InputError: a class would be missing from the rows that are left, or too few rows would be held back.
    """
    from sklearn.model_selection import train_test_split

    classes, class_of_row = np.unique(labels, return_inverse=True)
    distinct, group_of_row = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(distinct), len(classes)), dtype=np.int64)
    np.add.at(counts, (group_of_row, class_of_row), 1)
    mending = "switch early stopping off, change its fraction or add samples"
    try:
        _, held_back = train_test_split(
            np.arange(len(distinct)), test_size=fraction, stratify=counts.argmax(axis=1), random_state=seed
        )
    except ValueError as error:
        raise InputError(
            f"early stopping cannot hold back {fraction:g} of the training samples ({error}): {mending}"
        ) from error
    mask = np.isin(group_of_row, held_back)
    missing = np.setdiff1d(labels, labels[~mask])
    if len(missing):
        raise InputError(
            f"early stopping would hold back {fraction:g} of the training samples and with them all of "
            f"class {missing[0]}: {mending}"
        )
    return mask
