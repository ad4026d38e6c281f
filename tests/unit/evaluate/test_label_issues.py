"""Label issues: what is found where the wrong labels are known, and what is written down of it."""

import numpy as np
import pandas as pd
import pytest

from fercv.data.faces import CLASSES, draw_faces
from fercv.data.tables import LABEL_ISSUES, LABEL_RANKING, TEXT, predictions_table, read_table, write_table
from fercv.evaluate.label_issues import find_label_issues, rank_label_issues


def simulated(true_labels, knowing, seed, sharpness=6.0):
    """Probabilities (n, 7) of a model that knows the true class of this share of the images, and guesses the others.

    As real models do, it gives lower probabilities where it guesses.
    """
    generator = np.random.default_rng(seed)
    scores = generator.normal(size=(len(true_labels), len(CLASSES)))
    knows = generator.random(len(true_labels)) < knowing
    named = np.where(knows, true_labels, generator.integers(0, 7, len(true_labels)))
    scores[np.arange(len(true_labels)), named] += np.where(knows, sharpness, sharpness / 4)
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def faces():
    return draw_faces(700, seed=3, size=16, held_out=0)


def issues_of(labels, probabilities, order=slice(None)):
    predictions = predictions_table(np.arange(len(labels)), labels, probabilities, CLASSES).iloc[order]
    return predictions, find_label_issues(predictions, [f"face {row}" for row in range(len(labels))], CLASSES)


def average_precision(ranked, wrong):
    """Mean, over the wrong labels, of the precision down to their places in the ranking; 0 where they are not in it."""
    hits = np.isin(ranked, np.flatnonzero(wrong))
    return (hits * np.cumsum(hits) / (np.arange(len(ranked)) + 1)).sum() / wrong.sum()


def test_the_wrong_labels_of_drawn_faces_are_found(faces):
    """20 of 700 labels are wrong. The model that is simulated knows 88 % of the drawn classes."""
    wrong = faces.labels != faces.true_labels
    _, issues = issues_of(faces.labels, simulated(faces.true_labels, 0.88, seed=1))
    found = issues["index"].to_numpy()
    precision, recall = wrong[found].mean(), np.isin(np.flatnonzero(wrong), found).mean()
    assert wrong.sum() == 20
    assert recall > 0.8 and precision > 0.15
    assert average_precision(found, wrong) > 5 * wrong.mean()
    right = [CLASSES[label] for label in faces.true_labels[found]]
    assert (issues["suggested"] == right)[wrong[found]].mean() > 0.8


def test_a_model_that_knows_the_drawn_classes_finds_all_wrong_labels_and_nothing_else(faces):
    _, issues = issues_of(faces.labels, simulated(faces.true_labels, 1.0, seed=1, sharpness=12))
    assert sorted(issues["index"]) == list(np.flatnonzero(faces.labels != faces.true_labels))
    assert list(issues["suggested"]) == [CLASSES[label] for label in faces.true_labels[issues["index"]]]


def off_the_diagonal(labels, probabilities):
    """How many labels confident learning takes for wrong, in the words of the paper.

    An image counts as a class if its probability reaches the mean that this class has among the images of its label,
    and if that is so for several classes, as the most probable one of them.
    """
    thresholds = [probabilities[labels == label, label].mean() for label in range(probabilities.shape[1])]
    number = 0
    for label, row in zip(labels, probabilities, strict=True):
        confident = [place for place, share in enumerate(row) if share >= thresholds[place]]
        number += bool(confident) and max(confident, key=lambda place: row[place]) != label != row.argmax()
    return number


@pytest.mark.parametrize("accuracy", [0.4, 0.7, 0.9])
def test_issues_are_as_many_as_the_paper_counts_and_those_with_the_least_probable_labels(faces, accuracy):
    probabilities = simulated(faces.true_labels, accuracy, seed=2, sharpness=2)
    _, issues = issues_of(faces.labels, probabilities)
    of_labels = probabilities[np.arange(700), faces.labels]
    lowest = np.argsort(of_labels)[: off_the_diagonal(faces.labels, probabilities)]
    expected = lowest[probabilities[lowest].argmax(axis=1) != faces.labels[lowest]]
    assert list(issues["index"]) == list(expected)
    assert list(issues["sample"]) == [f"face {row}" for row in expected]
    assert list(issues["given"]) == [CLASSES[label] for label in faces.labels[expected]]
    np.testing.assert_allclose(issues["given_probability"], of_labels[expected])
    np.testing.assert_allclose(issues["suggested_probability"], probabilities[expected].max(axis=1))


def test_a_label_that_is_the_most_probable_class_is_no_issue():
    """Image 4 has a lower probability of its label than the three that are taken for others, and yet the highest."""
    labels = np.arange(35) % 7
    probabilities = np.eye(7)[labels] * (0.6 - 0.4 / 6) + 0.4 / 6
    for image in (1, 2, 3):
        probabilities[image] = np.eye(7)[image] * 0.28 + np.eye(7)[image + 2] * 0.72
    probabilities[4] = np.where(np.arange(7) == 4, 0.16, 0.14)
    _, issues = issues_of(labels, probabilities)
    assert len(issues) == 2 and set(issues["index"]) < {1, 2, 3}


