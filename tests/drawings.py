"""Made-up tables and images, and the pictures that the tests of the figures look at."""

import numpy as np
import pandas as pd
from matplotlib.text import Text

from fercv.figures import data, leakage, predict, saliency, visualize
from fercv.figures.accuracy import accuracy_figure
from fercv.figures.calibration import calibration_figure
from fercv.figures.comparison import comparison_figure, held_out_figure
from fercv.figures.confusion import confusion_figure
from fercv.figures.mistakes import Mistakes, label_issues_figure, misclassified_figure
from fercv.visualize.verdicts import Result

EMOTIONS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
VERY_LONG_NAMES = [f"{'averylongnamewithoutaspace' * 3}"[:73] + f"-{number:03d}" for number in range(64)]
LONG_NAMES = [f"an expression of rather long name {number}" for number in range(20)]


def held_out_tables(usages=("PublicTest", "PrivateTest"), intervals=True, copies=True):
    reach = 0.03 if intervals else np.nan
    summary = pd.DataFrame(
        [("accuracy", 0.7, 0.7 - reach, 0.7 + reach, 0.6, 0.75), ("balanced_accuracy", 0.6, 0.5, 0.7, 0.5, 0.8)],
        columns=["measure", "mean", "low", "high", "minimum", "maximum"],
    )
    rows = [
        (usage, images, predictions, measure, value, value - reach, value + reach, lowest, value + 0.1, number)
        for usage in usages
        for images, number in [("all", 1200), ("without_copies", 1100)][: 1 + copies]
        for predictions, value, lowest in [("single", 0.65, 0.5), ("ensemble", 0.72, np.nan)]
        for measure in ("accuracy", "balanced_accuracy")
    ]
    columns = ["usage", "images", "predictions", "measure", "value", "low", "high", "minimum", "maximum", "rows"]
    return summary, pd.DataFrame(rows, columns=columns)


def leakage_table(models, intervals=True, copies=True):
    reach = 0.01 if intervals else np.nan
    rows = [
        (model, f"{model}_random", images, assignment, value, value - reach, value + reach, number)
        for model in models
        for images, number, gain in [("all", 28709, 0.021), ("with_copies", 2500, 0.24), ("without_copies", 26209, 0)]
        if copies or images != "with_copies"
        for assignment, value in [("grouped", 0.4), ("random", 0.4 + gain), ("difference", gain)]
    ]
    columns = ["model", "random_model", "images", "assignment", "value", "low", "high", "rows"]
    return pd.DataFrame(rows, columns=columns)


def random_images(count, size=12):
    return np.random.default_rng(5).integers(0, 256, (count, size, size)).astype(np.uint8)


def filters_of(count, images=None):
    images = random_images(count) if images is None else images
    activations = np.linspace([-0.012, 3.1], [0.034, 12.7], count)
    return visualize.filters_figure(images, "Filters of cnn in layer pool", range(count), activations, 512)


def filter_checks_of(exciting, rows):
    images = np.random.default_rng(6).normal(size=(3, len(rows), 12, 12))
    texts = np.full((3, len(rows)), "100 %, +89 sd")
    starts, below = ["noise", "grey", "mean face"], ("another fold: +0.8 sd", "fine waves: 0.81 of the energy")
    groups = [(f"{name} ascent from", starts, images, texts, below) for name in ("Plain", "Robust")]
    real = random_images(exciting * len(rows)).reshape(exciting, len(rows), 12, 12)
    names = [str(number + 1) for number in range(exciting)]
    groups.append(("Real images that excite it most", names, real, texts[:exciting], below))
    return visualize.filter_checks_figure(groups, rows, "Filters and classes of cnn, checked", "How to read it. " * 20)


def feature_map_checks_of(layers, rows):
    generator = np.random.default_rng(7)
    groups = [
        (f"block{layer}_pool\n{weights} weights", ["10\nbrows\n0.69", "3\neyes\n0.86", "112\nmouth\n0.62"], maps)
        for layer in range(layers)
        for weights, maps in zip(("trained", "random"), generator.random((2, 3, len(rows), 3, 3)), strict=True)
    ]
    title = "Feature maps of cnn, checked"
    return visualize.feature_map_checks_figure(random_images(len(rows)), rows, groups, title, "How to read it. " * 20)


def accuracy_tables(folds, epochs, kept=None):
    """Curves of some folds. With early stopping, `kept` has the epoch that each keeps; it ends two epochs later."""
    kept = kept or [epochs] * folds
    ends = [min(epochs, epoch + 2) for epoch in kept]
    histories = pd.DataFrame(
        [
            (fold, epoch, 0.5 + 0.01 * fold, 0.65 + 0.01 * fold, 0.6 + 0.01 * fold, int(epoch == kept[fold]))
            for fold in range(folds)
            for epoch in range(1, ends[fold] + 1)
        ],
        columns=["fold", "epoch", "accuracy", "clean_accuracy", "val_accuracy", "kept"],
    )
    by_epoch = histories.groupby("epoch")
    curves = pd.DataFrame({"folds": by_epoch["fold"].count()})
    for column in ("accuracy", "clean_accuracy", "val_accuracy"):
        curves[column] = by_epoch[column].mean()
        curves[f"{column}_spread"] = by_epoch[column].std()
    return histories, curves.reset_index(), 0.25


