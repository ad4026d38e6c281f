"""The audit: each kind of finding on images made by hand, and the distances of the perceptual hash."""

import io
import itertools

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import plot_audit
from fercv.data.audit import (
    MOST_PAIRS,
    NEAR,
    NO_FOLD,
    audit,
    expected_twins,
    near_pairs,
    perceptual_hashes,
    seen_in_training,
)
from fercv.data.faces import draw_faces
from fercv.data.folds import assign_folds
from fercv.data.left_out import blank_images, exclusions
from fercv.data.reading import duplicate_groups
from fercv.data.tables import AUDIT, is_training, read_table, write_table

CLASSES, FOLDS = ["angry", "happy"], ["00", "01"]
NOISE = np.random.default_rng(3).integers(0, 256, (40, 48, 48)).astype(np.uint8)


@pytest.fixture(scope="module")
def faces():
    return draw_faces(60, seed=5)


def findings_of(tmp_path, images, labels, usages, folds, blank=True, twins=True):
    """Audit images as the workflow does; `folds` has None for an image that is in none."""
    samples = pd.DataFrame({"index": range(len(images)), "label": labels, "usage": usages})
    samples["duplicate_group"] = duplicate_groups(images)
    samples["source"] = [f"{index}.png" for index in range(len(images))]
    samples["excluded"] = exclusions(samples, blank_images(images), blank, twins)
    table = pd.DataFrame({"index": range(len(images)), "fold": folds})[is_training(samples)].astype(int)
    write_table(audit(images, samples, table, CLASSES, FOLDS), tmp_path / "audit.csv")
    return read_table(tmp_path / "audit.csv", AUDIT)


def of_kind(findings, kind):
    """The rows of one kind."""
    return findings[findings["kind"] == kind]


def only(findings, kind):
    """The one row of this kind."""
    (row,) = of_kind(findings, kind).itertuples()
    return row


def leak(findings, kind="leak_of_folds"):
    """How many images have an exact copy in training, and how many have an exact or near one."""
    rows = of_kind(findings, kind)
    return rows.loc[rows["distance"].isna(), "samples"].sum(), rows.loc[rows["distance"] == NEAR, "samples"].sum()


def test_the_picture_shows_a_group_with_contradicting_labels_only_once(tmp_path):
    images = NOISE[:7].copy()
    images[1], images[4:6] = images[0], images[3]
    findings = findings_of(tmp_path, images, [0, 1, 0, 1, 1, 1, 0], [""] * 7, [0, 0, 0, 1, 1, 1, 1])
    shown = {kind: list(plot_audit.findings_of(kind, findings)["indices"]) for kind in plot_audit.SHOWN}
    assert shown == {"conflicting_labels": ["0 1"], "exact_duplicates": ["3 4 5"], "near_duplicates": []}


def test_a_planted_leak_is_found(tmp_path):
    """A training image is copied into validation, as random folds do it where duplicates are not kept together."""
    images, labels, folds = NOISE[:6].copy(), [0, 1, 0, 1, 0, 1], [0, 0, 0, 1, 1, 1]
    assert leak(findings_of(tmp_path, images, labels, [""] * 6, folds)) == (0, 0)
    images[4] = images[0]
    findings = findings_of(tmp_path, images, labels, [""] * 6, folds)
    assert leak(findings) == (2, 2)
    row = only(findings, "twins_across_folds")
    assert (row.samples, row.indices, row.folds) == (2, "0 4", "00 | 01")
    assert row.finding.startswith("2 equal images are in the folds 00, 01: ")
    # In three of the five places for the copy, random folds of 3 images each would split the two.
    row = only(findings, "leak_of_random_folds")
    assert (row.share, row.samples) == (pytest.approx(2 / 6 * 3 / 5), 1)


def test_the_workflows_folds_leak_where_duplicates_are_not_kept_together(tmp_path):
    images, labels = NOISE[np.random.default_rng(4).integers(0, len(NOISE), 60)], np.arange(60) % 2
    groups = duplicate_groups(images)
    for kept_together, key in ((True, groups), (False, np.arange(len(images)))):
        folds = assign_folds(labels, key, 2, seed=1)
        found = leak(findings_of(tmp_path, images, labels, [""] * len(images), folds))[0]
        shared = [g for g in set(groups) if len(set(folds[groups == g])) > 1]
        assert found == np.isin(groups, shared).sum()
        assert (found == 0) == kept_together


