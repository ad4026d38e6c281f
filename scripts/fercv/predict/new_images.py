"""What all folds' models together say of images whose labels are unknown."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def new_images_table(sources: Sequence[str], probabilities: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """Average the models, and tell how far they agree.

    Args:
        sources: where each image came from, n texts.
        probabilities: what each fold's model gives, float (folds, n, classes).
        classes: class names, in the order of their labels.

    Returns:
        One row for each image, in the given order: source; predicted, the class of the highest mean probability (of
        equal ones the first); confidence, this probability; spread, its standard deviation over the folds (0 for one
        fold); agreement, the share of the folds' models that predict this class by themselves; then a column for each
        class, with the mean probability.
    """
    mean = probabilities.mean(axis=0, dtype=np.float64)
    predicted = mean.argmax(axis=1)
    of_predicted = probabilities[:, np.arange(len(sources)), predicted].astype(np.float64)
    table = pd.DataFrame(
        {
            "source": list(sources),
            "predicted": [classes[label] for label in predicted],
            "confidence": of_predicted.mean(axis=0),
            "spread": of_predicted.std(axis=0, ddof=1) if len(probabilities) > 1 else 0.0,
            "agreement": (probabilities.argmax(axis=2) == predicted).mean(axis=0),
        }
    )
    return pd.concat([table, pd.DataFrame(mean, columns=list(classes))], axis=1)
