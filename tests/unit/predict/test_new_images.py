"""What all folds' models together say of images without labels, by hand."""

import numpy as np
import pytest

from fercv.predict.new_images import new_images_table

# Two folds' models, three images, two classes.
PROBABILITIES = np.array([[[0.75, 0.25], [0.5, 0.5], [1.0, 0.0]], [[0.25, 0.75], [0.0, 1.0], [0.75, 0.25]]], np.float32)


def test_the_mean_decides_and_ties_go_to_the_first_class():
    table = new_images_table(["a.png", "b.png", "c.png"], PROBABILITIES, ["sad", "glad"])
    assert list(table.columns) == ["source", "predicted", "confidence", "spread", "agreement", "sad", "glad"]
    assert list(table["source"]) == ["a.png", "b.png", "c.png"]
    assert list(table["predicted"]) == ["sad", "glad", "sad"]
    assert list(table["confidence"]) == [0.5, 0.75, 0.875]
    assert list(table["sad"]) == [0.5, 0.25, 0.875]
    assert list(table["glad"]) == [0.5, 0.75, 0.125]


def test_spread_and_agreement_are_those_of_the_predicted_class():
    table = new_images_table(["a", "b", "c"], PROBABILITIES, ["sad", "glad"])
    assert list(table["spread"]) == pytest.approx([0.5 / 2**0.5, 0.5 / 2**0.5, 0.25 / 2**0.5])
    assert list(table["agreement"]) == [0.5, 0.5, 1.0]


def test_one_fold_has_no_spread():
    table = new_images_table(["a", "b", "c"], PROBABILITIES[:1], ["sad", "glad"])
    assert list(table["spread"]) == [0.0, 0.0, 0.0]
    assert list(table["agreement"]) == [1.0, 1.0, 1.0]
