import numpy as np
import pytest

from fercv.data import faces as drawing
from fercv.workflow.errors import InputError

COUNT = 1000
TRAINING_SHARES = np.array([3995, 436, 4097, 7215, 4830, 3171, 4965]) / 28709


@pytest.fixture(scope="module")
def faces():
    return drawing.draw_faces(COUNT, seed=5, size=24)


def test_arrays_are_what_the_docstring_promises(faces):
    assert faces.images.shape == (COUNT, 24, 24) and faces.images.dtype == np.uint8
    assert faces.masks.shape == (COUNT, 3, 24, 24) and faces.masks.dtype == bool
    assert faces.labels.dtype == faces.true_labels.dtype == np.int64
    assert faces.strengths.dtype == np.float32
    assert faces.strengths.min() > 0 and faces.strengths.max() <= 1
    # Pictures, not blank or saturated squares.
    assert faces.images.std((1, 2)).min() > 8
    assert 60 < faces.images.mean() < 190


def test_classes_have_the_proportions_of_fer2013_in_every_usage(faces):
    sizes = {"Training": 900, "PublicTest": 50, "PrivateTest": 50}
    assert set(faces.usages) == set(sizes)
    for usage, size in sizes.items():
        for labels in (faces.labels, faces.true_labels):
            counts = np.bincount(labels[faces.usages == usage], minlength=7)
            assert counts.sum() == size
            assert counts.min() >= 1
            assert np.abs(counts - TRAINING_SHARES * size).max() < 1


def test_the_demo_has_a_disgusted_face_for_every_fold_and_a_full_held_out_set():
    true_labels, usages = drawing._assign_classes(2200, 0.1, np.random.default_rng(0))
    assert np.bincount(true_labels[usages == "Training"])[drawing.CLASSES.index("disgust")] == 30
    for usage in ("PublicTest", "PrivateTest"):
        assert np.bincount(true_labels[usages == usage], minlength=7).min() >= 1


def test_a_few_rows_repeat_others_some_across_usages_and_some_under_another_label(faces):
    repeats = np.flatnonzero(faces.identities != np.arange(COUNT))
    originals = faces.identities[repeats]
    assert len(repeats) == 30
    assert np.array_equal(faces.images[repeats], faces.images[originals])
    assert np.array_equal(faces.masks[repeats], faces.masks[originals])
    assert np.array_equal(faces.true_labels[repeats], faces.true_labels[originals])
    assert (faces.usages[repeats] != faces.usages[originals]).any()
    assert (faces.labels[repeats] != faces.labels[originals]).sum() == round(30 / 4)
    distinct = np.unique(faces.images.reshape(COUNT, -1), axis=0)
    assert len(distinct) == COUNT - len(repeats)


def test_three_percent_of_the_recorded_labels_are_wrong(faces):
    assert (faces.labels != faces.true_labels).sum() == 30


def test_brows_stand_above_eyes_above_mouth(faces):
    assert faces.masks.any((2, 3)).all()
    rows = np.arange(24)
    heights = (faces.masks.sum(3) * rows).sum(2) / faces.masks.sum((2, 3))
    assert (heights[:, 0] < heights[:, 1]).all()
    assert (heights[:, 1] < heights[:, 2]).all()


def test_the_seed_alone_decides(faces):
    again = drawing.draw_faces(40, seed=5, size=24)
    assert all(
        np.array_equal(first, second) for first, second in zip(again, drawing.draw_faces(40, 5, 24), strict=True)
    )
    other = drawing.draw_faces(40, seed=6, size=24)
    assert not np.array_equal(again.images, other.images)
    assert not np.array_equal(again.true_labels, other.true_labels)


def test_a_face_does_not_depend_on_how_many_are_drawn(faces):
    fewer = drawing.draw_faces(60, seed=5, size=24)
    same = (fewer.identities == np.arange(60)) & (faces.identities[:60] == np.arange(60))
    same &= fewer.true_labels == faces.true_labels[:60]
    assert same.sum() > 5
    assert np.array_equal(fewer.images[same], faces.images[:60][same])


def test_the_expression_moves_its_features(faces):
    strong = faces.strengths > 0.6
    areas = faces.masks.sum((2, 3))
    tops = faces.masks[:, 0].any(2).argmax(1)

    def mean(values, name, chosen=strong):
        return values[(faces.true_labels == drawing.CLASSES.index(name)) & chosen].mean()

    everyone = np.ones(COUNT, bool)
    assert mean(tops, "surprise") < mean(tops, "neutral", everyone) - 0.5
    assert mean(tops, "angry") > mean(tops, "surprise") + 1
    assert mean(areas[:, 1], "surprise") > 1.2 * mean(areas[:, 1], "neutral", everyone)
    assert mean(areas[:, 1], "disgust") < 0.8 * mean(areas[:, 1], "neutral", everyone)
    assert mean(areas[:, 2], "surprise") > 1.3 * mean(areas[:, 2], "neutral", everyone)


def test_weak_expressions_look_neutral_and_strong_ones_do_not(faces):
    images = faces.images.reshape(COUNT, -1).astype(np.float32)
    images = (images - images.mean(1, keepdims=True)) / images.std(1, keepdims=True)
    neutral = drawing.CLASSES.index("neutral")
    middle = images[faces.true_labels == neutral].mean(0)
    surprised = faces.true_labels == drawing.CLASSES.index("surprise")
    weak = images[surprised & (faces.strengths < 0.4)].mean(0)
    strong = images[surprised & (faces.strengths > 0.7)].mean(0)
    assert np.linalg.norm(weak - middle) < 0.7 * np.linalg.norm(strong - middle)


@pytest.mark.parametrize("size", [16, 48, 64])
def test_any_size_can_be_drawn(size):
    drawn = drawing.draw_faces(8, seed=1, size=size, held_out=0)
    assert drawn.images.shape == (8, size, size)
    assert drawn.masks.any((2, 3)).all()
    assert set(drawn.usages) == {"Training"}


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"count": 0, "seed": 1}, "count"),
        ({"count": 5, "seed": -1}, "seed"),
        ({"count": 5, "seed": 1, "size": 8}, "size"),
        ({"count": 5, "seed": 1, "held_out": 1.0}, "held_out"),
    ],
)
def test_a_value_out_of_range_is_named_in_one_line(arguments, name):
    with pytest.raises(InputError, match=name) as raised:
        drawing.draw_faces(**arguments)
    assert "\n" not in str(raised.value)
