"""Averages of two models, on predictions whose average is worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from fercv.data.tables import COMPARISON
from fercv.evaluate.ensembles import against_the_better, average_predictions, compare_ensembles

CLASSES = ["sad", "glad"]


def table(index, labels, of_sad):
    """Predictions of the given images by the probability of the first class."""
    of_sad = np.array(of_sad)
    return pd.DataFrame({"index": index, "label": labels, "sad": of_sad, "glad": 1 - of_sad})


# The first model is wrong about the second image of each fold, the other one about the first. Where one is wrong, the
# other one is more certain; about the third image of fold 01 both are wrong.
PREDICTIONS = {
    "a": {"00": table([0, 1], [0, 0], [0.9, 0.4]), "01": table([2, 3, 4], [1, 1, 1], [0.1, 0.6, 0.8])},
    "b": {"00": table([1, 0], [0, 0], [0.9, 0.4]), "01": table([2, 3, 4], [1, 1, 1], [0.6, 0.1, 0.7])},
}
SAME = {"a": "grouped", "b": "grouped"}


def test_the_average_is_that_of_the_same_images_whatever_their_order():
    average = average_predictions(PREDICTIONS["a"]["00"], PREDICTIONS["b"]["00"], CLASSES)
    assert list(average["index"]) == [0, 1]
    assert list(average["sad"]) == pytest.approx([0.65, 0.65])
    assert list(average["glad"]) == pytest.approx([0.35, 0.35])


@pytest.mark.parametrize("other", [table([0, 2], [0, 0], [0.5, 0.5]), table([0, 1], [0, 1], [0.5, 0.5])])
def test_other_images_or_other_labels_are_a_defect(other):
    with pytest.raises(ValueError, match="the same images"):
        average_predictions(PREDICTIONS["a"]["00"], other, CLASSES)


def test_an_average_is_measured_and_compared_with_both_members():
    compared, of_folds = compare_ensembles(PREDICTIONS, SAME, CLASSES)
    assert list(compared.columns) == list(COMPARISON)
    rows = compared[compared["measure"] == "accuracy"].set_index("versus")
    assert list(rows.index) == ["", "a", "b"]
    assert set(rows["model"]) == {"a + b"}
    # Both images of fold 00 are right now, and two of three of fold 01.
    assert rows.loc["", "mean"] == pytest.approx((1 + 2 / 3) / 2)
    assert rows.loc["a", "mean"] == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert rows.loc["b", "mean"] == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert list(of_folds.loc[of_folds["model"] == "a + b", "accuracy"]) == pytest.approx([1, 2 / 3])


def test_a_model_with_itself_is_no_better():
    compared, _ = compare_ensembles({"a": PREDICTIONS["a"], "b": PREDICTIONS["a"]}, SAME, CLASSES)
    assert compared.loc[compared["versus"] != "", "mean"].abs().max() == pytest.approx(0)


def test_models_with_other_folds_are_not_averaged():
    compared, of_folds = compare_ensembles(PREDICTIONS, SAME | {"b": "random"}, CLASSES)
    assert compared.empty and of_folds.empty
    assert list(compared.columns) == list(COMPARISON)


def test_a_pair_that_is_not_averaged_does_not_hide_the_next_ones():
    compared, of_folds = compare_ensembles(
        PREDICTIONS | {"c": PREDICTIONS["b"]}, {"a": "grouped", "b": "random", "c": "grouped"}, CLASSES
    )
    assert set(compared["model"]) == set(of_folds["model"]) == {"a + c"}


def test_the_p_values_are_adjusted_for_all_pairs_together():
    three = PREDICTIONS | {"c": PREDICTIONS["b"]}
    compared, _ = compare_ensembles(three, SAME | {"c": "grouped"}, CLASSES)
    tested = compared.dropna(subset="p_value")
    least = tested.loc[tested["p_value"].idxmin()]
    assert least["p_adjusted"] == pytest.approx(min(1, least["p_value"] * len(tested)))


def test_the_better_member_is_that_of_the_higher_accuracy():
    compared, _ = compare_ensembles(PREDICTIONS, SAME, CLASSES)
    assert set(against_the_better(compared, {"a": 0.4, "b": 0.5})["versus"]) == {"b"}
    assert set(against_the_better(compared, {"a": 0.5, "b": 0.5})["versus"]) == {"a"}
