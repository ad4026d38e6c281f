import numpy as np
from drawings import calibration_tables, texts_of

from fercv.figures.calibration import calibration_figure


def test_the_reliability_diagram_shows_bins_that_have_images():
    bins, error = calibration_tables()
    figure = calibration_figure(bins, error, "Calibration of cnn")
    reliability, histogram = figure.axes
    (dots,) = (line for line in reliability.lines if line.get_marker() == "o")
    np.testing.assert_allclose(dots.get_xdata(), [0.3, 0.5, 0.9])
    np.testing.assert_allclose(dots.get_ydata(), [0.25, 0.45, 0.85])
    assert [bar.get_height() for bar in histogram.patches] == [0, 3, 40, 0, 57]
    texts = texts_of(figure)
    assert "Expected calibration error: 0.050 (95% interval 0.012 to 0.083)\nChance alone gives 0.020" in texts
    figure = calibration_figure(bins, error.where(error.index == "value"), "Calibration of cnn")
    assert "Expected calibration error: 0.050" in texts_of(figure)
