"""The built-in set: drawn faces that show FER2013's seven expressions, made from a seed without any download."""

from typing import NamedTuple

import numpy as np

from fercv.data.expressions import CLASSES, EXTREMES, Expression
from fercv.data.painter import PARTS, Painter, draw_identity, photograph, shrink
from fercv.workflow.errors import InputError

# FER2013's training rows of each class.
FER2013_COUNTS = (3995, 436, 4097, 7215, 4830, 3171, 4965)
DUPLICATE_SHARE = 0.03
WRONG_LABEL_SHARE = 0.03
# Share of the duplicates whose label differs from that of the row that they repeat.
CONFLICT_SHARE = 0.25
SMALLEST_SIZE = 16


class Faces(NamedTuple):
    """A drawn set: `draw_faces` describes each array."""

    images: np.ndarray
    labels: np.ndarray
    true_labels: np.ndarray
    usages: np.ndarray
    strengths: np.ndarray
    identities: np.ndarray
    masks: np.ndarray


def draw_faces(count: int, seed: int, size: int = 48, held_out: float = 0.1) -> Faces:
    """Draw a labelled set of faces.

    The face of row i is drawn by a generator seeded with `[seed, i]`; its class and usage depend on `count` and
    `held_out` too. Each usage has the class proportions of FER2013's training rows, rounded by largest remainder, with
    at least one row of each class where the usage has 7 rows or more. 3 % of all rows repeat another row of their true
    class pixel by pixel, some of them a row of another usage. 3 % of all rows have a wrong label, among them a quarter
    of the repeats. Wrong labels are made by swapping the labels of two rows of one usage, so that the number of rows
    recorded for each class stays exact.

    The script prepare_dataset writes the truth about the faces to E/data/truth.npz: true_labels, masks, strengths and
    identities as below, and `parts`, the names of the parts that the masks show.

    Args:
        count: rows of the whole set.
        seed: of everything that is drawn; not negative.
        size: height and width of an image in pixels, at least 16.
        held_out: share of the rows that are not Training: half PublicTest, half PrivateTest; from 0 to below 1.

    Returns:
        images: uint8, (count, size, size).
        labels: int64, (count,), the recorded class of each row, an index into `CLASSES`; a few are wrong.
        true_labels: int64, (count,), the class that was drawn.
        usages: str, (count,): Training, PublicTest or PrivateTest.
        strengths: float32, (count,), in (0, 1]: how strongly the expression shows; it has no effect on neutral faces.
        identities: int64, (count,), the row whose drawing this is: its own number, or that of the row it repeats.
        masks: bool, (count, 3, size, size), the pixels of brows, eyes and mouth, in the order of `PARTS`.

    Raises:
        InputError: where an argument is outside its range.

    """
    _check_arguments(count, seed, size, held_out)
    # The generators of the single faces have the seed [seed, row], which numpy fills up with zeros. The 1 at the end
    # keeps this generator apart from all of them.
    generator = np.random.default_rng([seed, count, 1])
    true_labels, usages = _assign_classes(count, held_out, generator)
    identities = _choose_duplicates(true_labels, generator)
    labels = _swap_labels(true_labels, usages, identities, generator)

    images = np.empty((count, size, size), np.uint8)
    masks = np.empty((count, len(PARTS), size, size), bool)
    strengths = np.empty(count, np.float32)
    originals = np.unique(identities)
    for row in originals.tolist():
        images[row], masks[row], strengths[row] = _draw_face(CLASSES[true_labels[row]], size, seed, row)
    images, masks, strengths = images[identities], masks[identities], strengths[identities]
    return Faces(images, labels, true_labels, usages, strengths, identities, masks)


def _check_arguments(count: int, seed: int, size: int, held_out: float) -> None:
    if count < 1:
        raise InputError(f"drawn faces: count is {count}, expected at least 1; set a larger count")
    if seed < 0:
        raise InputError(f"drawn faces: seed is {seed}, expected 0 or more; set a seed that is not negative")
    if size < SMALLEST_SIZE:
        raise InputError(f"drawn faces: size is {size}, expected at least {SMALLEST_SIZE} pixels; set a larger size")
    if not 0 <= held_out < 1:
        raise InputError(f"drawn faces: held_out is {held_out}, expected 0 or more and below 1; set a smaller share")


