"""What the tiny experiment leaves behind, by content."""

import gzip
import itertools
import json
import pickle
import re
import shutil
import struct
import zipfile

import numpy as np
import pandas as pd
import pytest
from helpers import Workflow
from sklearn.metrics import roc_auc_score

from fercv.data.tables import (
    AUDIT,
    CALIBRATION,
    COMPARISON,
    FACTOR_EFFECTS,
    FACTORS,
    FEATURE_MAP_CHECKS,
    FILTER_CHECKS,
    FOLDS,
    HELD_OUT_METRICS,
    HELD_OUT_PREDICTIONS,
    HISTORY,
    LABEL_ISSUES,
    LABEL_RANKING,
    METRICS,
    MISCLASSIFIED,
    PER_CLASS,
    POOLED_METRICS,
    PREDICTIONS,
    SALIENCY_CHECKS,
    SAMPLES,
    SUMMARY,
    TEXT,
    TIMING,
    is_training,
    read_confusion_matrix,
    read_table,
)
from fercv.nets.models import load_model, predict

CLASSES = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
MODELS = ["cnn", "fc"]


@pytest.fixture(scope="session")
def results(finished):
    return finished.folder / "results" / "demo-tiny"


@pytest.fixture(scope="session")
def samples(results):
    return read_table(results / "data" / "samples.csv", SAMPLES)


@pytest.fixture(scope="session")
def folds(results):
    return read_table(results / "data" / "folds.csv", FOLDS)


def fold_tables(results, model, name, types):
    return [read_table(results / model / "folds" / fold / name, types) for fold in ("00", "01")]


def test_a_second_run_has_nothing_to_do(finished):
    assert "Nothing to be done" in finished.run().stderr


def test_what_others_wait_for_runs_first_then_one_model_after_another(finished):
    log = min((finished.folder / ".snakemake" / "log").iterdir()).read_text(encoding="utf-8")
    jobs = re.findall(r"^Job \d+: (.*)$", log, re.MULTILINE)
    assert "Prepare images and samples" in jobs[:2]
    folds = [job for job in jobs if job.startswith("Train")]
    assert sorted(folds[:2]) == ["Train cnn on all folds but 00", "Train fc on all folds but 00"]
    assert folds[2:] == ["Train cnn on all folds but 01", "Train fc on all folds but 01"]


def test_images_and_samples_belong_together(results, samples):
    images = np.load(results / "data" / "images.npy")
    assert (images.dtype, images.shape) == (np.uint8, (280, 48, 48))
    assert list(samples.columns) == list(SAMPLES)
    assert list(samples["index"]) == list(range(280))
    assert set(samples["label"]) == set(range(7))
    for _, group in samples.groupby("duplicate_group"):
        assert (images[group["index"]] == images[group["index"].iloc[0]]).all()
    assert samples["duplicate_group"].nunique() == len({image.tobytes() for image in images}) < 280


def test_the_truth_of_the_drawn_faces_lies_beside_them(results, samples):
    with np.load(results / "data" / "truth.npz") as truth:
        assert set(truth) == {"true_labels", "masks", "parts", "strengths", "identities"}
        assert truth["masks"].shape == (280, 3, 48, 48)
        assert (truth["true_labels"] != samples["label"]).sum() == round(0.03 * 280)
        same = pd.crosstab(truth["identities"], samples["duplicate_group"])
        assert ((same > 0).sum(axis=0) == 1).all() and ((same > 0).sum(axis=1) == 1).all()


def test_the_audit_finds_the_copies_that_were_drawn_and_no_leak(results, samples):
    audit = read_table(results / "data" / "audit.csv", AUDIT)
    assert list(audit.columns) == list(AUDIT)
    with np.load(results / "data" / "truth.npz") as truth:
        _, copies = np.unique(truth["identities"], return_counts=True)
    groups = audit[audit["kind"] == "exact_duplicates"]
    assert sorted(groups["samples"]) == sorted(copies[copies > 1])
    leaks = audit[audit["kind"].isin(["leak_of_folds", "leak_of_held_out"]) & audit["distance"].isna()]
    assert len(leaks) == 3 and not leaks["samples"].any()
    held_out = samples["usage"] != "Training"
    twins = samples["duplicate_group"].isin(samples.loc[held_out, "duplicate_group"]) & ~held_out
    assert list(samples["excluded"]) == ["held_out_twin" if twin else "" for twin in twins]


