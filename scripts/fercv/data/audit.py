"""The audit of the data: equal and nearly equal images, contradicting labels, blank images, and what folds leak.

Images are nearly equal if their perceptual hashes differ in few bits. The hash is pHash (Zauner 2010, Implementation
and Benchmarking of Perceptual Image Hash Functions) in the form of the package ImageHash, there
`phash(image, hash_size=16)`: it tells which of the 16 x 16 lowest frequencies of the image are above their median.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
from PIL import Image
from scipy.fft import dct

from fercv.data.left_out import blank_images
from fercv.data.tables import AUDIT, is_held_out, is_training

# Frequencies along each axis; their number is that of the bits. With the usual 8, faces of other people collide.
FREQUENCIES = 16
BITS = FREQUENCIES**2
# Height and width of what is transformed.
SIDE = 4 * FREQUENCIES
# Up to here, images count as nearly equal. docs/data.md tells what was found at which distance.
NEAR = 40
# The table lists the nearest pairs, at most this many: of videos, there may be millions.
MOST_PAIRS = 5000
# Images that are looked at together. This bounds the memory.
BATCH, BLOCK = 1024, 128
# In place of a fold, of an image that is in none.
NO_FOLD = -1
REASONS = {
    "blank": ("left out of training and scores: one single grey", "data.exclude_blank"),
    "held_out_twin": ("left out of training: an exact copy is held out", "data.exclude_held_out_twins"),
}


def perceptual_hashes(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The perceptual hashes of some images.

    Args:
        images: uint8 (n, height, width).
        rows: int (chosen,), the numbers of these images.

    Returns:
        uint64 (chosen, 4), 256 bits for each image.
    """
    hashes = np.empty((len(rows), BITS // 8), np.uint8)
    for start in range(0, len(rows), BATCH):
        batch = images[rows[start : start + BATCH]]
        shrunk = [Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.LANCZOS) for image in batch]
        columns = dct(np.array(shrunk, np.float64), axis=1)[:, :FREQUENCIES]
        lowest = dct(columns, axis=2)[:, :, :FREQUENCIES].reshape(len(batch), BITS)
        above = lowest > np.median(lowest, axis=1, keepdims=True)
        hashes[start : start + BATCH] = np.packbits(above, axis=1)
    return hashes.view(np.uint64)


def near_pairs(
    hashes: np.ndarray, trained: np.ndarray, limit: int = NEAR, most: int = MOST_PAIRS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find all pairs of hashes that differ in few bits. Each pair is looked at, so none is missed.

    Args:
        hashes: uint64 (n, words).
        trained: bool (n, folds): the folds that hold an image with this hash.
        limit: the largest number of bits (Hamming distance).
        most: how many pairs are returned, the nearest ones.

    Returns:
        The pairs: int64 (pairs, 3), the rows of both, the earlier one first, and their distance; the nearest first.
        How many pairs there are at each distance: int64 (limit + 1,).
        bool (n, folds): the folds that hold an image with a near hash. All pairs count, also those not returned.
    """
    pairs, counts, near = np.empty((0, 3), np.int64), np.zeros(limit + 1, np.int64), np.zeros_like(trained)
    for start in range(0, len(hashes), BLOCK):
        block, rest = hashes[start : start + BLOCK], hashes[start:]
        distances = np.zeros((len(block), len(rest)), np.uint16)
        for word in range(hashes.shape[1]):
            distances += np.bitwise_count(block[:, None, word] ^ rest[None, :, word])
        is_near = np.triu(distances <= limit, k=1)
        first, second = np.nonzero(is_near)
        if len(first):
            # Products of float32 are fast. They count the images, of which there are far fewer than 2 ** 24.
            weights, folds = is_near.astype(np.float32), trained[start:].astype(np.float32)
            near[start : start + BLOCK] |= weights @ folds > 0
            near[start:] |= weights.T @ folds[: len(block)] > 0
        found = distances[first, second]
        counts += np.bincount(found, minlength=limit + 1)
        pairs = np.concatenate([pairs, np.stack([first + start, second + start, found], axis=1)])
        pairs = pairs[np.lexsort(pairs.T[[1, 0, 2]])[:most]]
    return pairs, counts, near


def expected_twins(groups: np.ndarray, folds: int) -> float:
    """The share of validation images that would have an exact copy in training, if folds were drawn at random.

    The share is exact, not simulated: the expectation over all ways to split the images into folds of equal size (up to
    one image). Of a group of g copies among n images, none but the image itself has to be outside its fold of m images,
    with the probability (m-1)...(m-g+1) / (n-1)...(n-g+1), the hypergeometric one. Classes are not looked at;
    stratified folds give nearly the same.

    Args:
        groups: int (n,), equal images have the same number.
        folds: how many folds.
    """
    number = len(groups)
    sizes = [number // folds + (fold < number % folds) for fold in range(folds)]
    expected = 0.0
    for copies, images in Counter(Counter(groups.tolist()).values()).items():
        others = np.arange(1, copies)
        for size in sizes:
            together = np.prod(np.clip(size - others, 0, None) / (number - others))
            expected += images * copies * size / number * (1 - together)
    return expected / number


def seen_in_training(twins: np.ndarray, groups: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Which images have a twin among those on which the models that judge them are trained.

    Args:
        twins: bool (groups, folds): the folds that hold a twin of the group's images.
        groups: int (n,): the group of each image.
        folds: int (n,): the fold that validates the image, NO_FOLD if it is held out or left out. All models judge an
            image in no fold.

    Returns:
        bool (n,).
    """
    others = twins[groups]
    in_fold = np.flatnonzero(folds != NO_FOLD)
    others[in_fold, folds[in_fold]] = False
    return others.any(axis=1)


def audit(
    images: np.ndarray, samples: pd.DataFrame, folds: pd.DataFrame, classes: Sequence[str], fold_names: Sequence[str]
) -> pd.DataFrame:
    """Look for what makes scores wrong.

    Args:
        images: uint8 (n, height, width).
        samples: n rows, see `tables.SAMPLES`.
        folds: a row for each training sample in use, see `tables.FOLDS`.
        classes: names of the classes.
        fold_names: names of the folds.

    Returns:
        The table that `tables.AUDIT` describes: first counts and shares, then a row for each group, pair or image.
    """
    fold_of = np.full(len(samples), NO_FOLD)
    fold_of[folds["index"]] = folds["fold"]
    blank = blank_images(images)
    # Blank images that are left out are found as such. Others would be the largest group of duplicates.
    shown = np.flatnonzero(samples["excluded"] != "blank")
    groups = samples["duplicate_group"].to_numpy()
    members = _members(groups, shown)
    # Of equal images, one that is used stands for all.
    left_out = (samples["excluded"] != "").to_numpy()
    ones = np.array([rows[left_out[rows].argmin()] for rows in members.values() if not blank[rows[0]]], np.int64)
    trained = np.zeros((groups.max() + 1, len(fold_names)), bool)
    trained[groups[folds["index"]], folds["fold"]] = True
    near = np.zeros_like(trained)
    pairs, counts, near[groups[ones]] = near_pairs(perceptual_hashes(images, ones), trained[groups[ones]])
    pairs = np.column_stack([ones[pairs[:, :2]], pairs[:, 2]])

    findings = _Findings(samples, fold_of, classes, fold_names)
    findings.count_classes()
    findings.count_left_out()
    findings.count_leaks(trained, near)
    findings.count_pairs(counts)
    for rows in sorted((rows for rows in members.values() if len(rows) > 1), key=len, reverse=True):
        findings.tell_group(rows)
    for *rows, distance in pairs.tolist():
        findings.tell_pair(rows, distance)
    for row in np.flatnonzero(blank):
        findings.tell_blank(row, images[row, 0, 0])
    return findings.table()


def _members(groups, rows):
    """The rows of each group, as {group: int array}, groups in the order in which they appear."""
    order = rows[np.argsort(groups[rows], kind="stable")]
    numbers, starts = np.unique(groups[order], return_index=True)
    return dict(zip(numbers.tolist(), np.split(order, starts[1:]), strict=True))


class _Findings:
    """Collects the rows of the table."""

    def __init__(self, samples, fold_of, classes, fold_names):
        self.samples, self.fold_of = samples, fold_of
        self.labels = np.array(classes, object)[samples["label"]]
        self.usages = samples["usage"].replace("", "unknown").to_numpy(object)
        self.fold_names = fold_names
        self.folds = np.array([*fold_names, "none"], object)[fold_of]
        self.sources = samples["source"].to_numpy(object)
        self.training = is_training(samples).to_numpy()
        self.held_out = is_held_out(samples).to_numpy()
        self.found = []

    def add(self, kind, finding, samples, **values):
        """Add a row. Values that are not given stay empty."""
        empty = {name: "" if column.dtype == "str" else np.nan for name, column in AUDIT.items()}
        self.found.append(empty | values | {"kind": kind, "samples": samples, "finding": finding})

    def add_samples(self, kind, finding, rows, **values):
        """Add a row that concerns single samples."""
        names = {name: " | ".join(getattr(self, name)[rows]) for name in ("labels", "usages", "folds", "sources")}
        self.add(kind, finding, len(rows), **names, indices=" ".join(map(str, rows)), **values)

    def table(self):
        """All rows, see `tables.AUDIT`."""
        # Whole numbers without a decimal point, though some are missing.
        return pd.DataFrame(self.found).astype({"distance": "Int64"})

    def count_classes(self):
        """How many samples of each class each usage has."""
        for usage in dict.fromkeys(self.usages):
            of_usage = self.labels[self.usages == usage]
            for name, count in sorted(Counter(of_usage).items(), key=lambda item: -item[1]):
                share = count / len(of_usage)
                text = f"{name}: {share:.1%} of the {len(of_usage)} images with the usage {usage}"
                self.add("class_count", text, count, share=share, labels=name, usages=usage)

    def count_left_out(self):
        """How many samples are left out, and why."""
        for reason, (text, setting) in REASONS.items():
            if count := int((self.samples["excluded"] == reason).sum()):
                text = f"{_images(count)} {'is' if count == 1 else 'are'} {text} ({setting})"
                self.add("left_out", text, count, share=count / len(self.samples))

    def count_leaks(self, trained, near):
        """How many validation and held-out images have a twin in training: exact ones, then near ones."""
        groups = self.samples["duplicate_group"].to_numpy()
        share = expected_twins(groups[self.training], len(self.fold_names))
        text = f"random folds would train on an exact copy of {share:.1%} of the validation images (expected value)"
        self.add("leak_of_random_folds", text, round(share * self.training.sum()), share=share)
        judged = {("leak_of_folds", "", "validation"): self.training}
        for usage in dict.fromkeys(self.usages[self.held_out]):
            judged["leak_of_held_out", usage, usage] = self.held_out & (self.usages == usage)
        exact, near = (seen_in_training(twins, groups, self.fold_of) for twins in (trained, trained | near))
        for seen, copy, distance in ((exact, "exact copy", np.nan), (near, "exact or near copy", NEAR)):
            for (kind, usage, name), of_kind in judged.items():
                count, total = int((seen & of_kind).sum()), int(of_kind.sum())
                text = (
                    f"{count} of the {total} {name} images have an {copy} in the training of the models that judge them"
                )
                self.add(kind, text, count, share=count / total, usages=usage, distance=distance)

    def count_pairs(self, counts):
        """How many pairs of images are nearly equal, at each distance."""
        for distance in np.flatnonzero(counts):
            pairs = "1 pair of images has" if counts[distance] == 1 else f"{counts[distance]} pairs of images have"
            text = f"{pairs} hashes that differ in {distance} of {BITS} bits"
            self.add("near_duplicate_pairs", text, int(counts[distance]), distance=distance)

    def tell_group(self, rows):
        """A group of equal images."""
        equal = f"{len(rows)} equal images"
        labels, usages = Counter(self.labels[rows]), Counter(self.usages[rows])
        folds = sorted(set(self.folds[rows][self.fold_of[rows] != NO_FOLD]))
        self.add_samples("exact_duplicates", f"{equal}, labelled {_counted(labels)}", rows)
        if len(labels) > 1:
            self.add_samples("conflicting_labels", f"{equal} bear different labels: {_counted(labels)}", rows)
        if len(usages) > 1:
            text = ""
            if self.held_out[rows].any() and self.training[rows].any():
                text = "; the models are trained on a copy of a held-out image"
            elif (self.samples["excluded"].iloc[rows] == "held_out_twin").any():
                text = "; those for training are left out"
            self.add_samples("twins_across_usages", f"{equal} have different usages: {_counted(usages)}{text}", rows)
        if len(folds) > 1:
            text = f"{equal} are in the folds {', '.join(folds)}: each is validated by a model that has seen its copy"
            self.add_samples("twins_across_folds", text, rows)

    def tell_pair(self, rows, distance):
        """Two images that are nearly equal."""
        text = f"the hashes of two images differ in {distance} of {BITS} bits"
        for values, what in ((self.labels, "labels"), (self.usages, "usages"), (self.folds, "folds")):
            of_both = set(values[rows]) - {"none"}
            text += f"; they have different {what}" if len(of_both) > 1 else ""
        self.add_samples("near_duplicates", text, rows, distance=distance)

    def tell_blank(self, row, grey):
        """An image of one single grey."""
        left_out = "left out" if self.samples["excluded"].iloc[row] == "blank" else "used all the same"
        self.add_samples("blank_image", f"all pixels have the grey value {grey} of 255; the image is {left_out}", [row])


def _images(count):
    return f"{count} image{'' if count == 1 else 's'}"


def _counted(counts):
    """For instance `2 angry, 1 sad`."""
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())