def comparison_tables(models, intervals=True):
    folds = pd.DataFrame(
        [
            (model, fold, 0.7 - 0.05 * place + 0.01 * fold, 0.6 - 0.05 * place)
            for place, model in enumerate(models)
            for fold in range(5)
        ],
        columns=["model", "fold", "accuracy", "balanced_accuracy"],
    )
    reach = 0.03 if intervals else np.nan
    summary = [
        (model, measure, mean, mean - reach, mean + reach)
        for model, means in folds.groupby("model", sort=False).mean().drop(columns="fold").iterrows()
        for measure, mean in means.items()
    ]
    differences = [
        (model, versus, measure, 0.05, 0.05 - reach, 0.05 + reach, p_adjusted if intervals else np.nan)
        for place, model in enumerate(models)
        for versus in models[place + 1 :]
        for measure, p_adjusted in (("accuracy", 0.0004), ("balanced_accuracy", 0.0618))
    ]
    return (
        folds,
        pd.DataFrame(summary, columns=["model", "measure", "mean", "low", "high"]),
        pd.DataFrame(differences, columns=["model", "versus", "measure", "mean", "low", "high", "p_adjusted"]),
        {"accuracy": 0.25, "balanced_accuracy": 1 / 7},
    )


def calibration_tables(images=(0, 3, 40, 0, 57)):
    images = np.array(images)
    share = np.arange(len(images)) / len(images)
    known = np.where(images > 0, share, np.nan)
    bins = pd.DataFrame({"from": share, "to": share + 1 / len(images), "images": images, "confidence": known + 0.1})
    bins = bins.assign(accuracy=known + 0.05, low=np.where(images > 3, known, np.nan), high=known + 0.15)
    return bins, pd.Series({"value": 0.05, "low": 0.012, "high": 0.0831, "chance": 0.0204})


def saliency_of(count, names=EMOTIONS):
    images = random_images(count)
    heat = images / 255
    masked = np.where(heat > 0.5, images, 100).astype(np.uint8)
    true = [names[index % len(names)] for index in range(count)]
    predicted = [names[(index + index % 2) % len(names)] for index in range(count)]
    captions = saliency.prediction_labels(true, predicted, np.full(count, 0.54))
    return saliency.saliency_figure(
        images,
        heat,
        masked,
        heat / 3,
        heat / 9,
        np.full(count, 0.42),
        captions,
        0.5,
        20,
        "Gradient",
        "Saliency of cnn",
        "More. " * 30,
    )


METHODS = {"gradient": "Gradient", "smooth_grad": "SmoothGrad", "integrated_gradients": "Integrated gradients"}
METHODS |= {"grad_cam": "Grad-CAM"}


def saliency_methods_of(count, methods=4, names=EMOTIONS):
    images = random_images(count)
    signed = np.random.default_rng(1).uniform(-1, 1, (methods, *images.shape))
    captions = saliency.prediction_labels(names[:count], names[:count], np.full(count, 0.54))
    return saliency.methods_figure(
        images, signed, np.abs(signed), list(METHODS.values())[:methods], captions, "Methods"
    )


def saliency_means_of(names, methods=2):
    faces = random_images(len(names)) / 255
    means = np.stack([2 * faces] * methods) if methods else np.zeros((0, *faces.shape))
    counts = np.arange(len(names)) * 100
    return saliency.means_figure(faces, means, list(METHODS.values())[:methods], names, counts, "Mean saliency of cnn")


def saliency_checks_table(methods=METHODS, layers=17, classes=EMOTIONS):
    generator, rows = np.random.default_rng(2), []

    def add(method, check, measure, place="", value=None):
        value = generator.random() if value is None else value
        rows.append((method, check, measure, place, value, value - 0.1, value + 0.1, 40))

    for method in methods:
        for measure in ("rank_correlation", "structural_similarity"):
            for layer in range(layers):
                add(method, "randomization", measure, f"block{layer}_conv1", 0.9 ** (layer + 1))
        add(method, "randomization", "rank_correlation_other_images")
        for measure in ("accuracy", "accuracy_random", "accuracy_centre"):
            add(method, "masking", measure)
        for measure in ("rank_correlation", "rank_correlation_other_images"):
            add(method, "folds", measure)
        for name in classes:
            for measure in ("heat", "area", "centre"):
                add(method, "parts_by_class", measure, name)
    for method in (*methods, "random", "centre"):
        for check in ("deletion", "insertion"):
            for share in ("0", "0.5", "1"):
                add(method, check, "probability", share)
    columns = ["method", "check", "measure", "place", "value", "low", "high", "images"]
    return pd.DataFrame(rows, columns=columns)