def test_equal_images_and_contradicting_labels(tmp_path):
    images = NOISE[[0, 1, 0, 2, 1, 0]]
    findings = findings_of(tmp_path, images, [0, 1, 0, 1, 0, 0], ["Training"] * 6, [0, 1, 0, 1, 1, 0])
    equal = of_kind(findings, "exact_duplicates")
    assert list(equal["indices"]) == ["0 2 5", "1 4"] and list(equal["samples"]) == [3, 2]
    row = only(findings, "conflicting_labels")
    assert (row.indices, row.labels, row.sources) == ("1 4", "happy | angry", "1.png | 4.png")
    assert row.usages == "Training | Training" and "1 happy, 1 angry" in row.finding
    assert not len(of_kind(findings, "twins_across_usages"))
    assert not len(of_kind(findings, "twins_across_folds"))


@pytest.mark.parametrize("left_out", [True, False])
def test_a_held_out_image_with_a_copy_in_training(tmp_path, left_out):
    images, usages = NOISE[[0, 1, 2, 3, 0, 4]], ["Training"] * 4 + ["PublicTest", "PrivateTest"]
    folds = [0, 0, 1, 1, None, None]
    findings = findings_of(tmp_path, images, [0, 1, 0, 1, 0, 1], usages, folds, twins=left_out)
    row = only(findings, "twins_across_usages")
    assert (row.indices, row.usages) == ("0 4", "Training | PublicTest")
    assert row.folds == ("none | none" if left_out else "00 | none")
    assert row.finding.endswith("left out" if left_out else "the models are trained on a copy of a held-out image")
    leaks = of_kind(findings, "leak_of_held_out").query("distance.isna()").set_index("usages")["samples"]
    assert dict(leaks) == {"PublicTest": 0 if left_out else 1, "PrivateTest": 0}
    counted = of_kind(findings, "left_out")
    assert list(counted["samples"]) == [1] * left_out
    assert all(finding.startswith("1 image is ") for finding in counted["finding"])
    # A held-out image is in no fold.
    assert not len(of_kind(findings, "twins_across_folds"))


def test_a_copy_in_another_test_set_leaves_nothing_out(tmp_path):
    images, usages = NOISE[[0, 1, 2, 3, 4, 4]], ["Training"] * 4 + ["PublicTest", "PrivateTest"]
    findings = findings_of(tmp_path, images, [0, 1, 0, 1, 0, 0], usages, [0, 0, 1, 1, None, None])
    row = only(findings, "twins_across_usages")
    assert row.finding == "2 equal images have different usages: 1 PublicTest, 1 PrivateTest"


@pytest.mark.parametrize("left_out", [True, False])
def test_blank_images(tmp_path, left_out):
    images = NOISE[:6].copy()
    images[1], images[4] = 9, 9
    findings = findings_of(tmp_path, images, [0, 0, 1, 1, 1, 0], [""] * 6, [0, 0, 0, 1, 1, 1], blank=left_out)
    blank = of_kind(findings, "blank_image")
    assert list(blank["indices"]) == ["1", "4"]
    used = "left out" if left_out else "used all the same"
    assert set(blank["finding"]) == {f"all pixels have the grey value 9 of 255; the image is {used}"}
    counted = of_kind(findings, "left_out")
    assert list(counted["samples"]) == [2] * left_out
    assert all(finding.startswith("2 images are ") for finding in counted["finding"])
    # If they are used all the same, they are duplicates and leak as others do.
    assert len(of_kind(findings, "conflicting_labels")) == (0 if left_out else 1)
    assert leak(findings) == ((0, 0) if left_out else (2, 2))


