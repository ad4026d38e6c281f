"""Which samples stay in samples.csv, but out of training and scores."""

import numpy as np
import pandas as pd

from fercv.data.tables import is_training


def blank_images(images: np.ndarray) -> np.ndarray:
    """Which images are of one single grey: bool (n,), for images of shape (n, height, width)."""
    return images.min(axis=(1, 2)) == images.max(axis=(1, 2))


def exclusions(samples: pd.DataFrame, blank: np.ndarray, exclude_blank: bool, exclude_twins: bool) -> np.ndarray:
    """Tell why samples are left out.

    A test image of which a copy was trained on tests what a model remembers. The copy is left out, not the test image:
    so the test set stays the published one.

    Args:
        samples: usage and duplicate_group of n samples.
        blank: bool (n,), see `blank_images`.
        exclude_blank: whether blank images are left out.
        exclude_twins: whether training samples are left out that are exact copies of held-out samples.

    Returns:
        text (n,): blank, held_out_twin, or "" for a sample that is used.
    """
    excluded = np.full(len(samples), "", dtype=object)
    groups = samples["duplicate_group"]
    training = is_training(samples.assign(excluded="")).to_numpy()
    if exclude_twins:
        excluded[training & groups.isin(groups[~training]).to_numpy()] = "held_out_twin"
    if exclude_blank:
        excluded[blank] = "blank"
    return excluded
