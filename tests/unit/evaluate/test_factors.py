import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from fercv.data.tables import FACTOR_EFFECTS, FACTORS
from fercv.evaluate import factors
from fercv.evaluate.intervals import holm

FOLDS = ("00", "01", "02")
# Accuracy in validation: 0.5, plus 0.1 with augmentation, plus 0.02 with dropout, and an interaction of 0.04.
LEVELS = {
    "plain": {"augmentation": False, "dropout": 0},
    "dropped": {"augmentation": False, "dropout": 0.5},
    "moved": {"augmentation": True, "dropout": 0},
    "both": {"augmentation": True, "dropout": 0.5},
}
VALIDATION = {"plain": 0.5, "dropped": 0.52, "moved": 0.6, "both": 0.66}


def kept_epochs(validation=VALIDATION, noise=0.01):
    """Folds of these models. After the kept epoch, training accuracy is 0.7 and the clean one 0.8."""

    def history(accuracy):
        curves = {"accuracy": [0.1, 0.7, 0.9], "clean_accuracy": [0.1, 0.8, 0.9], "val_accuracy": [0.1, accuracy, 0.2]}
        return pd.DataFrame(curves | {"kept": [0, 1, 0]}, index=[3, 4, 5])

    return factors.kept_epochs(
        {
            model: {fold: history(value + noise * number) for number, fold in enumerate(FOLDS)}
            for model, value in validation.items()
        }
    )


def test_each_models_accuracies_are_means_over_the_epochs_that_the_folds_keep():
    table = factors.factor_table(kept_epochs(), factors.level_table(LEVELS))
    assert list(table.columns) == [*FACTORS, "augmentation", "dropout"]
    both = table[table["model"] == "both"].set_index("measure")
    assert both["mean"].to_dict() == pytest.approx(
        {
            "validation": 0.67,
            "clean_training": 0.8,
            "training": 0.7,
            "validation_minus_training": -0.03,
            "validation_minus_clean_training": -0.13,
        }
    )
    assert both.loc["validation", "standard_deviation"] == pytest.approx(0.01)
    assert set(both["augmentation"]) == {"true"}
    assert set(both["dropout"]) == {"0.5"}
    assert set(both["folds"]) == {3}


def test_an_effect_is_the_mean_over_the_pairs_that_differ_in_the_factor_alone():
    levels = factors.level_table(LEVELS)
    effects = factors.factor_effects(kept_epochs(), levels, dict.fromkeys(LEVELS, "cnn"))
    assert list(effects.columns) == list(FACTOR_EFFECTS)
    assert set(effects["architecture"]) == {"cnn"}
    effects = effects.set_index(["factor", "measure"])
    assert effects.loc[("augmentation", "validation"), "mean"] == pytest.approx((0.1 + 0.14) / 2)
    assert effects.loc[("dropout", "validation"), "mean"] == pytest.approx((0.02 + 0.06) / 2)
    assert effects.loc[("dropout", "validation_minus_training"), "mean"] == pytest.approx(0.04)
    assert effects.loc[("dropout", "training"), "mean"] == pytest.approx(0)
    described = effects.loc["augmentation"][["before", "after", "pairs", "folds"]]
    assert described.iloc[0].tolist() == ["false", "true", 2, 3]
    assert effects.loc["dropout"][["before", "after"]].iloc[0].tolist() == ["0", "0.5"]


def expected_interval(values, lowest, highest):
    """Low and high end, and the p-value: Student's t on the logit of the mean's share of the range, with SciPy."""
    folds, width = len(values), highest - lowest
    share = (np.mean(values) - lowest) / width
    error = np.std(values, ddof=1) * np.sqrt(1 / folds + 1 / (folds - 1)) / (width * share * (1 - share))
    of_mean = stats.t(folds - 1, special.logit(share), error)
    of_zero = of_mean.cdf(special.logit(-lowest / width))
    return [*(lowest + width * special.expit(of_mean.ppf([0.025, 0.975]))), 2 * min(of_zero, 1 - of_zero)]


RANGES = {
    "validation": (0, 1),
    "clean_training": (0, 1),
    "training": (0, 1),
    "validation_minus_training": (-1, 1),
    "validation_minus_clean_training": (-1, 1),
}


def scattered():
    """Folds in which every measure varies."""
    kept = kept_epochs()
    return kept + np.random.default_rng(0).normal(0, 0.05, kept.shape)


@pytest.mark.parametrize("measure", factors.MEASURES)
def test_each_models_interval_is_that_of_its_folds_in_the_range_of_the_measure(measure):
    kept = scattered()
    table = factors.factor_table(kept, factors.level_table(LEVELS))
    for row in table[table["measure"] == measure].to_dict("records"):
        values = kept.loc[row["model"], measure]
        assert [row["low"], row["high"]] == pytest.approx(expected_interval(values, *RANGES[measure])[:2])


