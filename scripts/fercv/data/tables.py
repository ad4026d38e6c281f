"""The tables that stages hand to each other."""

from typing import NamedTuple

import numpy as np
import pandas as pd

USAGES = ("Training", "PublicTest", "PrivateTest", "Test")


class Dataset(NamedTuple):
    """Labelled images.

    images: uint8 (n, height, width).
    samples: DataFrame of n rows: label (int64), usage (one of USAGES, or "" where unknown), source (text: "row 17" of a
        csv, counted from 1 without the header, or the image's path inside the folder or zip).
    """

    images: np.ndarray
    samples: pd.DataFrame
