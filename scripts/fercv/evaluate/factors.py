"""What the settings in which the models of an experiment differ do to the accuracy in training and in validation."""

import json
from collections.abc import Mapping
from itertools import combinations, permutations

import numpy as np
import pandas as pd

from fercv.data.tables import FACTOR_EFFECTS, FACTORS
from fercv.evaluate.intervals import corrected_interval, holm

# Between the names of two factors whose interaction a row is.
TIMES = " \N{MULTIPLICATION SIGN} "
# The accuracies that history.csv has of an epoch, and how far validation lies above training.
MEASURES = {
    "validation": lambda kept: kept["val_accuracy"],
    "clean_training": lambda kept: kept["clean_accuracy"],
    "training": lambda kept: kept["accuracy"],
    "validation_minus_training": lambda kept: kept["val_accuracy"] - kept["accuracy"],
    "validation_minus_clean_training": lambda kept: kept["val_accuracy"] - kept["clean_accuracy"],
}


def level_table(levels: Mapping[str, Mapping[str, object]]) -> pd.DataFrame:
    """What each model has for each factor.

    Args:
        levels: for each model and factor the setting: true, false, a number or a text.

    Returns:
        One row per model, in order, with the model's name as index; a column for each factor, with the setting as JSON.
    """
    texts = [{factor: json.dumps(level) for factor, level in of_model.items()} for of_model in levels.values()]
    return pd.DataFrame(texts, index=pd.Index(levels, name="model"))


def kept_epochs(histories: Mapping[str, Mapping[str, pd.DataFrame]]) -> pd.DataFrame:
    """The measures of every fold after the epoch whose weights its model has.

    Args:
        histories: for each model and fold the table of its history.csv.

    Returns:
        One row per model and fold, these as index; a column for each of MEASURES.
    """
    kept = {
        (model, fold): history[history["kept"] == 1]
        for model, folds in histories.items()
        for fold, history in folds.items()
    }
    rows = pd.concat(kept, names=["model", "fold"]).droplevel(-1)
    return pd.DataFrame({measure: of(rows) for measure, of in MEASURES.items()})


def factor_table(kept: pd.DataFrame, levels: pd.DataFrame) -> pd.DataFrame:
    """Summarize the models over their folds.

    Args:
        kept: what `kept_epochs` returns.
        levels: what `level_table` returns.

    Returns:
        The columns FACTORS, then one for each factor. One row per model and measure: the mean over the folds and its
        interval, see `fercv.evaluate.intervals.corrected_interval`.
    """
    rows = [
        (model, measure, *_interval(values, measure)[:4], len(values), *levels.loc[model])
        for model in levels.index
        for measure, values in kept.loc[model].items()
    ]
    return pd.DataFrame(rows, columns=[*FACTORS, *levels.columns])


def factor_effects(kept: pd.DataFrame, levels: pd.DataFrame, architectures: Mapping[str, str]) -> pd.DataFrame:
    """The effect of each factor with two levels, and by how much more it changes a measure where another one is on.

    An effect is the mean difference between models that differ in nothing else: in each fold the differences of all
    such pairs of models are averaged. So with all combinations of the factors, this is the main effect of a factorial
    experiment. The interaction of two factors is the effect of the first one where the second has its upper level,
    minus that where it has its lower level. The intervals are those of the mean over the folds. The p-values are
    adjusted for all rows of the table, see `fercv.evaluate.intervals.holm`.

    Args:
        kept: what `kept_epochs` returns.
        levels: what `level_table` returns.
        architectures: the architecture of each model; models of different ones are not compared.

    Returns:
        One row per architecture, factor and measure, then one per interaction and measure, with the columns
        FACTOR_EFFECTS. `before` is the lower one of the two levels: false, or the smaller number.
    """
    rows = []
    kinds = pd.Series(architectures).loc[levels.index]
    two_levels = {}
    for (architecture, factor), pairs in matched_pairs(levels, kinds).items():
        of_architecture = levels[kinds == architecture]
        chosen = sorted(of_architecture[factor].unique(), key=value_of)
        if len(chosen) != 2:
            continue
        two_levels.setdefault(architecture, {})[factor] = pairs
        differences = sum(kept.loc[after] - kept.loc[before] for before, after in pairs) / len(pairs)
        for measure, values in differences.items():
            interval = _interval(values, measure, differences=1)
            rows.append((architecture, factor, *chosen, measure, *interval, np.nan, len(pairs), len(values)))
    for architecture, pairs_of in two_levels.items():
        for first, second in combinations(pairs_of, 2):
            squares = matched_squares(pairs_of[first], levels, first, second)
            if not squares:
                continue
            more = sum(kept.loc[d] - kept.loc[c] - kept.loc[b] + kept.loc[a] for a, b, c, d in squares) / len(squares)
            name = f"{first}{TIMES}{second}"
            for measure, values in more.items():
                interval = _interval(values, measure, differences=2)
                rows.append((architecture, name, "", "", measure, *interval, np.nan, 2 * len(squares), len(values)))
    effects = pd.DataFrame(rows, columns=list(FACTOR_EFFECTS))
    return effects.assign(p_adjusted=holm(effects["p_value"].to_numpy(dtype=np.float64)))


def matched_pairs(levels: pd.DataFrame, kinds: pd.Series) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """For each architecture and factor the pairs of models that differ in this factor alone, the lower level first."""
    pairs = {}
    for factor in levels:
        others = levels.columns.drop(factor)
        for before, after in permutations(levels.index, 2):
            alike = kinds[before] == kinds[after] and (levels.loc[before, others] == levels.loc[after, others]).all()
            if alike and value_of(levels.loc[before, factor]) < value_of(levels.loc[after, factor]):
                pairs.setdefault((kinds[before], factor), []).append((before, after))
    return pairs


def matched_squares(
    pairs: list[tuple[str, str]], levels: pd.DataFrame, first: str, second: str
) -> list[tuple[str, str, str, str]]:
    """Four models each that differ in two factors of two levels alone: neither raised, the first, the second, both.

    Args:
        pairs: the models that differ in the first factor alone, the lower level first.
        levels: what `level_table` returns.
        first: one factor.
        second: the other one.
    """
    others = levels.columns.drop([first, second])
    return [
        (*lower, *upper)
        for lower, upper in permutations(pairs, 2)
        if value_of(levels.loc[lower[0], second]) < value_of(levels.loc[upper[0], second])
        and (levels.loc[lower[0], others] == levels.loc[upper[0], others]).all()
    ]


def value_of(level: str) -> tuple[str, object]:
    """What a level is compared by: its value, as JSON says it, among those of its type."""
    value = json.loads(level)
    return type(value).__name__ if isinstance(value, bool | str) else "number", value


def _interval(values: pd.Series, measure: str, differences: int = 0) -> tuple:
    """The corrected interval of a measure over the folds, or of its difference, or of a difference of differences."""
    lowest, highest = (-1.0, 1.0) if "minus" in measure else (0.0, 1.0)
    for _ in range(differences):
        lowest, highest = lowest - highest, highest - lowest
    return corrected_interval(values.to_numpy(), lowest, highest)


def is_numeric(levels: pd.Series) -> bool:
    """Whether a factor's levels, JSON, are three or more different numbers: its effect is then a curve."""
    values = [value_of(level) for level in levels.unique()]
    return len(values) >= 3 and all(kind == "number" for kind, _ in values)