def _assign_classes(count: int, held_out: float, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Class and usage of each row, in random order."""
    held_out_count = round(count * held_out)
    public_count = held_out_count // 2
    sizes = {
        "Training": count - held_out_count,
        "PublicTest": public_count,
        "PrivateTest": held_out_count - public_count,
    }
    labels = np.concatenate([np.repeat(np.arange(len(CLASSES)), _class_counts(size)) for size in sizes.values()])
    usages = np.repeat(list(sizes), list(sizes.values()))
    order = generator.permutation(count)
    return labels[order].astype(np.int64), usages[order]


def _class_counts(total: int) -> np.ndarray:
    """Rows of each class: FER2013's proportions by largest remainder, at least one of each where `total` allows it."""
    least = 1 if total >= len(CLASSES) else 0
    shares = np.array(FER2013_COUNTS) / sum(FER2013_COUNTS) * total
    counts = np.maximum(np.floor(shares).astype(np.int64), least)
    while counts.sum() < total:
        counts[np.argmax(shares - counts)] += 1
    while counts.sum() > total:
        counts[np.argmax(counts)] -= 1
    return counts


def _choose_duplicates(true_labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """For each row, the row whose drawing it shows: its own number, or for a duplicate that of a row of its class."""
    identities = np.arange(len(true_labels))
    duplicates = generator.choice(len(true_labels), round(len(true_labels) * DUPLICATE_SHARE), replace=False)
    originals = np.setdiff1d(identities, duplicates)
    for row in duplicates:
        candidates = originals[true_labels[originals] == true_labels[row]]
        if len(candidates):
            identities[row] = generator.choice(candidates)
    return identities


def _swap_labels(
    true_labels: np.ndarray, usages: np.ndarray, identities: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Recorded labels: the true ones, but swapped between some pairs of rows of one usage."""
    rows = np.arange(len(true_labels))
    duplicates = np.flatnonzero(identities != rows)
    conflicts = generator.permutation(duplicates)[: round(len(duplicates) * CONFLICT_SHARE)]
    singles = np.setdiff1d(rows, np.union1d(duplicates, identities[duplicates]))
    singles = generator.permutation(singles).tolist()

    labels = true_labels.copy()
    wrong = set()
    wanted = round(len(rows) * WRONG_LABEL_SHARE)
    for row in [*conflicts.tolist(), *singles]:
        if len(wrong) + 1 >= wanted:
            break
        if row in wrong:
            continue
        for partner in singles:
            if partner not in wrong and usages[partner] == usages[row] and true_labels[partner] != true_labels[row]:
                labels[[row, partner]] = true_labels[[partner, row]]
                wrong |= {row, partner}
                break
    return labels


def _draw_face(expression_name: str, size: int, seed: int, row: int) -> tuple[np.ndarray, np.ndarray, float]:
    """One face: image uint8 (size, size), masks bool (3, size, size), strength."""
    generator = np.random.default_rng([seed, row])
    # About one face in seven is weaker than 0.35, which is hard to tell from neutral.
    strength = max(generator.beta(2.0, 1.25), 0.02)
    identity = draw_identity(generator)
    expression = _draw_expression(expression_name, strength, generator)
    canvas, parts = Painter(identity, expression, size, generator).paint()
    return photograph(canvas, size, generator), shrink(parts, size) > 0.3, strength


def _draw_expression(name: str, strength: float, generator: np.random.Generator) -> Expression:
    """A mixture of the class's two extremes, scaled by the strength; every value varies a little from face to face."""
    first, second = np.array(EXTREMES[name])
    mixture = generator.beta(0.6, 0.6)
    values = strength * (mixture * first + (1 - mixture) * second) * generator.uniform(0.8, 1.2, len(first))
    expression = Expression(*values.tolist())
    # The strength sets how wide a mouth is open. It has no effect on the share of the opening that teeth fill.
    filling = Expression(*(mixture * first + (1 - mixture) * second).tolist())
    return expression._replace(
        squareness=filling.squareness, upper_teeth=filling.upper_teeth, lower_teeth=filling.lower_teeth
    )
