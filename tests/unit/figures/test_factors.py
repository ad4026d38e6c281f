import itertools

import numpy as np
import pandas as pd
import pytest
from drawings import texts_of

from fercv.data.tables import FACTOR_EFFECTS
from fercv.evaluate.factors import factor_effects, factor_table, kept_epochs, level_table
from fercv.figures.factors import curves_figure, effects_figure
from fercv.figures.intervals import p_value_in_words

SHOWN = ("validation", "validation_minus_training", "validation_minus_clean_training")


def tables(levels, architectures, folds=3):
    rng = np.random.default_rng(1)
    histories = {
        model: {
            f"{fold:02d}": pd.DataFrame(
                rng.uniform(0.4, 0.6, (1, 3)), columns=["accuracy", "clean_accuracy", "val_accuracy"]
            ).assign(kept=1)
            for fold in range(folds)
        }
        for model in levels
    }
    kept, table = kept_epochs(histories), level_table(levels)
    return factor_table(kept, table), factor_effects(kept, table, architectures)


def factorial(folds=3):
    levels = {
        f"cnn_{number}": {"augmentation": augmentation, "dropout": dropout}
        for number, (augmentation, dropout) in enumerate(itertools.product([True, False], [0.5, 0]))
    }
    return tables(levels, dict.fromkeys(levels, "cnn"), folds)


def test_each_model_stands_with_its_settings_and_each_effect_with_its_levels():
    factors, effects = factorial()
    texts = texts_of(effects_figure(factors, effects, ["augmentation", "dropout"], "Settings"))
    assert {"cnn_0\naugmentation, dropout 0.5", "cnn_3\nno augmentation, dropout 0"} <= set(texts)
    assert {"augmentation\noff → on", "dropout\n0 → 0.5"} <= set(texts)
    means = factors.loc[factors["measure"].isin(["training", "clean_training", "validation"]), "mean"]
    assert {f"{mean:.3f}" for mean in means} <= set(texts)
    shown = effects[effects["measure"].isin(SHOWN)]
    assert {f"{row['mean']:+.3f}{p_value_in_words(row['p_adjusted'])}" for _, row in shown.iterrows()} <= set(texts)


def test_each_interval_is_drawn_in_the_row_of_its_model_or_setting():
    factors, effects = factorial()
    figure = effects_figure(factors, effects, ["augmentation", "dropout"], "Settings")
    models = factors[factors["measure"].isin(["training", "clean_training", "validation"])]
    rows_of_models = models.groupby("model", sort=False)
    shown = effects[effects["measure"].isin(SHOWN)]
    effects_of = [shown[rows].groupby("factor", sort=False) for rows in (shown["before"] != "", shown["before"] == "")]
    assert [len(rows) for rows in effects_of] == [2, 1]
    for axes, groups in zip(figure.axes, (rows_of_models, *effects_of), strict=True):
        bottom, top = axes.get_ylim()
        # The line at zero runs from the bottom to the top.
        drawn = [line for line in axes.lines if len(line.get_xdata()) == 2 and len(set(line.get_ydata())) == 1]
        for place, (name, rows) in enumerate(groups):
            assert axes.get_yticklabels()[place].get_text().startswith(name)
            heights = {tuple(line.get_xdata()): line.get_ydata()[0] for line in drawn[3 * place : 3 * place + 3]}
            assert set(heights) == set(zip(rows["low"], rows["high"], strict=True))
            assert all(round(height) == place and top < height < bottom for height in heights.values())
        assert len(drawn) == 3 * len(groups)


def test_a_change_that_may_be_chance_is_hollow():
    factors, effects = factorial()
    real = (effects["factor"] == "augmentation") & (effects["measure"] == "validation")
    figure = effects_figure(
        factors, effects.assign(p_adjusted=np.where(real, 0.049, 0.05)), ["augmentation"], "Settings"
    )
    markers = [line for line in figure.axes[1].lines if len(line.get_xdata()) == 1]
    full = [line.get_xdata()[0] for line in markers if line.get_markerfacecolor() != "white"]
    assert len(markers) == 2 * len(SHOWN) and full == effects.loc[real, "mean"].tolist()
    assert not any(line.get_markerfacecolor() == "white" for line in figure.axes[0].lines)


@pytest.mark.parametrize("folds", [1, 2])
def test_without_intervals_or_effects_the_means_are_drawn_alone(folds):
    factors, effects = factorial(folds)
    figure = effects_figure(factors, effects.iloc[:0], ["augmentation", "dropout"], "Settings")
    assert len(figure.axes) == 1
    figure.draw_without_rendering()
    assert list(effects.columns) == list(FACTOR_EFFECTS)


@pytest.mark.parametrize("folds", [1, 3])
def test_a_number_is_a_curve_and_another_architecture_a_line(folds):
    levels = {f"fc_{rate}": {"dropout": rate} for rate in (0.5, 0, 0.1)} | {"cnn": {"dropout": 0.3}}
    architectures = dict.fromkeys(levels, "fc") | {"cnn": "cnn"}
    factors, _ = tables(levels, architectures, folds)
    figure = curves_figure(factors, "dropout", architectures, "Dropout")
    axes = figure.axes[0]
    assert axes.get_xlabel() == "dropout"
    curve = next(line for line in axes.lines if len(line.get_xdata()) == 3)
    assert curve.get_xdata().tolist() == [0, 0.1, 0.5]
    expected = factors[factors["measure"] == "training"].set_index("model")["mean"]
    assert curve.get_ydata().tolist() == [expected[f"fc_{rate}"] for rate in (0, 0.1, 0.5)]
    if folds > 1:
        rows = factors[factors["measure"] == "training"].set_index("model")
        bars = next(bars for bars in axes.containers if bars.lines[0] is curve).lines[2][0].get_segments()
        for rate, bar in zip((0, 0.1, 0.5), bars, strict=True):
            low, high = rows.loc[f"fc_{rate}", ["low", "high"]]
            np.testing.assert_allclose(bar, [[rate, low], [rate, high]])
        band = axes.patches[0].get_bbox()
        row = factors[(factors["model"] == "cnn") & (factors["measure"] == "validation")].iloc[0]
        assert [band.y0, band.y1] == pytest.approx([row["low"], row["high"]])
    validation = factors[(factors["model"] == "cnn") & (factors["measure"] == "validation")]["mean"].item()
    interval = ", 95% interval" * (folds > 1)
    assert {f"cnn: validation, {validation:.3f}{interval}", f"fc: training{interval}"} <= set(texts_of(figure))
    figure.draw_without_rendering()
