import numpy as np
import pytest

from fercv.data.folds import assign_folds, inner_split
from fercv.workflow.errors import InputError

NAMES = ["angry", "disgust", "happy"]


def make_samples(n=1200, duplicates=120, seed=3):
    """Labels of very unequal classes; the last rows are copies of random others, a few of them labelled differently."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(3, n, p=[0.3, 0.05, 0.65])
    groups = np.arange(n)
    originals = generator.integers(0, n - duplicates, duplicates)
    groups[-duplicates:] = originals
    labels[-duplicates:] = labels[originals]
    labels[-3:] = (labels[-3:] + 1) % 3
    return labels, groups


def test_every_row_is_validated_once_and_no_group_is_split():
    labels, groups = make_samples()
    folds = assign_folds(labels, groups, 10, seed=1)
    assert folds.dtype == np.int64
    assert set(folds) == set(range(10))
    for group in np.unique(groups):
        assert len(set(folds[groups == group])) == 1


def test_stratified():
    labels, groups = make_samples()
    folds = assign_folds(labels, groups, 10, seed=1)
    for label in range(3):
        assert np.ptp(np.bincount(folds[labels == label], minlength=10)) <= 2

    single = assign_folds(labels, np.arange(len(labels)), 20, seed=1)
    for label in range(3):
        assert np.ptp(np.bincount(single[labels == label], minlength=20)) <= 1


def test_seed_decides():
    labels, groups = make_samples()
    folds = assign_folds(labels, groups, 5, seed=1)
    np.testing.assert_array_equal(folds, assign_folds(labels, groups, 5, seed=1))
    assert (folds != assign_folds(labels, groups, 5, seed=2)).mean() > 0.5


def test_folds_mix_the_order_of_the_rows():
    labels = np.repeat([0, 1], 100)
    folds = assign_folds(labels, np.arange(200), 4, seed=0)
    for fold in range(4):
        assert np.mean(np.flatnonzero(folds[:100] == fold)) == pytest.approx(50, abs=20)


@pytest.mark.parametrize(
    ("labels", "groups", "number", "names", "said"),
    [
        ([0, 0, 1, 1], range(4), 1, None, ["folds.number", "1", "2 folds"]),
        ([0, 0, 0, 0], range(4), 2, None, ["class 0", "2 classes or more: check the labels"]),
        ([], [], 2, None, ["all samples are of no class, "]),
        ([0] * 9 + [1] * 4, range(13), 5, NAMES[:2], ["disgust", "4 samples", "folds.number = 5", "to 4 or less"]),
        ([0] * 9 + [1], range(10), 5, NAMES[:2], ["disgust", "1 sample", "leave the class out"]),
        ([0] * 9 + [1] * 9, range(18), 5, NAMES, ["happy", "0 samples"]),
        ([0] * 9 + [1] * 6, [*range(9), 9, 9, 9, 10, 10, 11], 5, NAMES[:2], ["disgust", "6 samples in 3 groups"]),
    ],
)
def test_refused_in_one_line(labels, groups, number, names, said):
    with pytest.raises(InputError) as refusal:
        assign_folds(np.array(labels), np.array(groups), number, 0, names)
    message = str(refusal.value)
    assert "\n" not in message
    for part in said:
        assert part in message


UNEVEN = (
    r"^all samples of class 1 fall into fold . of 2, .* as the groups are uneven: "
    r"lower folds\.number, add samples, or keep fewer together \(folds\.groups, folds\.group_duplicates\)$"
)


def test_a_class_missing_from_a_training_part_is_refused():
    # Class 1 has as many groups as there are folds, but one of them is drawn to the other by class 0.
    with pytest.raises(InputError, match=UNEVEN) as refusal:
        assign_folds(np.array([0, 1, 0, 1]), np.array([0, 1, 2, 2]), 2, seed=0)
    assert "\n" not in str(refusal.value)


def test_a_class_may_be_missing_from_a_validation_part():
    """The model still learns it from the other folds."""
    labels = np.array([0, 1, 1, 0, 1, 0])
    folds = assign_folds(labels, np.array([0, 2, 1, 1, 3, 3]), 3, seed=0)
    assert sorted(len(set(labels[folds == fold])) for fold in range(3)) == [1, 2, 2]


def test_inner_split_is_grouped_and_stratified():
    labels, groups = make_samples()
    held_back = inner_split(labels, groups, 0.2, seed=4)
    assert held_back.dtype == bool
    assert held_back.shape == labels.shape
    assert not set(groups[held_back]) & set(groups[~held_back])
    assert held_back.mean() == pytest.approx(0.2, abs=0.02)
    for label in range(3):
        assert held_back[labels == label].mean() == pytest.approx(0.2, abs=0.04)
    np.testing.assert_array_equal(held_back, inner_split(labels, groups, 0.2, seed=4))
    assert (held_back != inner_split(labels, groups, 0.2, seed=5)).any()


MENDING = "switch early stopping off, change its fraction or add samples"


@pytest.mark.parametrize("fraction", [0.001, 0.9])
def test_inner_split_refused_in_one_line(fraction):
    labels = np.array([0] * 10 + [1] * 2)
    with pytest.raises(InputError, match=rf"early stopping .* {fraction:g} of the training.*: {MENDING}$") as refusal:
        inner_split(labels, np.arange(12), fraction, seed=0)
    assert "\n" not in str(refusal.value)


def test_inner_split_that_leaves_a_class_out_of_the_training_rows_is_refused():
    """The row of class 1 shares a group with one of class 0, and that group is among the nine of ten held back."""
    labels, groups = np.array([*[0] * 10, 1]), np.array([*range(10), 3])
    with pytest.raises(InputError, match=f"hold back 0.9 of .* all of class 1: {MENDING}$") as refusal:
        inner_split(labels, groups, 0.9, seed=0)
    assert "\n" not in str(refusal.value)


def test_a_class_may_be_missing_from_the_rows_held_back():
    labels = np.array([0] * 38 + [1] * 2)
    held_back = inner_split(labels, np.arange(40), 0.1, seed=0)
    assert labels[held_back].tolist() == [0] * 4
