"""What the scripts of this stage say and write about a model's scores."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import list_misclassified
import score_model
from fercv.data.tables import (
    CALIBRATION,
    MISCLASSIFIED,
    PER_CLASS,
    POOLED_METRICS,
    SAMPLES,
    SUMMARY,
    confusion_matrix_table,
    predictions_table,
    read_table,
    write_table,
)
from fercv.evaluate.measures import confusion_counts, predicted_classes

CLASSES, FOLDS = ["stripes", "dots", "rings"], ["00", "01", "02"]
LABELS = np.repeat([0, 1, 2], 10)


@pytest.fixture
def model(tmp_path):
    """Function that writes the files of a model with these probabilities and gives what Snakemake tells a job."""

    def files_of(probabilities):
        counts, predictions = 0, []
        for fold in FOLDS:
            index = np.arange(30) + 30 * int(fold)
            less_confident = probabilities * (1 - 0.03 * int(fold)) + 0.01 * int(fold)
            table = predictions_table(index, LABELS, less_confident, CLASSES)
            counts = counts + confusion_counts(LABELS, predicted_classes(table, CLASSES), 3)
            predictions.append(tmp_path / f"{fold}.csv")
            write_table(table, predictions[-1])
            record = '{"software": {}, "precision": "float32", "predictions_sha256": ""}'
            (tmp_path / f"{fold}.json").write_text(record)
        write_table(confusion_matrix_table(counts, CLASSES), tmp_path / "matrix.csv")
        rows = [(index, LABELS[index % 30], "", index, f"image {index}.png", "") for index in range(90)]
        write_table(pd.DataFrame(rows, columns=list(SAMPLES)), tmp_path / "samples.csv")
        write_table(pd.DataFrame({"index": range(90), "group": range(90)}), tmp_path / "groups.csv")
        names = ("metrics", "summary", "pooled", "per_class", "calibration", "misclassified")
        return SimpleNamespace(
            wildcards=SimpleNamespace(model="cnn"),
            params=SimpleNamespace(classes=CLASSES, folds=FOLDS, seed=1),
            input=SimpleNamespace(
                predictions=predictions,
                metrics=[tmp_path / f"{fold}.json" for fold in FOLDS],
                matrix=tmp_path / "matrix.csv",
                samples=tmp_path / "samples.csv",
                groups=tmp_path / "groups.csv",
            ),
            output=SimpleNamespace(**{name: tmp_path / f"made_{name}.csv" for name in names}),
        )

    return files_of


def warnings_of(caplog):
    return [record.getMessage() for record in caplog.records if "digest" not in record.getMessage()]


def test_a_collapsed_model_is_warned_of_by_name_with_figures_and_what_to_try(model, caplog):
    probabilities = np.tile([0.8, 0.1, 0.1], (30, 1))
    probabilities[3] = [0.1, 0.8, 0.1]
    snakemake = model(probabilities)
    score_model.main(snakemake)
    (line,) = warnings_of(caplog)
    assert line.startswith("cnn: 87 of 90 images are predicted as stripes, and 30 are; the accuracy of 0.3")
    assert "try more epochs" in line
    summary = read_table(snakemake.output.summary, SUMMARY).set_index("measure")
    assert summary.loc["accuracy", "chance"] == pytest.approx(1 / 3)
    assert summary.loc["log_loss", "chance"] == pytest.approx(np.log(3))


def test_a_good_model_is_not_warned_of(model, caplog):
    probabilities = np.eye(3)[LABELS] * 0.7 + 0.1
    probabilities[12] = [0.8, 0.1, 0.1]
    score_model.main(model(probabilities))
    assert warnings_of(caplog) == []


def test_the_predictions_of_all_folds_are_scored_together_over_groups(model):
    probabilities = np.eye(3)[LABELS] * 0.7 + 0.1
    probabilities[12] = [0.8, 0.1, 0.1]
    snakemake = model(probabilities)
    groups = pd.DataFrame({"index": range(90), "group": np.arange(90) // 2 * 2})
    write_table(groups, snakemake.input.groups)
    score_model.main(snakemake)
    pooled = read_table(snakemake.output.pooled, POOLED_METRICS).set_index("measure")
    assert pooled.loc["accuracy", "value"] == pytest.approx(87 / 90)
    assert set(pooled["rows"]) == {90} and set(pooled["groups"]) == {45}
    classes = read_table(snakemake.output.per_class, PER_CLASS).set_index("class")
    assert classes.loc["dots", "recall_low"] < 27 / 30 < classes.loc["dots", "recall_high"]
    assert read_table(snakemake.output.calibration, CALIBRATION)["images"].sum() == 90


def test_mistakes_are_listed_by_confidence_with_names_and_source(model):
    probabilities = np.eye(3)[LABELS] * 0.5 + np.array([0.2, 0.2, 0.1])
    probabilities[4] = [0.05, 0.9, 0.05]
    probabilities[27] = [0.75, 0.2, 0.05]
    snakemake = model(probabilities)
    list_misclassified.main(snakemake)
    table = read_table(snakemake.output.misclassified, MISCLASSIFIED)
    assert list(table["index"]) == [4, 34, 64, 27, 57, 87]
    assert list(table["source"]) == [f"image {index}.png" for index in table["index"]]
    assert list(table["true"]) == ["stripes"] * 3 + ["rings"] * 3
    assert list(table["predicted"]) == ["dots"] * 3 + ["stripes"] * 3
    np.testing.assert_allclose(table["probability"], [0.9, 0.883, 0.866, 0.75, 0.7375, 0.725])
    assert list(table["fold"]) == FOLDS * 2