def test_there_may_be_no_issue(tmp_path):
    labels = np.arange(35) % 7
    predictions, issues = issues_of(labels, np.eye(7)[labels] * 0.93 + 0.01)
    ranking = rank_label_issues({"cnn": issues, "fc": issues}, {"cnn": predictions, "fc": predictions}, CLASSES)
    for name, table, kinds in [("issues.csv", issues, LABEL_ISSUES), ("ranking.csv", ranking, LABEL_RANKING)]:
        write_table(table, tmp_path / name)
        assert read_table(tmp_path / name, kinds, others=TEXT, may_be_empty=True).empty
    assert list(ranking.columns) == [*LABEL_RANKING, "suggested_by_cnn", "suggested_by_fc"]


def test_a_ranking_names_the_models_their_suggestions_and_their_votes(tmp_path):
    labels = np.repeat(np.arange(7), 5)
    base = np.eye(7)[labels] * 0.79 + 0.03

    def says(**suggestions):
        """A model that is sure that some images are of other classes, e.g. image 3 of class 6 with 0.76."""
        probabilities = base.copy()
        for image, (label, share) in suggestions.items():
            row = np.full(7, (1 - share) / 6)
            row[label] = share
            probabilities[int(image[1:])] = row
        return issues_of(labels, probabilities)

    models = {
        "cnn": says(i3=(6, 0.94), i12=(1, 0.9)),
        "fc": says(i3=(6, 0.88), i12=(4, 0.97)),
        "fc_dropout": says(i3=(5, 0.97), i20=(1, 0.88)),
    }
    issues = {name: issues for name, (_, issues) in models.items()}
    tables = {name: table for name, (table, _) in models.items()}
    ranking = rank_label_issues(issues, tables, CLASSES)
    # The order of the rows plays no role.
    shuffled = {name: table.sample(frac=1, random_state=place) for place, (name, table) in enumerate(tables.items())}
    pd.testing.assert_frame_equal(rank_label_issues(issues, shuffled, CLASSES), ranking)
    write_table(ranking, tmp_path / "ranking.csv")
    read = read_table(tmp_path / "ranking.csv", LABEL_RANKING, others=TEXT).set_index("index")
    assert list(read.index) == [3, 12, 20]
    assert list(read["sample"]) == ["face 3", "face 12", "face 20"]
    assert list(read["given"]) == ["angry", "fear", "sad"]
    assert list(read["votes"]) == [3, 2, 1]
    # Two of three; the more probable one of two; the only one.
    assert list(read["suggested"]) == ["neutral", "sad", "disgust"]
    assert list(read["suggested_by_cnn"]) == ["neutral", "disgust", ""]
    assert list(read["suggested_by_fc"]) == ["neutral", "sad", ""]
    assert list(read["suggested_by_fc_dropout"]) == ["surprise", "", "disgust"]
    assert read["quality"].is_monotonic_increasing
    of_labels = {name: table[list(CLASSES)].to_numpy()[np.arange(35), labels] for name, (table, _) in models.items()}
    of_all = np.array(list(of_labels.values()))[:, [3, 12, 20]]
    assert (read["quality"] >= of_all.min(axis=0)).all() and (read["quality"] <= of_all.max(axis=0)).all()


def test_weak_models_do_not_spoil_the_ranking_of_a_good_one(faces):
    """Two of three models know nothing, and a plain mean follows them."""
    wrong = faces.labels != faces.true_labels
    of_models = {
        name: simulated(faces.true_labels, knowing, seed)
        for seed, (name, knowing) in enumerate([("good", 0.9), ("guessing", 0.0), ("guessing_too", 0.0)])
    }
    models = {name: issues_of(faces.labels, probabilities) for name, probabilities in of_models.items()}
    tables, issues = ({name: pair[place] for name, pair in models.items()} for place in (0, 1))
    ranking = rank_label_issues(issues, tables, CLASSES)
    alone = average_precision(issues["good"]["index"], wrong)
    assert average_precision(ranking["index"], wrong) > 0.95 * alone
    plain_mean = np.mean([probabilities[np.arange(700), faces.labels] for probabilities in of_models.values()], axis=0)
    assert average_precision(plain_mean.argsort(), wrong) < 0.8 * alone


def test_with_one_model_the_ranking_is_its_own(faces):
    predictions, issues = issues_of(faces.labels, simulated(faces.true_labels, 0.8, seed=4))
    ranking = rank_label_issues({"cnn": issues}, {"cnn": predictions}, CLASSES)
    assert list(ranking["index"]) == list(issues["index"])
    assert list(ranking["suggested"]) == list(ranking["suggested_by_cnn"]) == list(issues["suggested"])
    np.testing.assert_allclose(ranking["quality"], issues["given_probability"])
    assert set(ranking["votes"]) == {1}


@pytest.mark.parametrize("probabilities", [np.full((14, 7), 1 / 7), np.eye(7)[[0] * 14]], ids=["alike", "one class"])
def test_a_model_that_tells_nothing_is_no_error(probabilities):
    predictions, issues = issues_of(np.arange(14) % 7, probabilities)
    assert list(issues.columns) == list(LABEL_ISSUES)
    assert (issues["given"] != issues["suggested"]).all()
    ranking = rank_label_issues({"a": issues, "b": issues}, {"a": predictions, "b": predictions}, CLASSES)
    assert len(ranking) == len(issues)


def test_folds_come_in_any_order(faces):
    probabilities = simulated(faces.true_labels, 0.8, seed=4)
    _, issues = issues_of(faces.labels, probabilities)
    _, shuffled = issues_of(faces.labels, probabilities, order=np.random.default_rng(0).permutation(700))
    pd.testing.assert_frame_equal(issues, shuffled)