def test_every_training_sample_is_validated_exactly_once(results, samples, folds):
    training = samples.loc[is_training(samples), "index"]
    assert sorted(folds["index"]) == sorted(training)
    grouped = folds.merge(samples, on="index").groupby("duplicate_group")["fold"].nunique()
    assert grouped.max() == 1
    for model in MODELS:
        validated = [set(table["index"]) for table in fold_tables(results, model, "predictions.csv", PREDICTIONS)]
        for fold, indices in enumerate(validated):
            assert indices == set(folds.loc[folds["fold"] == fold, "index"])


@pytest.mark.parametrize("model", MODELS)
def test_predictions_are_those_of_the_saved_model(results, samples, model):
    images = np.load(results / "data" / "images.npy")
    for fold, table in zip(("00", "01"), fold_tables(results, model, "predictions.csv", PREDICTIONS), strict=True):
        assert list(table.columns) == ["index", "label", *CLASSES]
        np.testing.assert_allclose(table[CLASSES].sum(axis=1), 1, atol=1e-5)
        assert (table["label"].to_numpy() == samples["label"].to_numpy()[table["index"]]).all()
        saved = load_model(results / model / "folds" / fold / "model.keras")
        probabilities = predict(saved, images, table["index"].to_numpy(), 32)
        np.testing.assert_allclose(probabilities, table[CLASSES], atol=1e-5)


@pytest.mark.parametrize(("model", "epochs"), [("cnn", 2), ("fc", 3)])
def test_histories_and_timings_have_a_row_an_epoch(results, model, epochs):
    kinds = {"history.csv": HISTORY, "timing.csv": TIMING, "predictions.csv": PREDICTIONS}
    tables = (fold_tables(results, model, name, types) for name, types in kinds.items())
    for history, timing, predictions in zip(*tables, strict=True):
        assert list(history.columns) == list(HISTORY)
        assert list(timing.columns) == list(TIMING)
        assert list(history["epoch"]) == list(timing["epoch"]) == list(range(1, epochs + 1))
        assert history["accuracy"].between(0, 1).all()
        assert (timing["images_per_second"] > 0).all()
        right = predictions[CLASSES].to_numpy().argmax(axis=1) == predictions["label"]
        assert history["val_accuracy"].iloc[-1] == pytest.approx(right.mean())


@pytest.mark.parametrize("model", MODELS)
def test_pooled_tables_agree_with_the_predictions(results, model):
    predictions = pd.concat(fold_tables(results, model, "predictions.csv", PREDICTIONS))
    predicted = predictions[CLASSES].to_numpy().argmax(axis=1)
    counts, names = read_confusion_matrix(results / model / "confusion_matrix.csv")
    assert names == CLASSES
    for label in range(7):
        assert (counts[label] == np.bincount(predicted[predictions["label"] == label], minlength=7)).all()
    per_class = read_table(results / model / "per_class.csv", PER_CLASS)
    assert list(per_class["class"]) == CLASSES
    assert (per_class["support"] == counts.sum(axis=1)).all()
    assert list(per_class.columns) == list(PER_CLASS)
    pooled = read_table(results / model / "pooled_metrics.csv", POOLED_METRICS).set_index("measure")
    assert pooled.loc["accuracy", "value"] == pytest.approx(counts.diagonal().sum() / counts.sum())
    assert pooled.loc["macro_f1", "value"] == pytest.approx(per_class["f1"].mean())
    assert (pooled["rows"] == counts.sum()).all() and (pooled["groups"] <= pooled["rows"]).all()
    bins = read_table(results / model / "calibration.csv", CALIBRATION)
    assert (bins["images"] * bins["accuracy"]).sum() == pytest.approx(counts.diagonal().sum())
    metrics = read_table(results / model / "metrics.csv", METRICS)
    for row, fold in zip(metrics.itertuples(), ("00", "01"), strict=True):
        recorded = json.loads((results / model / "folds" / fold / "metrics.json").read_text())
        assert row.accuracy == pytest.approx(recorded["accuracy"])
        assert recorded["threads"] >= 1
    summary = read_table(results / model / "summary.csv", SUMMARY).set_index("measure")
    assert summary.loc["accuracy", "mean"] == pytest.approx(metrics["accuracy"].mean())


