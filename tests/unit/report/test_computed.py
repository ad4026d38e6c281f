"""The headline, the key figures, the mistakes and the run time: numbers that are those of the files."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from results_on_disk import CLASSES, MODELS, SOURCE, settings, write_experiment, write_fold

from fercv.report.computed import duration, headline, key_figures, listed, mistakes, run_times


@pytest.fixture
def experiment(tmp_path):
    return write_experiment(tmp_path / "demo-page")


def change(experiment, name, function):
    """Change a csv of the experiment."""
    path = experiment.folder / name
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    function(table).to_csv(path, index=False)


def test_the_headline_states_the_numbers_of_the_files(experiment):
    design, outcome, conditions = headline(experiment)
    assert design == (
        '2 models were trained to tell 3 classes apart: calm & "cool", it\'s; alert(1) and sad. The data are 30 images '
        "of my set.zip. Each model was trained 2 times, each time on the other one of 2 folds, and validated on the "
        "one that was left out. So each image was predicted once, by a model that was not trained on it."
    )
    assert outcome == (
        "The mean accuracy over the folds, with its 95 % interval, is 0.812 (0.712 to 0.912) for cnn and 0.410 (0.310 "
        "to 0.510) for fc. Always naming the most frequent class would give 0.250. By more than chance, cnn is better "
        "than fc by 0.402 (0.350 to 0.450) (p below 0.05, adjusted for the number of tests)."
    )
    assert conditions == (
        "All was computed in float32, with TensorFlow 2.21.0, Keras 3.15.1, NumPy 2.4.6 and the kernels of oneDNN, "
        "from the seed 7. The epochs of all folds together took 6 minutes; several folds may train at a time."
    )


@pytest.mark.parametrize(
    ("chance", "sentence"),
    [
        ("0.3", "the most frequent class would give 0.300. By more than chance"),
        ("0.31", "would give 0.310. It is not sure that fc can do better than that. By more than chance"),
        ("0.75", "would give 0.750. It is not sure that cnn and fc can do better than that. By more than chance"),
    ],
)
def test_models_that_may_be_no_better_than_chance_are_named(experiment, chance, sentence):
    for model in ("cnn", "fc"):
        change(experiment, f"{model}/summary.csv", lambda table: table.assign(chance=chance))
    assert sentence in headline(experiment)[1]


def test_a_wide_interval_of_few_folds_puts_no_good_accuracy_in_doubt(experiment):
    """The accuracy of the cnn is 0.812 on 30 images, where chance is 0.25. That of the fc, 0.41, could be luck."""
    for model in ("cnn", "fc"):
        change(experiment, f"{model}/summary.csv", lambda table: table.assign(low="0.1"))
    assert "It is not sure that fc can do better than that." in headline(experiment)[1]


@pytest.mark.parametrize(
    ("mean", "p", "sentence"),
    [
        ("-0.4", "0.01", "By more than chance, fc is better than cnn by 0.400 (-0.450 to -0.350)"),
        ("0.4", "0.2", "What may be chance: the difference between cnn and fc, +0.400 (0.350 to 0.450)."),
        ("0.4", "", "What may be chance: the difference between cnn and fc, +0.400 (0.350 to 0.450)."),
    ],
)
def test_a_difference_is_real_only_below_the_threshold_and_names_the_better_model_first(experiment, mean, p, sentence):
    change(experiment, "comparison.csv", lambda table: table.assign(mean=mean, p_adjusted=p))
    assert sentence in headline(experiment)[1]


def test_no_difference_is_told_of_one_model_or_of_models_on_unlike_folds(experiment):
    change(experiment, "comparison.csv", lambda table: table[table["versus"] == ""])
    assert headline(experiment)[1].endswith(
        "The models are not compared fold by fold, as their folds are not the same."
    )
    alone = experiment._replace(settings=settings(models=["cnn"]))
    design, outcome, _ = headline(alone)
    assert design.startswith("One model was trained") and "It was trained 2 times" in design
    assert outcome.endswith("0.812 (0.712 to 0.912) for cnn. Always naming the most frequent class would give 0.250.")


def test_of_many_differences_the_numbers_are_told(experiment):
    def many(table):
        pairs = [table.iloc[[2]].assign(versus=f"net{number}", p_adjusted=str(number / 50)) for number in range(8)]
        return pd.concat([table.iloc[:2], *pairs])

    change(experiment, "comparison.csv", many)
    assert "Of the 8 differences between two models, 3 are real" in headline(experiment)[1]


def test_without_an_interval_none_is_told(experiment):
    for model in MODELS:
        change(experiment, f"{model}/summary.csv", lambda table: table.assign(low="", high=""))
    assert headline(experiment)[1].startswith("The mean accuracy over the folds is 0.812 for cnn and 0.410 for fc.")


def test_unlike_precision_and_versions_are_told(experiment):
    write_fold(experiment.folder / "fc" / "folds" / "01", precision="bfloat16", tensorflow="2.22.0")
    told = headline(experiment)[2]
    assert told.startswith(
        "All was computed in float32 (cnn) and float32 and bfloat16 (fc), with TensorFlow 2.21.0 and 2.22"
    )
    assert "Not all folds of a model were computed alike." in told


def test_the_key_figures_are_those_of_the_tables(experiment):
    view = key_figures(experiment)
    assert [column.heading for column in view.columns] == [
        "model", "accuracy", "balanced accuracy", "log loss", "macro f1", "calibration error", "PrivateTest accuracy"
    ]  # fmt: skip
    for model, row in zip(MODELS, view.rows, strict=True):
        summary = pd.read_csv(experiment.folder / model / "summary.csv").set_index("measure")
        pooled = pd.read_csv(experiment.folder / model / "pooled_metrics.csv").set_index("measure")
        values = [float(cell.value) for cell in row[1:]]
        expected = [*summary.loc[["accuracy", "balanced_accuracy", "log_loss"], "mean"]]
        expected += [*pooled.loc[["macro_f1", "calibration_error"], "value"], expected[0] + 0.01]
        assert values == pytest.approx(expected)
        assert row[1].text == f"{expected[0]:.3f}"
        assert row[1].interval == f"{expected[0] - 0.1:.3f}\N{EN DASH}{expected[0] + 0.1:.3f}"


def test_without_held_out_images_the_key_figures_have_none(experiment):
    view = key_figures(experiment._replace(files=["comparison.csv"]))
    assert "held-out" not in view.text
    assert len(view.columns) == 6


def test_the_mistakes_that_most_models_make_come_first_then_the_most_confident(experiment):
    sheet = mistakes(experiment)
    assert list(sheet.of_classes) == [CLASSES[0], CLASSES[2]]
    assert sheet.totals == {CLASSES[0]: 1, CLASSES[2]: 11}
    first = sheet.of_classes[CLASSES[0]][0]
    assert (first.index, first.models, first.doubts, first.source) == (4, 2, 1, SOURCE)
    assert first.probability == pytest.approx(0.99)
    assert first.predicted == [CLASSES[1]]
    others = sheet.of_classes[CLASSES[2]]
    assert [mistake.models for mistake in others] == [2] + [1] * 7
    assert [mistake.index for mistake in others] == list(range(5, 13))
    images = np.load(experiment.folder / "data" / "images.npy")
    for mistake in [first, *others]:
        assert (pixels(mistake.picture) == images[mistake.index]).all()


def pixels(uri):
    """The grey values of a picture in the page."""
    kind, _, content = uri.partition(";base64,")
    assert kind == "data:image/webp"
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        return np.asarray(image.convert("L"))


def test_without_mistakes_there_is_no_sheet(experiment):
    for model in MODELS:
        change(experiment, f"{model}/misclassified.csv", lambda table: table.head(0))
    assert mistakes(experiment) is None


def test_run_times_are_those_of_the_folds(experiment):
    view = run_times(experiment)
    row = {column.heading: cell.text for column, cell in zip(view.columns, view.rows[0], strict=True)}
    assert row == {
        "model": "cnn", "parameters": "1234", "folds": "2", "epochs": "2", "images per second": "100",
        "seconds per fold": "90.0", "minutes of all folds": "3.0",
    }  # fmt: skip


def test_words_of_sentences():
    assert [listed("a"), listed("ab"), listed("abc")] == ["a", "a and b", "a, b and c"]
    assert [duration(90), duration(121), duration(7200), duration(360000)] == [
        "90 seconds", "2 minutes", "2.0 hours", "100.0 hours"
    ]  # fmt: skip