@pytest.mark.parametrize("measure", factors.MEASURES)
def test_an_effect_has_the_interval_of_its_folds_in_the_range_of_differences(measure):
    kept = scattered()
    effects = factors.factor_effects(kept, factors.level_table(LEVELS), dict.fromkeys(LEVELS, "cnn"))
    lowest, highest = RANGES[measure]
    folds = kept[measure].unstack("model")
    for factor, values in (
        ("augmentation", (folds["moved"] - folds["plain"] + folds["both"] - folds["dropped"]) / 2),
        ("dropout", (folds["dropped"] - folds["plain"] + folds["both"] - folds["moved"]) / 2),
    ):
        effect = effects.set_index(["factor", "measure"]).loc[(factor, measure)]
        expected = expected_interval(values, lowest - highest, highest - lowest)
        assert effect[["low", "high", "p_value"]].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("measure", factors.MEASURES)
def test_an_interaction_is_the_difference_of_two_effects_with_the_interval_of_its_folds(measure):
    kept = scattered()
    effects = factors.factor_effects(kept, factors.level_table(LEVELS), dict.fromkeys(LEVELS, "cnn"))
    interaction = effects.set_index(["factor", "measure"]).loc[(f"augmentation{factors.TIMES}dropout", measure)]
    folds = kept[measure].unstack("model")
    values = (folds["both"] - folds["dropped"]) - (folds["moved"] - folds["plain"])
    lowest, highest = RANGES[measure]
    width = 2 * (highest - lowest)
    assert interaction[["mean", "low", "high", "p_value"]].tolist() == pytest.approx(
        [values.mean(), *expected_interval(values, -width, width)]
    )
    assert interaction[["before", "after", "pairs", "folds"]].tolist() == ["", "", 2, 3]


def test_an_interaction_is_averaged_over_models_alike_in_the_other_settings():
    """With a third factor, there are two squares of models for each two; a square that lacks a model does not count."""
    levels = {f"{model}_{width}": level | {"width": width} for model, level in LEVELS.items() for width in (1, 2)}
    validation = {
        f"{model}_{width}": value + (0.1 if (model, width) == ("both", 2) else 0)
        for model, value in VALIDATION.items()
        for width in (1, 2)
    }

    def interaction(models):
        kept = kept_epochs({model: validation[model] for model in models})
        table = factors.level_table({model: levels[model] for model in models})
        effects = factors.factor_effects(kept, table, dict.fromkeys(models, "cnn"))
        rows = effects[
            (effects["factor"] == f"augmentation{factors.TIMES}dropout") & (effects["measure"] == "validation")
        ]
        return rows[["mean", "pairs"]].iloc[0].tolist()

    assert interaction(levels) == pytest.approx([(0.04 + 0.14) / 2, 4])
    assert interaction([model for model in levels if model != "plain_2"]) == pytest.approx([0.04, 2])


def test_the_p_values_of_all_effects_are_adjusted_together():
    kept = kept_epochs()
    kept += np.random.default_rng(0).normal(0, 0.01, kept.shape)
    effects = factors.factor_effects(kept, factors.level_table(LEVELS), dict.fromkeys(LEVELS, "cnn"))
    # Two factors and their interaction, in five measures.
    assert len(effects) == 15
    assert effects["p_adjusted"].min() == pytest.approx(15 * effects["p_value"].min())
    np.testing.assert_array_equal(effects["p_adjusted"], holm(effects["p_value"].to_numpy()))


def test_models_of_different_architectures_are_no_pair():
    architectures = dict.fromkeys(LEVELS, "cnn") | {"dropped": "fc", "both": "fc"}
    effects = factors.factor_effects(kept_epochs(), factors.level_table(LEVELS), architectures)
    assert set(zip(effects["architecture"], effects["factor"], strict=True)) == {
        ("cnn", "augmentation"), ("fc", "augmentation")
    }  # fmt: skip
    assert set(effects["pairs"]) == {1}


@pytest.mark.parametrize("rates", [(0, 0.5, 0.1), (10, 9, 100)])
def test_a_factor_of_three_numbers_is_a_curve_and_has_no_effects(rates):
    levels = factors.level_table({f"fc_{rate}": {"dropout": rate} for rate in rates})
    assert factors.is_numeric(levels["dropout"])
    kept = kept_epochs(dict.fromkeys(levels.index, 0.5))
    assert factors.factor_effects(kept, levels, dict.fromkeys(levels.index, "fc")).empty


def test_a_curve_does_not_hide_the_effect_of_another_factor():
    models = {"a": (0, False), "b": (0.1, False), "c": (0.2, False), "d": (0, True)}
    levels = factors.level_table({model: {"dropout": rate, "moved": moved} for model, (rate, moved) in models.items()})
    effects = factors.factor_effects(kept_epochs(dict.fromkeys(models, 0.5)), levels, dict.fromkeys(models, "fc"))
    assert set(effects["factor"]) == {"moved"}


def test_numbers_are_ordered_by_their_values():
    levels = factors.level_table({"many": {"epochs": 10}, "few": {"epochs": 9}})
    effects = factors.factor_effects(kept_epochs({"many": 0.6, "few": 0.5}), levels, {"many": "fc", "few": "fc"})
    assert effects[["before", "after"]].iloc[0].tolist() == ["9", "10"]
    assert effects.loc[effects["measure"] == "validation", "mean"].item() == pytest.approx(0.1)


@pytest.mark.parametrize("values", [(True, False), (0, 0.5), ("adam", "sgd", "muon"), (0, 0.5, "auto")])
def test_others_are_no_curves(values):
    assert not factors.is_numeric(factors.level_table({f"m{i}": {"x": value} for i, value in enumerate(values)})["x"])