@pytest.mark.parametrize("model", MODELS)
def test_the_mistakes_of_all_folds_are_listed_the_most_confident_first(results, samples, model):
    mistakes = read_table(results / model / "misclassified.csv", MISCLASSIFIED, may_be_empty=True)
    assert list(mistakes.columns) == list(MISCLASSIFIED)
    assert mistakes["probability"].is_monotonic_decreasing
    assert (mistakes["true"] != mistakes["predicted"]).all()
    assert list(mistakes["source"]) == list(samples.loc[mistakes["index"], "source"])
    assert list(mistakes["true"]) == [CLASSES[label] for label in samples.loc[mistakes["index"], "label"]]
    for fold, table in zip(("00", "01"), fold_tables(results, model, "predictions.csv", PREDICTIONS), strict=True):
        wrong = table[table[CLASSES].to_numpy().argmax(axis=1) != table["label"]].set_index("index")
        listed = mistakes[mistakes["fold"] == fold].set_index("index")
        assert set(listed.index) == set(wrong.index)
        for index, row in listed.iterrows():
            assert wrong.loc[index, row["predicted"]] == row["probability"] == wrong.loc[index, CLASSES].max()


def test_suspicious_labels_are_those_of_the_predictions_and_are_ranked_over_the_models(results, samples):
    listed = {}
    for model in MODELS:
        issues = read_table(results / model / "label_issues.csv", LABEL_ISSUES, may_be_empty=True)
        assert list(issues.columns) == list(LABEL_ISSUES)
        assert issues["given_probability"].is_monotonic_increasing
        assert (issues["given"] != issues["suggested"]).all()
        assert list(issues["sample"]) == list(samples.loc[issues["index"], "source"])
        predictions = pd.concat(fold_tables(results, model, "predictions.csv", PREDICTIONS)).set_index("index")
        for issue in issues.itertuples():
            row = predictions.loc[issue.index]
            assert CLASSES[int(row["label"])] == issue.given
            assert row[issue.given] == pytest.approx(issue.given_probability, abs=1e-5)
            assert row[CLASSES].max() == row[issue.suggested]
        listed[model] = set(issues["index"])
    ranking = read_table(results / "label_issues.csv", LABEL_RANKING, others=TEXT, may_be_empty=True)
    assert list(ranking.columns) == [*LABEL_RANKING, "suggested_by_cnn", "suggested_by_fc"]
    assert ranking["quality"].is_monotonic_increasing
    assert set(ranking["index"]) == listed["cnn"] | listed["fc"]
    for model in MODELS:
        assert set(ranking.loc[ranking[f"suggested_by_{model}"] != "", "index"]) == listed[model]
    assert list(ranking["votes"]) == [(index in listed["cnn"]) + (index in listed["fc"]) for index in ranking["index"]]


def test_the_comparison_is_paired_by_fold(results):
    comparison = read_table(results / "comparison.csv", COMPARISON)
    tables = [read_table(results / model / "metrics.csv", METRICS) for model in MODELS]
    row = comparison.query("model == 'cnn' and versus == 'fc' and measure == 'accuracy'").iloc[0]
    assert row["mean"] == pytest.approx((tables[0]["accuracy"] - tables[1]["accuracy"]).mean())