def test_classes_are_counted_for_each_usage(tmp_path):
    usages = ["Training"] * 5 + ["Test"]
    counts = of_kind(findings_of(tmp_path, NOISE[:6], [0, 1, 1, 1, 0, 1], usages, [0, 0, 1, 1, 1, None]), "class_count")
    assert list(counts[["usages", "labels", "samples", "share"]].itertuples(index=False, name=None)) == [
        ("Training", "happy", 3, 0.6), ("Training", "angry", 2, 0.4), ("Test", "happy", 1, 1.0),
    ]  # fmt: skip


def test_a_near_copy_in_another_fold_and_in_the_test_set(tmp_path, faces):
    originals = faces.images[np.unique(faces.identities)][:5]
    images = np.concatenate([originals, [recompressed(originals[0]), recompressed(originals[1])]])
    usages = ["Training"] * 6 + ["Test"]
    findings = findings_of(tmp_path, images, [0, 1, 0, 1, 0, 0, 0], usages, [0, 0, 0, 1, 1, 1, None])
    pairs = of_kind(findings, "near_duplicates")
    assert sorted(pairs["indices"]) == ["0 5", "1 6"]
    assert pairs["distance"].is_monotonic_increasing and pairs["distance"].max() <= NEAR
    assert of_kind(findings, "near_duplicate_pairs")["samples"].sum() == 2
    told = pairs.set_index("indices")["finding"]
    assert told["0 5"].endswith("bits; they have different folds")
    assert told["1 6"].endswith("bits; they have different labels; they have different usages")
    assert leak(findings) == (0, 2) and leak(findings, "leak_of_held_out") == (0, 1)


def test_the_frames_of_a_video_leak_also_where_there_are_more_pairs_than_the_table_lists(tmp_path, faces):
    """Each frame resembles each other one, by different amounts. So the pairs of some frames are not listed."""
    rng = np.random.default_rng(3)
    noise = rng.normal(0, np.linspace(0.2, 3, 120)[:, None, None], (120, *faces.images.shape[1:]))
    frames = np.clip(faces.images[0] + noise, 0, 255).round().astype(np.uint8)
    folds = rng.permutation(np.arange(120) % 2).tolist()
    findings = findings_of(tmp_path, frames, [0, 1] * 60, ["Training"] * 120, folds)
    listed = of_kind(findings, "near_duplicates")
    assert len(listed) == MOST_PAIRS < of_kind(findings, "near_duplicate_pairs")["samples"].sum()
    assert len({row for pair in listed["indices"] for row in pair.split()}) < 120
    assert leak(findings) == (0, 120)


def test_of_equal_images_one_that_is_used_is_compared_with_others(tmp_path, faces):
    """The first image is left out, as its copy is held out."""
    face = faces.images[0]
    images = np.stack([face, *NOISE[:4], face, recompressed(face)])
    usages = ["Training"] * 5 + ["Test", "Training"]
    findings = findings_of(tmp_path, images, [0, 1, 0, 1, 0, 0, 0], usages, [None, 0, 0, 1, 1, None, 1])
    row = only(findings, "near_duplicates")
    assert (row.indices, row.folds) == ("5 6", "none | 01")
    assert row.finding.endswith("of 256 bits; they have different usages")


def test_images_that_are_all_blank_have_no_near_copies(tmp_path):
    findings = findings_of(tmp_path, np.zeros((4, 9, 7), np.uint8), [0, 1, 0, 1], [""] * 4, [0, 0, 1, 1], blank=False)
    assert not len(of_kind(findings, "near_duplicates")) and len(of_kind(findings, "blank_image")) == 4


def recompressed(image, quality=50):
    """The image after JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def test_hashes_are_those_of_imagehash():
    """Made with imagehash.phash(image, hash_size=16) of ImageHash 4.3.2."""
    row, column = np.mgrid[:48, :48]
    image = ((7 * row * column + 3 * row**2) % 251).astype(np.uint8)
    expected = "c4435ad8024a1357529e0b6a1ed602581b3e5ea750f57fa05d4e23f43fab3db5"
    assert perceptual_hashes(image[None], np.array([0])).tobytes().hex() == expected
    row, column = np.mgrid[:30, :40]
    image = ((5 * row + row * column) % 240).astype(np.uint8)
    expected = "8280007f3fc0383f71c467056e5f49b85b43568eb578aa732eee49dd69b25b34"
    assert perceptual_hashes(image[None], np.array([0])).tobytes().hex() == expected


def test_the_hash_tells_faces_apart_and_finds_each_again_after_jpeg(faces):
    """The faces' identities are known: no two of them are the same face."""
    images = faces.images[np.unique(faces.identities)]
    both = np.concatenate([images, [recompressed(image) for image in images]])
    pairs, *_ = near_pairs(perceptual_hashes(both, np.arange(len(both))), np.zeros((len(both), 0), bool))
    assert {(first, second) for first, second, _ in pairs.tolist()} == {
        (i, i + len(images)) for i in range(len(images))
    }


