import functools

import numpy as np
import pandas as pd
import pytest

from fercv.data.tables import HELD_OUT_METRICS, read_table, write_table
from fercv.evaluate import held_out
from fercv.evaluate.bootstrap import bootstrap_interval
from fercv.evaluate.held_out import MEASURES, score_held_out
from fercv.evaluate.measures import fold_measures
from fercv.workflow.hashing import derive_seed

CLASSES = ["calm", "angry", "glad"]


def held_out_rows(number=60, folds=4, usages=("PublicTest", "PrivateTest"), seed=1):
    """Predictions of the ensemble, those of each fold, and groups of duplicates: rows 0 and 1, 2 and 3, and so on."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, number // 2).repeat(2)
    of_folds = generator.dirichlet(np.ones(3), (folds, number)) + np.eye(3)[labels] * 0.2
    of_folds = (of_folds / of_folds.sum(axis=2, keepdims=True)).astype(np.float32)
    of_folds[:, 1::2] = of_folds[:, ::2]
    table = pd.DataFrame(of_folds.mean(axis=0, dtype=np.float64), columns=CLASSES)
    table.insert(0, "label", labels)
    table.insert(1, "usage", np.resize(usages, number // 2).repeat(2))
    table.insert(2, "in_training", (np.arange(number) % 10 < 2).astype(int))
    return table, of_folds, np.arange(number) // 2


def values(scored, usage, images="all", predictions="single"):
    chosen = (scored["usage"] == usage) & (scored["images"] == images) & (scored["predictions"] == predictions)
    return scored[chosen].set_index("measure")


def measures_of(table, probabilities):
    return fold_measures(pd.DataFrame(probabilities, columns=CLASSES).assign(label=table["label"].to_numpy()), CLASSES)


def test_where_no_image_has_a_copy_there_are_no_rows_without_copies():
    table, of_folds, groups = held_out_rows()
    table.loc[table["usage"] == "PublicTest", "in_training"] = 0
    scored = score_held_out(table, of_folds, groups, CLASSES, 7)
    kinds = scored.groupby("usage")["images"].unique()
    assert [list(kinds[usage]) for usage in ("PublicTest", "PrivateTest")] == [["all"], ["all", "without_copies"]]


def test_the_measures_are_those_of_each_fold_and_of_the_ensemble():
    table, of_folds, groups = held_out_rows()
    scored = score_held_out(table, of_folds, groups, CLASSES, 7)
    for usage in ("PublicTest", "PrivateTest"):
        for images, chosen in (
            ("all", table["usage"] == usage),
            ("without_copies", (table["usage"] == usage) & (table["in_training"] == 0)),
        ):
            folds = pd.DataFrame(measures_of(table[chosen], of_fold[chosen]) for of_fold in of_folds)
            ensemble = measures_of(table[chosen], table.loc[chosen, CLASSES].to_numpy())
            single, together, difference = (
                values(scored, usage, images, predictions) for predictions in ("single", "ensemble", "difference")
            )
            for measure in MEASURES:
                assert single.loc[measure, "value"] == pytest.approx(folds[measure].mean())
                assert single.loc[measure, "standard_deviation"] == pytest.approx(folds[measure].std())
                assert single.loc[measure, "minimum"] == folds[measure].min()
                assert single.loc[measure, "maximum"] == folds[measure].max()
                assert together.loc[measure, "value"] == ensemble[measure]
                assert difference.loc[measure, "value"] == pytest.approx(ensemble[measure] - folds[measure].mean())
            assert together[["standard_deviation", "minimum", "maximum"]].isna().all(axis=None)
            assert set(single["rows"]) == {chosen.sum()} and set(single["groups"]) == {chosen.sum() // 2}
            assert set(together["folds"]) == {4}


@pytest.mark.parametrize(("number", "pairs"), [(20, True), (8, False)])
def test_the_intervals_are_percentiles_of_the_measures_of_drawn_groups(monkeypatch, number, pairs):
    monkeypatch.setattr(held_out, "bootstrap_interval", functools.partial(bootstrap_interval, draws=40))
    table, of_folds, groups = held_out_rows(number=number, usages=("Test",))
    groups = groups if pairs else np.arange(number)
    different = len(set(groups))
    scored = score_held_out(table, of_folds, groups, CLASSES, 7)
    drawn = {"single": [], "ensemble": [], "difference": []}
    for draw in np.random.default_rng(derive_seed(7, "Test")).integers(0, different, (40, different)):
        rows = np.concatenate([np.flatnonzero(groups == group) for group in draw])
        folds = [measures_of(table.iloc[rows], of_fold[rows]) for of_fold in of_folds]
        single = np.array([[one[measure] for measure in MEASURES] for one in folds]).mean(axis=0)
        ensemble = measures_of(table.iloc[rows], table[CLASSES].to_numpy()[rows])
        ensemble = np.array([ensemble[measure] for measure in MEASURES])
        for kind, found in (("single", single), ("ensemble", ensemble), ("difference", ensemble - single)):
            drawn[kind].append(found)
    for kind, found in drawn.items():
        low, high = np.quantile(found, [0.025, 0.975], axis=0)
        np.testing.assert_allclose(values(scored, "Test", predictions=kind)["low"], low, atol=1e-8)
        np.testing.assert_allclose(values(scored, "Test", predictions=kind)["high"], high, atol=1e-8)


def test_the_table_comes_back_and_the_same_seed_gives_the_same_bytes(tmp_path):
    for name in ("one.csv", "other.csv"):
        write_table(score_held_out(*held_out_rows(), CLASSES, 7), tmp_path / name)
    read = read_table(tmp_path / "one.csv", HELD_OUT_METRICS)
    assert list(read.columns) == list(HELD_OUT_METRICS)
    assert list(read["usage"].unique()) == ["PublicTest", "PrivateTest"]
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "other.csv").read_bytes()
    write_table(score_held_out(*held_out_rows(), CLASSES, 8), tmp_path / "other.csv")
    assert (tmp_path / "one.csv").read_bytes() != (tmp_path / "other.csv").read_bytes()


def test_images_that_there_are_not_have_no_rows():
    table, of_folds, groups = held_out_rows(usages=("Test",))
    scored = score_held_out(table.assign(in_training=1), of_folds, groups, CLASSES, 7)
    assert set(scored["usage"]) == {"Test"} and set(scored["images"]) == {"all"}


@pytest.mark.filterwarnings("error")
def test_one_fold_one_image_and_one_class_claim_no_spread_that_is_not_known():
    table, of_folds, groups = held_out_rows(folds=1)
    scored = score_held_out(table, of_folds, groups, CLASSES, 7)
    assert scored["standard_deviation"].isna().all()
    assert (values(scored, "PublicTest", predictions="difference")["value"] == 0).all()
    one = table.iloc[:1].assign(in_training=0)
    scored = score_held_out(one, of_folds[:, :1], groups[:1], CLASSES, 7)
    assert scored["low"].isna().all() and scored["high"].isna().all() and len(scored) == 9
    of_class = (table["label"] == 0).to_numpy()
    scored = score_held_out(table[of_class], of_folds[:, of_class], groups[of_class], CLASSES, 7)
    found = values(scored, "PublicTest")
    assert found.loc["accuracy", "value"] == found.loc["balanced_accuracy", "value"]
