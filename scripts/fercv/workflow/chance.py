"""Whether an accuracy is surely above that of chance: for the log, the page, and the last lines of a run."""

import math


def beats_chance(mean: float, low: float, chance: float, images: int) -> bool:
    """Whether an accuracy is beyond doubt above that of always naming the most frequent class.

    It is if its interval lies above chance; without an interval, if the mean does. But two or three folds give very
    wide intervals, so a mean of more than 4 binomial standard errors above chance is not doubted, either.

    Args:
        mean: over the folds.
        low: the lower end of its interval; NaN if it has none.
        chance: see `fercv.evaluate.measures.chance_over_folds`.
        images: how many were predicted, in all folds together.
    """
    far_above = mean > chance + 4 * math.sqrt(chance * (1 - chance) / images)
    return far_above or (mean if math.isnan(low) else low) > chance
