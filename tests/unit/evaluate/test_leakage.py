"""What random folds are worth, on predictions whose leak is known."""

import importlib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fercv.data.tables import LEAKAGE, SAMPLES, read_table, write_table
from fercv.evaluate.leakage import measure_leakage
from fercv.workflow.errors import InputError

# 400 images. The first 200 are 100 pairs of copies. On grouped folds 40 % are right, independently; on random ones,
# of the images with a copy 90 %.
GENERATOR = np.random.default_rng(3)
CLUSTERS = np.array([*np.repeat(np.arange(100), 2), *range(100, 300)])
HAS_COPY = np.arange(400) < 200
GROUPED = GENERATOR.random(400) < 0.4
LEAKING = np.where(HAS_COPY, GENERATOR.random(400) < 0.9, GROUPED)
PAIR = ["net", "net_random"]


def measured(right=None, pairs=(PAIR,), has_copy=HAS_COPY, clusters=CLUSTERS, seed=5):
    right = right or {"net": GROUPED, "net_random": LEAKING}
    return measure_leakage(right, list(pairs), has_copy, clusters, seed)


def test_each_kind_of_images_has_both_accuracies_and_their_difference():
    table = measured()
    assert list(table.columns) == list(LEAKAGE)
    assert table["images"].tolist() == [kind for kind in ("all", "with_copies", "without_copies") for _ in range(3)]
    assert table["assignment"].tolist() == ["grouped", "random", "difference"] * 3
    for images, chosen in (("all", HAS_COPY | True), ("with_copies", HAS_COPY), ("without_copies", ~HAS_COPY)):
        rows = table[table["images"] == images].set_index("assignment")
        grouped, leaking = GROUPED[chosen].mean(), LEAKING[chosen].mean()
        assert rows["value"].tolist() == pytest.approx([grouped, leaking, leaking - grouped])
        assert set(rows["rows"]) == {chosen.sum()}
        assert set(rows["groups"]) == {len(set(CLUSTERS[chosen]))}


def test_the_interval_of_the_difference_is_that_of_paired_images():
    """Against scipy's bootstrap of the same differences; each image is a group of its own here."""
    table = measured(clusters=np.arange(400)).set_index(["images", "assignment"])
    differences = LEAKING.astype(float) - GROUPED
    for images, values in (("all", differences), ("with_copies", differences[HAS_COPY])):
        expected = stats.bootstrap([values], np.mean, n_resamples=9999, method="percentile", rng=1)
        found = table.loc[(images, "difference")]
        np.testing.assert_allclose([found["low"], found["high"]], expected.confidence_interval, atol=0.006)


def test_where_nothing_differs_there_is_no_interval():
    row = measured().set_index(["images", "assignment"]).loc[("without_copies", "difference")]
    assert row["value"] == 0 and np.isnan(row["low"]) and np.isnan(row["high"])


def test_copies_count_as_one_when_the_interval_is_drawn():
    """With both images of each group alike, there is half as much to know: the interval is wider by the root of 2."""
    alike = {"net": np.repeat(GROUPED[:200], 2), "net_random": np.repeat(LEAKING[:200], 2)}
    one, two = (
        measured(alike, has_copy=HAS_COPY | True, clusters=clusters).set_index(["images", "assignment"])
        for clusters in (np.arange(400), np.repeat(np.arange(200), 2))
    )
    widths = [
        table.loc[("all", "difference"), "high"] - table.loc[("all", "difference"), "low"] for table in (one, two)
    ]
    assert widths[1] / widths[0] == pytest.approx(2**0.5, rel=0.1)


def test_kinds_of_images_that_there_are_not_have_no_rows():
    assert set(measured(has_copy=HAS_COPY & False)["images"]) == {"all", "without_copies"}