def test_the_average_of_two_models_is_measured_fold_by_fold(results):
    table = read_table(results / "ensembles.csv", COMPARISON)
    folds = []
    for fold in ("00", "01"):
        tables = [read_table(results / model / "folds" / fold / "predictions.csv", PREDICTIONS) for model in MODELS]
        mean = (tables[0][CLASSES] + tables[1].set_index("index").loc[tables[0]["index"], CLASSES].to_numpy()) / 2
        folds.append((mean.to_numpy().argmax(axis=1) == tables[0]["label"]).mean())
    row = table.query("model == 'cnn + fc' and versus == '' and measure == 'accuracy'").iloc[0]
    assert row["mean"] == pytest.approx(np.mean(folds))
    assert list(table["versus"].drop_duplicates()) == ["", *MODELS]


def test_held_out_rows_get_the_mean_of_the_folds(results, samples):
    images = np.load(results / "data" / "images.npy")
    table = read_table(results / "cnn" / "held_out_predictions.csv", HELD_OUT_PREDICTIONS)
    assert list(table.columns) == [*HELD_OUT_PREDICTIONS, *CLASSES]
    rows = samples.loc[samples["usage"] != "Training", "index"].to_numpy()
    assert list(table["index"]) == list(rows)
    assert set(table["usage"]) == {"PublicTest", "PrivateTest"}
    trained = set(samples.loc[is_training(samples), "duplicate_group"])
    assert list(table["in_training"]) == [int(group in trained) for group in samples.loc[rows, "duplicate_group"]]
    models = [load_model(results / "cnn" / "folds" / fold / "model.keras") for fold in ("00", "01")]
    expected = np.array([predict(model, images, rows, 64) for model in models])
    np.testing.assert_allclose(table[CLASSES], expected.mean(axis=0), atol=1e-5)
    of_folds = np.load(results / "cnn" / "held_out_probabilities.npy")
    assert (of_folds.dtype, of_folds.shape) == (np.float32, (2, len(rows), 7))
    np.testing.assert_allclose(of_folds, expected, atol=1e-5)


@pytest.mark.parametrize("model", MODELS)
def test_the_held_out_test_scores_the_predictions_beside_it(results, model):
    predictions = read_table(results / model / "held_out_predictions.csv", HELD_OUT_PREDICTIONS)
    of_folds = np.load(results / model / "held_out_probabilities.npy")
    metrics = read_table(results / model / "held_out_metrics.csv", HELD_OUT_METRICS)
    assert set(metrics["folds"]) == {2}
    for usage in ("PublicTest", "PrivateTest"):
        chosen = predictions["usage"] == usage
        labels = predictions.loc[chosen, "label"].to_numpy()
        ensemble = (predictions.loc[chosen, CLASSES].to_numpy().argmax(axis=1) == labels).mean()
        single = (of_folds[:, chosen].argmax(axis=2) == labels).mean(axis=1)
        found = metrics.query("usage == @usage and measure == 'accuracy'").set_index("predictions")
        # No training image is a copy of a held-out one, as those are left out.
        assert set(found["images"]) == {"all"}
        assert found.loc["ensemble", "value"] == pytest.approx(ensemble)
        assert found.loc["single", "value"] == pytest.approx(single.mean())
        assert found.loc["single", "minimum"] == pytest.approx(single.min())
        assert (found["rows"] == chosen.sum()).all()
        # Where all images are right, or all wrong, there is no interval.
        assert not ((found["value"] < found["low"]) | (found["value"] > found["high"])).any()


