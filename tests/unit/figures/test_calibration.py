import numpy as np
from drawings import calibration_tables, texts_of

from fercv.figures.calibration import calibration_figure


def test_the_reliability_diagram_shows_bins_that_have_images():
    bins, error = calibration_tables()
    figure = calibration_figure(bins, error, "Calibration of cnn")
    reliability, histogram = figure.axes
    dots, hollow = (line for line in reliability.lines if line.get_marker() == "o")
    np.testing.assert_allclose(dots.get_xdata(), [0.5, 0.9])
    np.testing.assert_allclose(dots.get_ydata(), [0.45, 0.85])
    # The bin of three images has no interval.
    np.testing.assert_allclose([*hollow.get_xdata(), *hollow.get_ydata()], [0.3, 0.25])
    assert hollow.get_markerfacecolor() == "white" and "bin without an interval" in texts_of(figure)
    assert [bar.get_height() for bar in histogram.patches] == [0, 3, 40, 0, 57]
    texts = texts_of(figure)
    assert "Expected calibration error: 0.050 (95% interval 0.012 to 0.083)\nChance alone gives 0.020" in texts
    figure = calibration_figure(bins, error.where(error.index == "value"), "Calibration of cnn")
    assert "Expected calibration error: 0.050" in texts_of(figure)


def test_where_each_bin_has_an_interval_no_dot_is_hollow():
    figure = calibration_figure(*calibration_tables((0, 30, 40, 0, 57)), "Calibration of cnn")
    dots, hollow = (line for line in figure.axes[0].lines if line.get_marker() == "o")
    assert (len(dots.get_xdata()), len(hollow.get_xdata())) == (3, 0)
    assert "bin without an interval" not in texts_of(figure)