def test_several_pairs_stand_in_their_order_and_one_does_not_change_another():
    right = {"net": GROUPED, "net_random": LEAKING, "a": LEAKING, "a_random": LEAKING}
    table = measured(right, [PAIR, ["a", "a_random"]])
    assert table["model"].tolist() == ["net"] * 9 + ["a"] * 9
    pd.testing.assert_frame_equal(table[:9].reset_index(drop=True), measured().reset_index(drop=True))


@pytest.mark.parametrize(
    "pairs", [[PAIR, ["net", "a_random"]], [PAIR, ["a", "net_random"]]], ids=["one grouped", "one random"]
)
def test_pairs_that_share_a_model_stand_one_after_the_other(pairs):
    right = {"net": GROUPED, "net_random": LEAKING, "a": ~GROUPED, "a_random": ~LEAKING}
    table = measured(right, pairs)
    assert table[["model", "random_model"]].to_numpy().tolist() == [pair for pair in pairs for _ in range(9)]


def test_another_seed_draws_other_images():
    one, other = (measured(seed=seed).set_index(["images", "assignment"]) for seed in (5, 6))
    assert (one["value"] == other["value"]).all()
    assert one.loc[("all", "difference"), "low"] != other.loc[("all", "difference"), "low"]


# The rule.


@pytest.fixture
def files(tmp_path):
    """Files of 8 images in 2 folds: 0 and 1 are copies, of which 0 is held out, and so are 6 and 7."""
    samples = pd.DataFrame({"index": range(8), "label": 0, "usage": ["Test"] + ["Training"] * 7, "source": "x"})
    samples["excluded"] = ""
    samples["duplicate_group"] = [0, 0, 1, 2, 3, 4, 5, 5]
    write_table(samples[list(SAMPLES)], tmp_path / "samples.csv")
    write_table(pd.DataFrame({"index": range(8), "group": [0, 0, 2, 3, 4, 5, 6, 6]}), tmp_path / "groups.csv")
    paths = []
    for model, order in (("net", [[7, 6, 5, 4], [3, 2, 1]]), ("net_random", [[6, 4, 2], [1, 3, 5, 7]])):
        for fold, index in enumerate(order):
            # On random folds, all are right; on grouped ones, image 7 is wrong.
            right = [0.0 if (model, number) == ("net", 7) else 1.0 for number in index]
            table = pd.DataFrame({"index": index, "label": 0, "a": right, "b": 1 - np.array(right)})
            paths.append(tmp_path / f"{model}{fold}.csv")
            write_table(table, paths[-1])
    return SimpleNamespace(
        input=SimpleNamespace(predictions=paths, samples=tmp_path / "samples.csv", groups=tmp_path / "groups.csv"),
        output=SimpleNamespace(leakage=tmp_path / "leakage.csv"),
        params=SimpleNamespace(models=PAIR, pairs=[PAIR], classes=["a", "b"], seed=0),
    )


def test_the_rule_pairs_the_images_of_both_assignments(files, caplog):
    caplog.set_level("INFO", "fercv")
    importlib.import_module("measure_leakage").main(files)
    table = read_table(files.output.leakage, LEAKAGE).set_index(["images", "assignment"])
    assert table["value"].tolist() == pytest.approx([6 / 7, 1, 1 / 7, 1 / 2, 1, 1 / 2, 1, 1, 0])
    low, high = table.loc[("all", "difference"), ["low", "high"]]
    told = f"net_random minus net: accuracy +0.1429 (95 % interval {low:+.4f} to {high:+.4f})"
    assert caplog.messages == [told]
    # The copy of image 1 is held out, so no fold's model was trained on it.
    assert table.loc[("with_copies", "grouped"), ["rows", "groups"]].tolist() == [2, 1]
    assert table.loc[("all", "grouped"), ["rows", "groups"]].tolist() == [7, 6]


def test_predictions_that_lack_an_image_are_refused(files):
    path = files.input.predictions[2]
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(InputError, match=rf"^{path}: .*not each training image once.*delete it"):
        importlib.import_module("measure_leakage").main(files)