@pytest.mark.parametrize("model", MODELS)
def test_saliency_shows_a_validation_image_of_each_class(results, folds, model):
    predictions = fold_tables(results, model, "predictions.csv", PREDICTIONS)
    with np.load(results / model / "saliency.npz") as saved:
        assert list(saved["labels"]) == list(range(7))
        assert set(saved["index"]) <= set(folds.loc[folds["fold"] == 0, "index"])
        heat, masked, images = saved["heat"][0], saved["masked"], saved["images"]
        assert saved["methods"].tolist() == ([0, 1, 2, 3] if model == "cnn" else [0, 1, 2])
        assert saved["mean_methods"].tolist() == ([0, 3] if model == "cnn" else [0])
        assert set(saved["index"]) <= set(predictions[0]["index"])
        right = [table[table[CLASSES].to_numpy().argmax(axis=1) == table["label"]] for table in predictions]
        assert saved["mean_images"].tolist() == np.bincount(pd.concat(right)["label"], minlength=7).tolist()
    checks = read_table(results / model / "saliency_checks.csv", SALIENCY_CHECKS)
    assert set(checks["check"]) >= {"randomization", "folds"}
    assert heat.shape == masked.shape == images.shape == (7, 48, 48)
    assert heat.min() >= 0
    np.testing.assert_allclose(heat.max(axis=(1, 2)), 1)
    for one_heat, one_masked, image in zip(heat, masked, images, strict=True):
        kept = one_heat > 0.5
        assert (one_masked[kept] == image[kept]).all()
        assert set(one_masked[~kept]) == {round(image.mean())}


def test_filters_are_standardized_images_that_ascended(results):
    for layer in ("conv2_pool", "block4_pool"):
        with np.load(results / "cnn" / f"filters_{layer}.npz") as saved:
            assert saved["images"].shape == (4, 48, 48)
            assert saved["activations"].shape == (4, 4)
            assert saved["activations"][:, -1].sum() > saved["activations"][:, 0].sum()
            np.testing.assert_allclose(saved["images"].std(axis=(1, 2)), 1, atol=1e-3)


def test_feature_maps_are_those_of_the_layer(results):
    with np.load(results / "cnn" / "feature_maps_conv2_pool.npz") as saved:
        assert saved["maps"].shape == (12, 12, 8)
        assert (saved["image"] == np.load(results / "data" / "images.npy")[3]).all()


def test_filters_of_each_layer_and_all_classes_are_checked_beside_real_images(results):
    table = read_table(results / "cnn" / "filter_checks.csv", FILTER_CHECKS)
    filters = [("conv2_pool", 0), ("conv2_pool", 1), ("block4_pool", 0), ("block4_pool", 1)]
    filters += [("predictions", number) for number in range(7)]
    found = list(table[["layer", "filter"]].drop_duplicates().itertuples(index=False, name=None))
    assert found == filters
    assert (table.groupby(["layer", "filter"]).size() == 7).all()
    # The real image that excites a filter most is a real image, and none excites it more.
    assert (table.loc[table["method"] == "real", "percentile"] == 100).all()
    images = np.load(results / "data" / "images.npy")
    with np.load(results / "cnn" / "filter_checks.npz") as saved:
        assert saved["images"].shape == (6, 11, 48, 48)
        assert saved["exciting"].shape == (11, 3, 48, 48)
        assert all((images == one).all(axis=(1, 2)).any() for one in saved["exciting"].reshape(-1, 48, 48))
        with np.load(results / "cnn" / "filters_conv2_pool.npz") as plain:
            # They begin with the same noise, and make 3 steps there and 2 here.
            for one, other in zip(plain["images"][:2], saved["images"][0, :2], strict=True):
                assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.98


def test_feature_maps_are_measured_on_validation_images_whose_parts_are_known(results, folds):
    table = read_table(results / "cnn" / "feature_map_checks.csv", FEATURE_MAP_CHECKS)
    counts = table.groupby(["layer", "weights"]).size().to_dict()
    assert counts == {
        ("image", "none"): 1,
        **{("conv2_pool", weights): 8 for weights in ("trained", "random")},
        **{("block4_pool", weights): 32 for weights in ("trained", "random")},
    }
    validated = folds.loc[folds["fold"] == 0, "index"].to_numpy()[:60]
    images = np.load(results / "data" / "images.npy")[validated]
    with np.load(results / "data" / "truth.npz") as truth:
        masks = dict(zip(truth["parts"], np.moveaxis(truth["masks"][validated], 1, 0), strict=True))
    for part, mask in masks.items():
        expected = roc_auc_score(mask.ravel(), images.ravel())
        assert table.loc[table["layer"] == "image", part].item() == pytest.approx(expected)
    with np.load(results / "cnn" / "feature_map_checks.npz") as saved:
        assert saved["maps_0"].shape[:3] == (2, 3, len(saved["labels"]))
        best = table[(table["layer"] == "conv2_pool") & (table["weights"] == "random")][list(masks)]
        assert list(saved["channels_0"][1]) == list(best.to_numpy().argmax(axis=0))


