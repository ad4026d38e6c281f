"""What random folds are worth to a net that memorizes, on images that have nothing but their copies to be known by."""

import numpy as np
import pytest
from helpers import Workflow

from fercv.data.tables import COMPARISON, FOLDS, LEAKAGE, SAMPLES, read_table

DEFINITION = {
    "architecture": "fc", "settings": {"width": 0.0625}, "batch_size": 16, "epochs": 12, "learning_rate": 0.003,
    "schedule": {"name": "linear", "warmup": 1},
}  # fmt: skip
EXPERIMENT = {
    "experiment": "noise",
    "models": ["net", "net_random"],
    "scale": "full",
    "data": {"source": "noise.csv", "classes": ["left", "right"], "image_size": [8, 8], "held_out": False},
    "folds": {"number": 3},
    "definitions": {"net": DEFINITION, "net_random": DEFINITION | {"folds": "random"}},
    "filters": {"layers": []},
    "feature_maps": {"layers": []},
}


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """The experiment on 40 images of noise with labels drawn by lot: each stands there 4 times, and 40 others once."""
    workflow, generator = Workflow(tmp_path_factory.mktemp("noise")), np.random.default_rng(8)
    images = generator.integers(0, 256, (80, 64))
    labels = generator.permutation(np.repeat([0, 1], 40))
    order = generator.permutation([*np.repeat(np.arange(40), 4), *range(40, 80)])
    rows = [f"{labels[number]},{' '.join(map(str, images[number]))}\n" for number in order]
    (workflow.folder / "noise.csv").write_text("".join(["label,feature\n", *rows]), encoding="utf-8")
    files = [f"results/noise/{name}" for name in ("leakage.png", "comparison.csv")]
    workflow.run(*files, configfile=None, overlay=EXPERIMENT)
    return workflow.folder / "results" / "noise"


@pytest.mark.xdist_group("noise")
def test_the_folds_of_one_model_split_the_copies_and_those_of_the_other_do_not(noise):
    groups = read_table(noise / "data" / "samples.csv", SAMPLES)["duplicate_group"]
    grouped, leaking = (read_table(noise / "data" / name, FOLDS) for name in ("folds.csv", "random_folds.csv"))
    assert grouped["fold"].groupby(groups).nunique().max() == 1
    assert leaking["fold"].groupby(groups).nunique().max() > 1
    assert grouped["group"].nunique() == 80 and leaking["group"].nunique() == 200


@pytest.mark.xdist_group("noise")
def test_a_net_that_memorizes_gains_by_the_copies_and_by_little_else(noise):
    """On grouped folds, all is chance: 0.5, with a standard error of 0.08 over 40 images."""
    table = read_table(noise / "leakage.csv", LEAKAGE).set_index(["images", "assignment"])
    assert table.loc[("with_copies", "grouped"), "value"] < 0.75
    assert table.loc[("with_copies", "random"), "value"] > 0.85
    assert table.loc[("with_copies", "difference"), "low"] > 0
    assert table.loc[("all", "difference"), "low"] > 0
    assert abs(table.loc[("without_copies", "difference"), "value"]) < 0.35
    assert (noise / "leakage.png").exists()


@pytest.mark.xdist_group("noise")
def test_models_on_different_folds_are_not_compared_fold_by_fold(noise):
    comparison = read_table(noise / "comparison.csv", COMPARISON)
    assert set(comparison["versus"]) == {""}
    log = (noise / "logs" / "compare_models.log").read_text(encoding="utf-8")
    assert "not compared fold by fold, as their folds are not the same: net and net_random" in log