def saliency_checks_of(methods=4, layers=17, classes=EMOTIONS):
    methods = dict(list(METHODS.items())[:methods])
    table = saliency_checks_table(methods, layers, classes)
    found = {"randomization": "passed", "deletion": "partly", "insertion": "failed", "masking": "passed"}
    found |= {"parts": "partly"} if classes else {}
    found = {check: Result(of_check, -0.123, -0.234, 0.012) for check, of_check in found.items()}
    failed = Result("failed", 0.123, -0.012, 0.234)
    results = {method: found if place % 2 else found | {"folds": failed} for place, method in enumerate(methods)}
    return saliency.checks_figure(table, methods, results, classes, "Checks of the saliency of cnn")


def confusion_of(names):
    counts = np.random.default_rng(2).integers(0, 3000, (len(names), len(names)))
    return confusion_figure(counts, names, "Confusion matrix of cnn")


def mistakes_of(names, number=8, size=12):
    images = random_images(8, size)
    rows = {
        name: Mistakes(images[:count], (names[::-1] * 8)[:count], np.linspace(1, 0.3, count), 12 * place)
        for place, name in enumerate(names)
        for count in [number - place % 3]
    }
    return misclassified_figure(rows, "Most confident mistakes of cnn, by true class", 8)


def label_issues_of(count, names=EMOTIONS, models=3, size=12):
    issues = pd.DataFrame(
        {
            "given": [names[place % len(names)] for place in range(count)],
            "suggested": [names[(place + 1) % len(names)] for place in range(count)],
            "votes": [place % models + 1 for place in range(count)],
        }
    )
    return label_issues_figure(random_images(count, size), issues, 30 * count, models)


def audit_of(sizes, names, title="Audit of 1,800 images", height=12):
    """The sizes of the groups, for each section."""
    images = np.random.default_rng(5).integers(0, 256, (8, height, 12)).astype(np.uint8)
    sections = {
        heading: [
            data.ImageGroup("12 images, 8 shown", images[:size], (names * 8)[:size], range(35880, 35880 + size))
            for size in of_section
        ]
        for heading, of_section in sizes.items()
    }
    return data.audit_figure(sections, title, height / 12)


def new_images_of(count, names=EMOTIONS):
    rows = [(f"some/{names[0]}_{row}.png", names[row % len(names)], 0.5, 0.95) for row in range(count)]
    table = pd.DataFrame(rows, columns=["source", "predicted", "confidence", "agreement"])
    return predict.new_images_figure(random_images(count), table, 4 * count, "cnn", 20)