def test_factors_are_those_of_the_models_and_accuracies_those_of_the_epochs_that_were_kept(results):
    table = read_table(results / "factors.csv", FACTORS, others=TEXT)
    assert table.drop_duplicates("model")[["model", "epochs"]].to_numpy().tolist() == [["cnn", "2"], ["fc", "3"]]
    for model, column in itertools.product(MODELS, ("val_accuracy", "clean_accuracy", "accuracy")):
        measure = {"val_accuracy": "validation", "clean_accuracy": "clean_training", "accuracy": "training"}[column]
        histories = fold_tables(results, model, "history.csv", HISTORY)
        kept = [history.loc[history["kept"] == 1, column].item() for history in histories]
        row = table[(table["model"] == model) & (table["measure"] == measure)]
        assert row["mean"].item() == pytest.approx(np.mean(kept))
    assert read_table(results / "factor_effects.csv", FACTOR_EFFECTS, may_be_empty=True).empty


def test_every_picture_is_there_and_of_a_readable_size(results):
    pictures = {str(path.relative_to(results)): path for path in results.rglob("*.png")}
    one_model = {"accuracy", "confusion_matrix", "misclassified", "calibration", "held_out"}
    one_model |= {"saliency", "saliency_methods", "saliency_means", "saliency_checks"}
    assert set(pictures) == {
        "data/samples.png",
        "data/audit.png",
        "comparison.png",
        "ensembles.png",
        "factors.png",
        "label_issues.png",
        *(f"{model}/{name}.png" for model in MODELS for name in one_model),
        *(f"cnn/{name}.png" for name in ("filters_conv2_pool", "filters_block4_pool", "feature_maps_conv2_pool")),
        *(f"cnn/{name}.png" for name in ("filter_checks", "feature_map_checks")),
    }
    for path in pictures.values():
        width, height = struct.unpack(">II", path.read_bytes()[16:24])
        assert 600 <= width <= 2000
        assert 300 <= height <= 4000


def test_the_page_shows_every_picture_and_links_every_file_that_it_names(results):
    page = (results / "report.html").read_text(encoding="utf-8")
    links = set(re.findall(r'href="([^"#][^"]*)"', page)) - {"data:,"}
    assert [link for link in links if not (results / link).exists()] == []
    assert {str(path.relative_to(results)) for path in results.rglob("*.png")} <= links
    tables = {str(path.relative_to(results)) for path in results.rglob("*.csv") if "folds" not in path.parts}
    # The predictions and the groups are no tables to read. The effects of factors are none in this experiment.
    assert {name for name in tables - links if "held_out_predictions" not in name} <= {
        "cnn/label_issues.csv",
        "fc/label_issues.csv",
        "data/groups.csv",
    }
    mean = read_table(results / "cnn" / "summary.csv", SUMMARY).set_index("measure").loc["accuracy", "mean"]
    assert f"is {mean:.3f} (" in page or f"and {mean:.3f} (" in page


def test_the_summary_is_keras_own(results):
    text = (results / "fc" / "architecture.txt").read_text(encoding="utf-8")
    assert "dense_21" in text
    assert "Total params" in text


