"""The picture of what leaks are worth."""

import pytest
from drawings import leakage_table, texts_of

from fercv.figures.leakage import leakage_figure


@pytest.mark.parametrize(
    ("low", "high", "is_hollow"), [(0.001, 0.02, False), (-0.02, -0.001, False), (0.0, 0.02, True), (-0.01, 0.02, True)]
)
def test_a_difference_has_its_interval_beside_it_and_is_hollow_where_that_holds_zero(low, high, is_hollow):
    table = leakage_table(["cnn"])
    of_all = (table["assignment"] == "difference") & (table["images"] == "all")
    table.loc[of_all, ["value", "low", "high"]] = (low + high) / 2, low, high
    figure = leakage_figure(table)
    assert f"{(low + high) / 2:+.3f} ({low:+.3f} to {high:+.3f})" in texts_of(figure)
    markers = [line for line in figure.axes[1].lines if len(line.get_xdata()) == 1]
    assert (markers[0].get_markerfacecolor() == "white") == is_hollow
