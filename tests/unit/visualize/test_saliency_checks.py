"""Checks of saliency on models and maps whose answers are known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fercv.data.preprocessing import standardize
from fercv.data.tables import SALIENCY_CHECKS, read_table, write_table
from fercv.engine.backend import keras
from fercv.visualize.saliency import Settings, explain, heat_of, saliency_maps
from fercv.visualize.saliency_checks import (
    SHARES,
    Values,
    centre_heat,
    check_folds,
    check_images,
    check_parts,
    check_weights,
    deletion_and_insertion,
    hottest_first,
    rank_correlation,
    shuffled_from_the_top,
    structural_similarity,
    summarize,
    with_pixels,
)
from fercv.visualize.saliency_study import Plan, choose_checked, study_folds
from fercv.visualize.verdicts import results_of, verdict

layers = keras.layers
SIZE = 16
# The model sees this patch alone. It is not in the centre, and a ninth of the image is as large.
PATCH = (slice(1, 6), slice(9, 14))
GENTLE = Settings(64, samples=4, steps=4)


def random_maps(n, seed=0, size=SIZE):
    return np.random.default_rng(seed).random((n, size, size)).astype(np.float32)


def values_of(rows, **wanted):
    """The values of the only row with these fields."""
    (found,) = [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]
    return found.values


def make_faces(n=24, contrast=70):
    """Noise, with a bright (class 1) or a dark (class 0) patch."""
    generator = np.random.default_rng(3)
    images, labels = generator.normal(128, 12, (n, SIZE, SIZE)), np.arange(n) % 2
    images[:, *PATCH] += np.where(labels, contrast, -contrast)[:, None, None]
    return images.clip(0, 255).astype(np.uint8), labels


def make_classifier(shuffle=None):
    """A linear model that sums up the patch. With a seed to shuffle by, it has the same weights at random places."""
    weights = np.zeros((SIZE, SIZE, 2), dtype=np.float32)
    weights[PATCH] = np.array([-0.06, 0.06]) * np.linspace(0.7, 1.3, 25).reshape(5, 5, 1)
    weights += np.random.default_rng(6).normal(0, 0.0006, weights.shape)
    if shuffle is not None:
        weights = np.random.default_rng(shuffle).permuted(weights.reshape(-1, 2), axis=0).reshape(weights.shape)
    inputs = layers.Input((SIZE, SIZE, 1))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax", name="scores")(layers.Flatten()(inputs)))
    model.set_weights([weights.reshape(-1, 2), np.zeros(2)])
    return model


def test_rank_correlation_knows_order_alone():
    maps = random_maps(2)
    pairs = rank_correlation(np.stack([maps[0], maps[0], maps[0]]), np.stack([maps[0] ** 3, -maps[0], maps[1]]))
    np.testing.assert_allclose(pairs[:2], [1, -1])
    assert abs(pairs[2]) < 0.2
    assert rank_correlation(maps[:1], np.ones((1, SIZE, SIZE))).tolist() == [0]


def test_rank_correlation_is_scipys_with_ties():
    from scipy.stats import spearmanr

    first, second = np.round(4 * random_maps(3)), np.round(4 * random_maps(3, seed=1))
    expected = [spearmanr(*pair).statistic for pair in zip(first.reshape(3, -1), second.reshape(3, -1), strict=True)]
    np.testing.assert_allclose(rank_correlation(first, second), expected)


def test_structural_similarity_is_tensorflows_inside_of_the_border():
    """TensorFlow leaves the border out, where the window does not fit."""
    import tensorflow as tf

    first = random_maps(3, size=64)
    second = np.clip(first + 0.3 * random_maps(3, seed=1, size=64), 0, 1)
    expected = tf.image.ssim(first[..., None], second[..., None], max_val=1.0).numpy()
    np.testing.assert_allclose(structural_similarity(first, second), expected, atol=0.02)
    np.testing.assert_allclose(structural_similarity(first, first), 1)


def test_shuffling_goes_from_the_scores_down_and_keeps_every_value():
    keras.utils.set_random_seed(1)
    inputs = layers.Input((8, 8, 1))
    x = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 3, name="conv")(inputs))
    x = layers.Dense(5, name="hidden")(layers.Flatten()(x))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax", name="scores")(x))
    # Channel c of the normalization has the weights 10 + c, 20 + c, 30 + c and 40 + c.
    model.get_layer("norm").set_weights([10.0 * part + np.arange(4) for part in (1, 2, 3, 4)])
    before = {layer.name: layer.get_weights() for layer in model.layers}
    changed = []
    for name in shuffled_from_the_top(model, seed=4):
        changed.append(name)
        touched = [
            layer.name for layer in model.layers
            if any((new != old).any() for new, old in zip(layer.get_weights(), before[layer.name], strict=True))
        ]  # fmt: skip
        assert touched == [each for each in before if each in {*changed, *(["norm"] if "conv" in changed else [])}]
        if name == "conv":
            np.testing.assert_allclose(np.diff(model.get_layer("norm").get_weights(), axis=0), 10)
            for layer in model.layers:
                for new, old in zip(layer.get_weights(), before[layer.name], strict=True):
                    np.testing.assert_array_equal(np.sort(new, axis=None), np.sort(old, axis=None))
    assert changed == ["scores", "hidden", "conv"]
    for layer in model.layers:
        for new, old in zip(layer.get_weights(), before[layer.name], strict=True):
            np.testing.assert_array_equal(new, old)


def test_the_hottest_pixels_come_first_and_equal_ones_at_random():
    heat = np.zeros((2, 3, 3))
    heat[:, 2, 1], heat[:, 0, 2] = 1, 0.5
    orders = hottest_first(heat, np.random.default_rng(0))
    assert orders[:, :2].tolist() == [[7, 2], [7, 2]]
    assert sorted(orders[0]) == list(range(9))
    assert orders[0].tolist() != orders[1].tolist()


def test_the_blob_is_hottest_in_the_centre():
    heat = centre_heat((5, 7))
    assert np.unravel_index(heat.argmax(), heat.shape) == (2, 3)
    np.testing.assert_allclose(heat, heat[::-1, ::-1])
    np.testing.assert_allclose(heat[2, 0], np.exp(-2))


def test_pixels_are_deleted_or_kept_alone():
    images = np.array([[[0, 10], [20, 91]]], dtype=np.uint8)
    order = np.array([[3, 0, 1, 2]])
    assert with_pixels(images, order, [1], deleted=True).tolist() == [[[0, 10], [20, 30]]]
    assert with_pixels(images, order, [2], deleted=False).tolist() == [[[0, 30], [30, 91]]]


def test_deletion_and_insertion_by_hand():
    """The probability of class 1 is the share of the pixels that are white. The mean of the image is dark."""
    images = np.zeros((1, 10, 10), dtype=np.uint8)
    images[0, :2] = 255
    orders = np.stack([np.arange(100)[None], np.arange(100)[None, ::-1]])

    def predict_images(shown):
        white = (shown == 255).mean(axis=(1, 2))
        return np.stack([1 - white, white], axis=1)

    curves = deletion_and_insertion(predict_images, images, np.array([1]), orders)
    assert curves.shape == (2, 2, 1, len(SHARES))
    np.testing.assert_allclose(curves[0, 0, 0], [0.2, 0.1, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(curves[0, 1, 0], [0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0])
    np.testing.assert_allclose(curves[1, 0, 0], [0, 0.1, 0.2, 0.2, 0.2, 0.2, 0.2])
    np.testing.assert_allclose(curves[1, 1, 0], [0, 0, 0, 0, 0, 0, 0.2])


def test_parts_get_their_share_of_the_heat():
    heat = np.zeros((2, 4, 4), dtype=np.float32)
    heat[0, 0, 0], heat[0, 3, 3] = 3, 1
    mask = np.zeros((2, 4, 4), dtype=bool)
    mask[:, 0] = True
    rows = check_parts({"gradient": heat}, np.array([0, 1]), ["a", "b"], {"eyes": mask, "mouth": ~mask & False})
    assert values_of(rows, check="parts", measure="heat", place="eyes").tolist() == [0.75, 0.25]
    assert values_of(rows, check="parts", measure="area", place="all").tolist() == [0.25, 0.25]
    assert values_of(rows, check="parts", measure="minus_area", place="eyes").tolist() == [0.5, 0]
    assert values_of(rows, check="parts_by_class", measure="heat", place="a").tolist() == [0.75]
    assert values_of(rows, check="parts", measure="heat", place="mouth").tolist() == [0, 0]


def test_agreement_of_folds_is_the_mean_over_pairs():
    heats = random_maps(12).reshape(4, 3, SIZE, SIZE)
    heats[:, 0] = heats[0, 0]
    same, rows = check_folds("gradient", heats)
    pairs = [(first, second) for first in range(4) for second in range(4) if first != second]
    expected = [rank_correlation(heats[first], heats[second]) for first, second in pairs]
    np.testing.assert_allclose(same, np.mean(expected, axis=0), atol=1e-12)
    assert same[0] == pytest.approx(1)
    expected = [
        np.mean(
            [rank_correlation(heats[a, [image]], heats[b, [other]]) for a, b in pairs for other in {0, 1, 2} - {image}]
        )
        for image in range(3)
    ]
    np.testing.assert_allclose(values_of(rows, measure="rank_correlation_other_images"), expected, atol=1e-12)


def test_the_table_has_means_and_intervals_over_all_folds(tmp_path):
    rows = [Values("gradient", "masking", "accuracy", "", np.array(values)) for values in ([1.0, 0], [0.0, 0, 1])]
    table = summarize([*rows, Values("grad_cam", "folds", "rank_correlation", "", np.array([0.5]))])
    assert table["value"].tolist() == [0.4, 0.5]
    assert table["images"].tolist() == [5, 1]
    expected = stats.t(4, 0.4, stats.sem([1, 0, 0, 0, 1])).interval(0.95)
    assert table.loc[0, ["low", "high"]].tolist() == pytest.approx(list(expected))
    assert table.loc[1, ["low", "high"]].isna().all()
    write_table(table, tmp_path / "checks.csv")
    assert read_table(tmp_path / "checks.csv", SALIENCY_CHECKS).equals(table)


def test_checked_images_take_all_classes_in_turn():
    rows = pd.DataFrame({"index": range(8), "label": [0, 0, 0, 0, 1, 1, 2, 2]})
    chosen = [choose_checked(rows, 2, fold, classes=3)["label"].tolist() for fold in range(3)]
    assert chosen == [[0, 1], [2, 0], [1, 2]]
    assert sorted(choose_checked(rows, 99, 0, classes=3)["index"]) == list(range(8))


def study(model, shuffled=False, methods=("gradient", "integrated_gradients")):
    """The study of two folds, whose models are the same. The patch is so faint that a few of its pixels say little."""
    images, labels = make_faces(contrast=6)
    predicted = np.array([0, 1] * 12) if not shuffled else labels
    rows = pd.DataFrame({"index": range(24), "label": labels, "predicted": predicted})
    masks = np.zeros(images.shape, dtype=bool)
    masks[:, *PATCH] = True
    plan = Plan(np.arange(4), labels[:4], 0, methods, ["gradient"], 12, 0.5, None, GENTLE)
    folds = [rows.iloc[:12], rows.iloc[12:]]
    return study_folds([model, model], folds, images, ["dark", "bright"], {"patch": masks}, plan)


def found_by(checks, method):
    return {check: result.found for check, result in results_of(checks, method).items()}


@pytest.fixture(scope="module")
def studies():
    """Of a model that looks at the patch, and of some whose weights are shuffled."""
    return study(make_classifier()), *(study(make_classifier(seed), shuffled=True) for seed in range(4))


@pytest.mark.parametrize("method", ["gradient", "integrated_gradients"])
def test_a_model_that_looks_at_known_pixels_passes_what_compares_pixels(studies, method):
    results = found_by(studies[0].checks, method)
    assert {check: results[check] for check in ("deletion", "insertion", "parts")} == dict.fromkeys(
        ("deletion", "insertion", "parts"), "passed"
    )
    assert results["masking"] in ("passed", "partly")
    assert results["randomization"] == "passed"


@pytest.mark.parametrize("method", ["gradient", "integrated_gradients"])
def test_a_model_of_shuffled_weights_fails_visibly(studies, method):
    """By chance, the largest weights of one shuffle may come to lie on the patch; most shuffles fail every check."""
    shuffled = studies[1:]
    results = [found_by(found.checks, method) for found in shuffled]
    for check in ("deletion", "insertion", "masking", "parts"):
        assert [found[check] for found in results].count("failed") >= 3
    key = [method, "parts", "heat", "all"]
    shares = [found.checks.set_index(["method", "check", "measure", "place"])["value"].loc[*key] for found in studies]
    assert shares[0] > 0.5 and max(shares[1:]) < 0.2
    assert "the parts of the face" in verdict(shuffled[0].checks, method).partition("fails")[2]


def test_the_mean_map_of_a_class_is_that_of_its_images(studies):
    found = studies[0]
    assert found.mean_images.tolist() == [12, 12]
    images, labels = make_faces(contrast=6)
    for label in (0, 1):
        np.testing.assert_allclose(found.mean_faces[label], images[labels == label].mean(axis=0))
    np.testing.assert_allclose(found.means["gradient"].mean(axis=(1, 2)), 1, rtol=1e-5)
    heat = np.abs(make_classifier().get_weights()[0].T.reshape(2, SIZE, SIZE))
    np.testing.assert_allclose(found.means["gradient"], heat / heat.mean(axis=(1, 2), keepdims=True), rtol=1e-4)


def test_maps_of_equal_models_agree(studies):
    np.testing.assert_allclose(studies[0].agreement["gradient"], 1)
    assert studies[0].fold_heats["gradient"].shape == (2, 4, SIZE, SIZE)
    np.testing.assert_allclose(
        studies[0].fold_heats["gradient"][0], heat_of("gradient", studies[0].maps["gradient"]), rtol=1e-6
    )


def test_only_images_that_are_classified_correctly_are_in_the_means():
    images, labels = make_faces(4)
    rows = pd.DataFrame({"index": range(4), "label": labels, "predicted": [0, 0, 1, 1]})
    plan = Plan(np.arange(2), labels[:2], 1, ["gradient"], ["gradient"], 1, 0.5, None, GENTLE)
    model = make_classifier()
    found = study_folds([model, model], [rows.iloc[:2], rows.iloc[2:]], images, ["dark", "bright"], {}, plan)
    assert found.mean_images.tolist() == [1, 1]
    np.testing.assert_allclose(found.mean_faces, images[[0, 3]])
    assert not set(found.checks["check"]) & {"parts", "parts_by_class"}


def test_weights_that_do_not_matter_fail_the_check_of_shuffled_weights():
    """The heat is the image itself, whatever the weights: integrated gradients of the square of each pixel."""
    inputs = layers.Input((SIZE, SIZE, 1))
    x = layers.Flatten()(layers.Multiply()([inputs, inputs]))
    model = keras.Model(inputs, layers.Dense(2, activation="softmax")(x))
    model.set_weights([np.ones((SIZE * SIZE, 2)), np.zeros(2)])
    images = standardize(make_faces(8)[0])
    rows = check_weights(explain(model), ["integrated_gradients"], images, np.zeros(8, int), GENTLE)
    np.testing.assert_allclose(values_of(rows, measure="rank_correlation"), 1)
    np.testing.assert_allclose(values_of(rows, measure="structural_similarity"), 1, atol=1e-5)
    assert found_by(summarize(rows), "integrated_gradients") == {"randomization": "failed"}


def test_checks_by_prediction_see_what_the_model_needs():
    model, (images, labels) = make_classifier(), make_faces(8)
    maps = saliency_maps("gradient", explain(model), standardize(images), labels, GENTLE)
    rows = check_images(model, {"gradient": heat_of("gradient", maps)}, images, labels, 0.5, seed=1)
    assert (values_of(rows, method="gradient", check="masking", measure="accuracy") == 1).all()
    kept = values_of(rows, method="gradient", measure="kept")
    np.testing.assert_allclose(kept, 25 / SIZE**2)
    assert (values_of(rows, method="gradient", check="insertion", measure="minus_random") > 0).all()
    assert (values_of(rows, method="gradient", check="deletion", measure="minus_random") < 0).all()


def verdict_table(**differences):
    """A table of one method with the given intervals, by check and measure."""
    rows = [
        ("gradient", key.split("__")[0], key.split("__")[1], "", (low + high) / 2, low, high, 9)
        for key, (low, high) in differences.items()
    ]
    return pd.DataFrame(rows, columns=list(SALIENCY_CHECKS))


@pytest.mark.parametrize(
    ("check", "chance", "sign"),
    [
        ("deletion", "minus_random", -1), ("insertion", "minus_random", 1), ("masking", "minus_random", 1),
        ("parts", "minus_area", 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("random", "centre", "result"),
    [
        ((0.1, 0.2), (0.1, 0.2), "passed"),
        ((0.1, 0.2), (-0.1, 0.2), "partly"),
        ((0.1, 0.2), (0.0, 0.2), "partly"),
        ((-0.1, 0.2), (0.1, 0.2), "failed"),
        ((-0.2, -0.1), (-0.2, -0.1), "failed"),
    ],
)
def test_a_check_is_passed_where_the_intervals_are_on_its_good_side(check, chance, sign, random, centre, result):
    intervals = {chance: random, "minus_centre": centre}
    turned = {f"{check}__{name}": sorted((sign * low, sign * high)) for name, (low, high) in intervals.items()}
    assert found_by(verdict_table(**turned), "gradient") == {check: result}


@pytest.mark.parametrize(
    ("random", "centre", "deciding"),
    [
        ((0.1, 0.2), (0.3, 0.4), (0.1, 0.2)),
        ((0.3, 0.4), (-0.1, 0.2), (-0.1, 0.2)),
        ((-0.1, 0), (-0.3, -0.2), (-0.1, 0)),
    ],
)
def test_the_difference_that_decides_a_check_is_told(random, centre, deciding):
    """That to chance where the method does not beat it, otherwise the one that it beats by less."""
    table = verdict_table(insertion__minus_random=random, insertion__minus_centre=centre)
    assert results_of(table, "gradient")["insertion"][1:] == (sum(deciding) / 2, *deciding)


@pytest.mark.parametrize(("interval", "result"), [((0.1, 0.2), "passed"), ((-0.1, 0.2), "failed")])
def test_folds_agree_where_their_maps_are_more_alike_than_those_of_other_images(interval, result):
    assert found_by(verdict_table(folds__minus_other_images=interval), "gradient") == {"folds": result}


def test_a_single_part_of_the_face_or_another_method_decides_nothing():
    bad, good = (
        verdict_table(parts__minus_area=interval, parts__minus_centre=interval)
        for interval in ((-0.2, -0.1), (0.1, 0.2))
    )
    table = pd.concat([good.assign(place="all"), bad.assign(place="mouth"), bad.assign(method="grad_cam", place="all")])
    assert found_by(table, "gradient") == {"parts": "passed"}
    assert found_by(table, "grad_cam") == {"parts": "failed"}


def test_a_verdict_names_the_checks_by_their_results():
    good, bad = (0.1, 0.2), (-0.2, -0.1)
    table = verdict_table(
        randomization__minus_other_images=(np.nan, np.nan), deletion__minus_random=bad, deletion__minus_centre=good,
        insertion__minus_random=good, insertion__minus_centre=good, masking__minus_random=bad,
        masking__minus_centre=bad, folds__minus_other_images=good,
    )  # fmt: skip
    assert verdict(table, "gradient") == (
        "passes insertion, the agreement of the folds; beats chance, but is not better than a blob in the centre, in "
        "deletion; fails masking"
    )


@pytest.mark.parametrize(
    ("interval", "result"), [((-0.2, -0.1), "passed"), ((-0.1, 0.1), "passed"), ((0.1, 0.2), "failed")]
)
def test_shuffled_weights_fail_a_map_that_stays_itself(interval, result):
    assert found_by(verdict_table(randomization__minus_other_images=interval), "gradient") == {"randomization": result}


def test_a_verdict_without_intervals_says_so():
    table = verdict_table(masking__minus_random=(np.nan, np.nan), masking__minus_centre=(np.nan, np.nan))
    assert verdict(table, "gradient") == "there are too few images to say anything"