def test_logs_tell_the_device_and_an_epoch_a_line(results):
    log = (results / "logs" / "train_fold" / "cnn_01.log").read_text(encoding="utf-8")
    assert re.search(r"cnn fold 01: tensorflow on CPU:0 with the kernels of oneDNN, \d threads?, ", log)
    assert len(re.findall(r"cnn fold 01 epoch \d/2: loss", log)) == 2


def test_a_users_mistake_in_a_job_is_one_line_without_traceback_and_leaves_nothing(workflow):
    target = "results/demo-tiny/data/folds.csv"
    done = workflow.run(target, overlay={"folds": {"number": 12}}, check=False)
    assert done.returncode != 0
    log = workflow.folder / "results/demo-tiny/logs/assign_folds.log"
    check_refusal(done, log, r"^class disgust has \d+ samples.*lower folds.number")
    assert not (workflow.folder / target).exists()


def write_csv(path):
    path.write_text("emotion,pixels,Usage\n0,1 2 3,Training\n", encoding="utf-8")


def write_cut_gzip(path):
    row = f"0,{' '.join(['7'] * 2304)},Training\n"
    path.write_bytes(gzip.compress(("emotion,pixels,Usage\n" + 9 * row).encode())[:-9])


def write_folder_with_broken_images(path):
    for name in CLASSES:
        (path / name).mkdir(parents=True)
        for number in (1, 2):
            (path / name / f"{number}.png").write_bytes(b"no image")


def write_zip_that_leads_out(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../happy/1.png", b"")


@pytest.mark.parametrize(
    ("name", "write", "line"),
    [
        ("faces.csv", write_csv, r"faces\.csv: row 1 has 3 pixels, expected 48 x 48 = 2304"),
        ("faces.csv.gz", write_cut_gzip, r"faces\.csv\.gz: damaged gzip after row 9 .*; download or pack it again"),
        ("faces.zip", write_zip_that_leads_out, r"faces\.zip: .*\.\./happy/1\.png"),
    ],
    ids=["csv", "gzip", "zip"],
)
def test_bad_data_are_refused_with_one_line_before_any_job(workflow, name, write, line):
    write(workflow.folder / name)
    done = workflow.run(overlay={"experiment": "mine", "data": {"source": name}}, check=False)
    assert done.returncode == 1
    assert re.search(line, done.stderr.splitlines()[-1]) and "Traceback" not in done.stderr
    assert not (workflow.folder / "results/mine").exists()


def test_a_broken_image_stops_before_any_training_with_one_line(workflow):
    write_folder_with_broken_images(workflow.folder / "faces")
    overlay = {"experiment": "mine", "data": {"source": "faces", "held_out": False}}
    done = workflow.run(overlay=overlay, check=False)
    assert done.returncode != 0
    check_refusal(done, workflow.folder / "results/mine/logs/prepare_dataset.log", r"angry/1\.png")
    assert not (workflow.folder / "results/mine/data/images.npy").exists()
    assert not (workflow.folder / "results/mine/cnn/folds").exists()


def test_a_model_file_that_is_none_stops_what_looks_into_it_with_one_line(finished, tmp_path):
    shutil.copytree(finished.folder, tmp_path / "copy")
    workflow = Workflow(tmp_path / "copy")
    results = workflow.folder / "results/demo-tiny"
    (results / "cnn/folds/00/model.keras").write_bytes(pickle.dumps({"weights": 1}))
    done = workflow.run("results/demo-tiny/cnn/saliency.png", check=False)
    assert done.returncode != 0
    line = r"cnn/folds/00/model\.keras: no model that this program saved .*; delete it to have its fold trained again"
    check_refusal(done, results / "logs/compute_saliency/cnn.log", line)
    assert not (results / "cnn/saliency.npz").exists()


def check_refusal(done, log, line):
    """One line on the terminal, the same one last in the job's log, and no traceback."""
    assert "Traceback" not in done.stderr
    said = done.stderr.rstrip().splitlines()[-1]
    assert re.search(line, said) and done.stderr.count(said) == 1
    assert log.read_text(encoding="utf-8").splitlines()[-1].endswith(said)