def test_no_near_pair_is_missed_and_the_nearest_come_first():
    rng = np.random.default_rng(8)
    hashes = rng.integers(0, 2**64, (300, 4), dtype=np.uint64)
    flips = np.packbits(rng.random((300, 256)) < 0.08, axis=1).view(np.uint64)
    hashes = np.stack([hashes, hashes ^ flips], axis=1).reshape(600, 4)
    bits = np.unpackbits(hashes.view(np.uint8), axis=1)
    distances = {(i, j): int((bits[i] != bits[j]).sum()) for i, j in itertools.combinations(range(600), 2)}
    expected = sorted((distance, *pair) for pair, distance in distances.items() if distance <= 24)
    trained = rng.random((600, 5)) < 0.3
    pairs, counts, near = near_pairs(hashes, trained, limit=24)
    assert [(distance, first, second) for first, second, distance in pairs.tolist()] == expected
    assert counts.tolist() == np.bincount([distance for distance, *_ in expected], minlength=25).tolist()
    of_twins = np.zeros_like(trained)
    for _, first, second in expected:
        of_twins[first] |= trained[second]
        of_twins[second] |= trained[first]
    assert 0 < of_twins.sum() < of_twins.size and (near == of_twins).all()
    nearest, all_counts, all_near = near_pairs(hashes, trained, limit=24, most=7)
    assert (nearest == pairs[:7]).all() and (all_counts == counts).all() and (all_near == near).all()


def test_the_expected_share_of_twins_is_that_of_all_ways_to_split():
    """Seven images in three folds, of 3, 2 and 2 images: all 210 ways."""
    groups = np.array([0, 0, 0, 1, 1, 2, 3])
    shares = []
    for folds in set(itertools.permutations([0, 0, 0, 1, 1, 2, 2])):
        folds = np.array(folds)
        twins = [((groups == groups[i]) & (folds != folds[i])).any() for i in range(7)]
        shares.append(np.mean(twins))
    assert len(shares) == 210
    assert expected_twins(groups, 3) == pytest.approx(np.mean(shares), abs=1e-12)
    assert expected_twins(np.arange(7), 3) == 0


def test_the_expected_share_fits_stratified_folds():
    rng = np.random.default_rng(2)
    groups = rng.integers(0, 700, 1000)
    labels = groups % 7
    shares = []
    for seed in range(8):
        folds = assign_folds(labels, np.arange(1000), 10, seed)
        spread = pd.DataFrame({"group": groups, "fold": folds}).groupby("group")["fold"].nunique()
        shares.append((spread[groups] > 1).mean())
    assert np.mean(shares) == pytest.approx(expected_twins(groups, 10), abs=0.02)


@pytest.mark.parametrize(
    ("twins", "groups", "folds", "seen"),
    [
        # The first image is judged by a model that was trained without its twin, which is in the same fold.
        ([{0}, {0, 1}], [0, 0, 1], [0, 1, 0], [False, True, True]),
        # A twin in the same fold does not undo that another twin was trained on.
        ([{0, 1}, {0}, {0}], [0, 1, 2], [0, 1, 0], [True, True, False]),
        # A held-out image is judged by all models; of another one, none was trained on a twin.
        ([{4}, set()], [0, 1], [NO_FOLD, 4], [True, False]),
    ],
)
def test_an_image_is_seen_in_training_if_a_twin_is_in_another_fold(twins, groups, folds, seen):
    in_folds = np.array([[fold in of_group for fold in range(5)] for of_group in twins])
    assert seen_in_training(in_folds, np.array(groups), np.array(folds)).tolist() == seen
