"""What the checks say of each method of saliency, in words. Without Keras, so that a plot starts quickly."""

from typing import NamedTuple

import pandas as pd

# For each check, the name that a verdict gives it, the sign of the differences where the method does well, and the
# differences: to chance, then to what every picture of a centred face would say.
CRITERIA = {
    "randomization": ("the shuffled weights", -1, ("minus_other_images",)),
    "deletion": ("deletion", -1, ("minus_random", "minus_centre")),
    "insertion": ("insertion", 1, ("minus_random", "minus_centre")),
    "masking": ("masking", 1, ("minus_random", "minus_centre")),
    "parts": ("the parts of the face", 1, ("minus_area", "minus_centre")),
    "folds": ("the agreement of the folds", 1, ("minus_other_images",)),
}


class Result(NamedTuple):
    """What a check says of a method.

    found: `passed`, `partly` or `failed`.
    difference, low, high: the mean difference that decides it, and its 95 % interval.
    """

    found: str
    difference: float
    low: float
    high: float


def results_of(checks: pd.DataFrame, method: str) -> dict[str, Result]:
    """What each check says of a method.

    A difference counts where its 95 % interval lies on the good side of zero. A check is passed with all its
    differences, and partly passed with the first one alone: better than chance, but not than a blob in the centre of
    the image. With shuffled weights the map must not stay more alike to the real one than maps of other images are:
    there the check fails if the interval lies on the wrong side of zero.

    Args:
        checks: the table M/saliency_checks.csv.
        method: its name in the table.

    Returns:
        The results by check, without the checks for which the table has no interval.
    """
    results = {}
    for check, (_, sign, measures) in CRITERIA.items():
        rows = checks[(checks["method"] == method) & (checks["check"] == check) & checks["place"].isin(["", "all"])]
        rows = rows.set_index("measure")[["value", "low", "high"]].dropna()
        if not set(measures) <= set(rows.index):
            continue
        worst = [min(sign * rows.loc[measure, end] for end in ("low", "high")) for measure in measures]
        best = [max(sign * rows.loc[measure, end] for end in ("low", "high")) for measure in measures]
        good = [value > 0 for value in (best if check == "randomization" else worst)]
        found = "passed" if all(good) else "partly" if good[0] else "failed"
        # Chance decides where the method does not beat it; otherwise the reference that the method beats by less.
        deciding = measures[0] if not good[0] else measures[worst.index(min(worst))]
        results[check] = Result(found, *rows.loc[deciding])
    return results


def verdict(checks: pd.DataFrame, method: str) -> str:
    """A sentence on a method: the checks that it passes, in which it only beats chance, and which it fails.

    Args:
        checks: the table M/saliency_checks.csv.
        method: its name in the table.
    """
    results, said = results_of(checks, method), []
    for result, text in (
        ("passed", "passes {}"),
        ("partly", "beats chance, but is not better than a blob in the centre, in {}"),
        ("failed", "fails {}"),
    ):
        names = [CRITERIA[check][0] for check, of_check in results.items() if of_check.found == result]
        if names:
            said.append(text.format(", ".join(names)))
    return "; ".join(said) or "there are too few images to say anything"
