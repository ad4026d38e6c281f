"""A pipeline that cannot cheat: on labels that say nothing about the images, the whole workflow gives chance accuracy.

Drawn faces get labels by lot, as many of each class. Each face stands twice in the csv, with one label. The nets
memorize their training images, so whatever leaks from the training into the validation lifts the accuracy. That a leak
would be seen is shown with one: with random folds, the copy of a validation image is often among the training images.

An accuracy is compared with those of the same predictions when the labels of the validated faces are permuted. That is
exact, whatever a net predicts. 99.99 % of the permutations lie in the interval, so a sound pipeline fails with this
test in fewer than 1 of 1,000 seeds.
"""

import numpy as np
import pandas as pd
import pytest

from fercv.data.faces import CLASSES, draw_faces
from fercv.data.tables import AUDIT, HISTORY, METRICS, PREDICTIONS, SAMPLES, read_table

FACES, FOLDS = 140, ("00", "01", "02", "03")
OVERLAY = {
    "experiment": "shuffled",
    "models": ["cnn"],
    "scale": "memorizing",
    "data": {"source": "shuffled.csv", "image_size": [32, 32], "held_out": False},
    "folds": {"number": len(FOLDS)},
    "scales": {
        "memorizing": {
            "filters": 2,
            "definitions": {
                "cnn": {
                    "settings": {"width": 0.125, "dropout": 0.0},
                    "augmentation": {
                        "rotation": 0, "width_shift": 0, "height_shift": 0, "zoom": 0, "horizontal_flip": False
                    },
                    "schedule": {"name": "constant", "warmup": 0},
                    "precision": "float32",
                    "optimizer": "adam",
                    "learning_rate": 0.002,
                    "weight_decay": 0,
                    "mirrored_prediction": False,
                    "batch_size": 32,
                    "epochs": 25,
                }
            },
        }
    },
}  # fmt: skip


def write_shuffled(path):
    """Write the csv: each face twice, its label drawn by lot."""
    faces = draw_faces(FACES + 10, seed=11, size=32, held_out=0)
    different = faces.images[np.unique(faces.identities)][:FACES]
    labels = np.random.default_rng(11).permutation(np.arange(FACES) % len(CLASSES))
    lines = [f"{label},{' '.join(map(str, image.ravel()))}" for image, label in zip(different, labels, strict=True)] * 2
    path.write_text("\n".join(["emotion,pixels", *lines]) + "\n", encoding="utf-8")


def validated(workflow):
    """For each fold, of each face that it validates: the label, and the predicted class."""
    results = workflow.folder / "results/shuffled"
    groups = read_table(results / "data/samples.csv", SAMPLES)["duplicate_group"].to_numpy()
    for fold in FOLDS:
        predictions = read_table(results / "cnn/folds" / fold / "predictions.csv", PREDICTIONS)
        # Copies of a face have one label and one prediction, so they are no observations of their own.
        predictions = predictions[~pd.Series(groups[predictions["index"]]).duplicated().to_numpy()]
        yield predictions["label"].to_numpy(), predictions[list(CLASSES)].to_numpy().argmax(axis=1)


def hits_and_chance(folds):
    """How many faces are right in each fold, and how many when labels are permuted: (folds,), (folds, permutations)."""
    generator = np.random.default_rng(0)
    hits = np.array([(labels == predicted).sum() for labels, predicted in folds])
    draws = [[generator.permutation(labels) for _ in range(20_000)] for labels, _ in folds]
    permuted = [(draw == predicted).sum(axis=1) for draw, (_, predicted) in zip(draws, folds, strict=True)]
    return hits, np.array(permuted)


def chance(permuted):
    """The interval of 99.99 % of the permutations, which are along the last axis."""
    return np.quantile(permuted, [0.00005, 0.99995], axis=-1)


@pytest.mark.slow
def test_labels_that_say_nothing_give_chance_accuracy_in_each_fold_and_pooled(workflow):
    write_shuffled(workflow.folder / "shuffled.csv")
    workflow.run("evaluate", overlay=OVERLAY)
    results = workflow.folder / "results/shuffled"
    assert read_table(results / "cnn/metrics.csv", METRICS)["n"].sum() == 2 * FACES
    # The nets have memorized: what leaked would show.
    for fold in FOLDS:
        assert read_table(results / "cnn/folds" / fold / "history.csv", HISTORY)["accuracy"].iloc[-1] > 0.8
    hits, permuted = hits_and_chance(list(validated(workflow)))
    lowest, highest = chance(permuted)
    assert (lowest <= hits).all() and (hits <= highest).all()
    lowest, highest = chance(permuted.sum(axis=0))
    assert lowest <= hits.sum() <= highest


@pytest.mark.slow
def test_a_leak_is_seen(workflow):
    """The copy of a validation image is among the training images: its label is known by heart."""
    write_shuffled(workflow.folder / "shuffled.csv")
    leaking = OVERLAY | {"folds": {"number": len(FOLDS), "group_duplicates": False}}
    done = workflow.run("results/shuffled/cnn/metrics.csv", "results/shuffled/data/audit.csv", overlay=leaking)
    # The audit says so beforehand.
    audit = read_table(workflow.folder / "results/shuffled/data/audit.csv", AUDIT)
    leak = audit[(audit["kind"] == "leak_of_folds") & audit["distance"].isna()].iloc[0]
    assert leak["samples"] > FACES
    assert leak["samples"] == 2 * (audit["kind"] == "twins_across_folds").sum()
    assert f"{leak['finding']}; set folds.group_duplicates: true" in done.stderr
    hits, permuted = hits_and_chance(list(validated(workflow)))
    assert (hits > chance(permuted)[1]).all()
    assert hits.sum() > chance(permuted.sum(axis=0))[1]