DRAWINGS = {
    "samples": lambda: data.samples_figure({name: random_images(12) for name in EMOTIONS}, "Samples"),
    "samples, 64 names of 77 characters": lambda: data.samples_figure(
        {name: random_images(12) for name in VERY_LONG_NAMES}, "Samples", note="A note."
    ),
    "samples, few, long names": lambda: data.samples_figure(
        {name: random_images(2) for name in LONG_NAMES[:2]}, "A title that goes on and on " * 8
    ),
    "new images": lambda: new_images_of(20),
    "new images, long names": lambda: new_images_of(3, VERY_LONG_NAMES),
    "audit": lambda: audit_of({"Different labels: 6 groups": [2, 3, 2], "Equal": [8, 8, 3], "Near": [2] * 6}, EMOTIONS),
    "audit, nothing found": lambda: audit_of({"Different labels": [], "Equal": [], "Near": []}, EMOTIONS),
    "audit, one pair of high images": lambda: audit_of({"Different labels": [], "Equal": [2]}, EMOTIONS, height=30),
    "audit, names of 77 characters": lambda: audit_of({"Equal": [8] * 4, "Near": []}, VERY_LONG_NAMES, "A title " * 40),
    "accuracy": lambda: accuracy_figure(*accuracy_tables(4, 30), "Accuracy of cnn"),
    "accuracy, early stopping": lambda: accuracy_figure(*accuracy_tables(4, 12, kept=[6, 9, 7, 10]), "Accuracy of cnn"),
    "accuracy, one epoch": lambda: accuracy_figure(*accuracy_tables(20, 1), "Accuracy of cnn"),
    "accuracy, one fold": lambda: accuracy_figure(*accuracy_tables(1, 2), "Accuracy of cnn"),
    "confusion": lambda: confusion_of(EMOTIONS),
    "confusion, two classes": lambda: confusion_of(["left", "right"]),
    "confusion, twenty long names": lambda: confusion_of(LONG_NAMES),
    "confusion, 24 classes": lambda: confusion_of([f"class {number}" for number in range(24)]),
    "confusion, 64 classes": lambda: confusion_of([f"class {number}" for number in range(64)]),
    "confusion, 64 names of 77 characters": lambda: confusion_of(VERY_LONG_NAMES),
    "mistakes": lambda: mistakes_of(EMOTIONS),
    "mistakes, two classes": lambda: mistakes_of(["left", "right"]),
    "mistakes, few": lambda: mistakes_of(EMOTIONS, 3, 48),
    "mistakes, none": lambda: mistakes_of(["left"]),
    "mistakes, 64 names of 77 characters": lambda: mistakes_of(VERY_LONG_NAMES),
    "label issues": lambda: label_issues_of(40),
    "label issues, one model, large images": lambda: label_issues_of(3, models=1, size=48),
    "label issues, none": lambda: label_issues_of(0),
    "label issues, 64 names of 77 characters": lambda: label_issues_of(40, VERY_LONG_NAMES),
    "calibration": lambda: calibration_figure(*calibration_tables(), "Calibration of cnn"),
    "calibration, one bin": lambda: calibration_figure(
        calibration_tables([0, 1])[0],
        pd.Series({"value": 0.3, "low": np.nan, "high": np.nan, "chance": np.nan}),
        f"Calibration of {'a_model_with_a_name' * 4}",
    ),
    "comparison": lambda: comparison_figure(*comparison_tables(["cnn", "fc", "fc_dropout"])),
    "comparison, one model": lambda: comparison_figure(*comparison_tables(["cnn"])),
    "comparison, no intervals": lambda: comparison_figure(*comparison_tables(["cnn", "fc"], intervals=False)),
    "comparison, six long names": lambda: comparison_figure(*comparison_tables(LONG_NAMES[:6])),
    "comparison, eight models": lambda: comparison_figure(*comparison_tables(LONG_NAMES[:8])),
    "comparison, names of 64 characters": lambda: comparison_figure(
        *comparison_tables([f"{'a_model_with_a_name' * 4}"[:63] + end for end in "ab"])
    ),
    "held out": lambda: held_out_figure(*held_out_tables(), "cnn: cross-validation and held-out images"),
    "held out, three sets": lambda: held_out_figure(
        *held_out_tables(("PublicTest", "PrivateTest", "Test")), f"{'a_model_with_a_name' * 4}: held-out images"
    ),
    "held out, no intervals": lambda: held_out_figure(*held_out_tables(("Test",), False, False), "Held out"),
    "leakage": lambda: leakage.leakage_figure(leakage_table(["cnn", "fc"])),
    "leakage, no intervals": lambda: leakage.leakage_figure(leakage_table(["fc"], False, False)),
    "leakage, names of 64 characters": lambda: leakage.leakage_figure(
        leakage_table([f"{'a_model_with_a_name' * 4}"[:63] + end for end in "ab"])
    ),
    "saliency": lambda: saliency_of(7),
    "saliency, one image": lambda: saliency_of(1),
    "saliency, long names": lambda: saliency_of(10, LONG_NAMES),
    "saliency, names of 77 characters": lambda: saliency_of(4, VERY_LONG_NAMES),
    "saliency methods": lambda: saliency_methods_of(7),
    "saliency methods, one, long names": lambda: saliency_methods_of(2, 1, VERY_LONG_NAMES),
    "saliency means": lambda: saliency_means_of(EMOTIONS),
    "saliency means, 20 long names": lambda: saliency_means_of(LONG_NAMES),
    "saliency means, no method": lambda: saliency_means_of(EMOTIONS[:2], 0),
    "saliency checks": lambda: saliency_checks_of(),
    "saliency checks, no parts, many layers": lambda: saliency_checks_of(1, 120, []),
    "filters": lambda: filters_of(64),
    "filters, many": lambda: filters_of(512),
    "filters, one": lambda: filters_of(1),
    "filter checks": lambda: filter_checks_of(3, ["block4_pool\n0", "angry"]),
    "filter checks, one image of long names": lambda: filter_checks_of(1, [name[:13] for name in VERY_LONG_NAMES[:12]]),
    "feature map checks": lambda: feature_map_checks_of(2, EMOTIONS),
    "feature map checks, no layer": lambda: feature_map_checks_of(0, EMOTIONS[:2]),
    "feature map checks, one layer": lambda: feature_map_checks_of(1, EMOTIONS),
    "feature map checks, three layers": lambda: feature_map_checks_of(3, [name[:12] for name in LONG_NAMES[:3]]),
    "feature maps": lambda: visualize.feature_maps_figure(
        random_images(1)[0], np.random.default_rng(1).random((3, 3, 100)), "Feature maps of layer conv2_pool"
    ),
}


def texts_of(figure):
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]
