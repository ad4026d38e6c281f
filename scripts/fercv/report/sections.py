"""What stands on the page report.html, in which order: the one list to extend when an experiment has a new result.

A file that the experiment does not make is left out, and so is a section of which nothing is left. It imports the
standard library only, since the Snakefile needs it at every start.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Picture(NamedTuple):
    """Pictures on the page.

    file: path below the experiment's folder. `{model}` and `{layer}` in it stand for every model and layer.
    title: what the picture shows, also for who cannot see it; with the same names in braces.
    caption: name of its caption in the folder `report`, without `.rst`. Snakemake's own report has the same one.
    """

    file: str
    title: str
    caption: str


class Table(NamedTuple):
    """A table on the page. Where each model has a csv, the table holds the rows of all of them.

    file: path of the csv below the experiment's folder, with `{model}` in it where each model has one.
    title: what the table is.
    text: what its rows and columns are, as far as their names do not say it.
    columns: those that are shown; none stands for all.
    """

    file: str
    title: str
    text: str = ""
    columns: Sequence[str] = ()


class Computed(NamedTuple):
    """A part of the page that is no file: the function of this name in `fercv.report.computed` makes it."""

    name: str


class Section(NamedTuple):
    """A section of the page: its heading, a sentence on what it is about, and its parts in their order."""

    title: str
    text: str
    parts: Sequence[Picture | Table | Computed]


SECTIONS = (
    Section(
        "Summary",
        "",
        (Computed("headline"), Computed("key_figures"), Picture("comparison.png", "The models compared", "comparison")),
    ),
    Section(
        "Data",
        "What the models learn from and are tested on, and what in it could make the scores wrong.",
        (
            Picture("data/samples.png", "The first training images of each class", "samples"),
            Picture("data/audit.png", "Copies of images, and labels that contradict each other", "audit"),
            Table(
                "data/audit.csv",
                "What the audit found",
                "Each row is a finding. The samples are images or, where the finding says so, pairs of images. A "
                "distance counts the bits in which the perceptual hashes of two images differ.",
                ("kind", "samples", "share", "distance", "finding"),
            ),
        ),
    ),
    Section(
        "Accuracy",
        "How often the models are right on images that they were not trained on, and how they came there.",
        (
            Picture("{model}/accuracy.png", "Accuracy of {model} over the epochs", "accuracy"),
            Table(
                "{model}/summary.csv",
                "Measures, as means over the folds",
                "The intervals count in that other training images would have given other models. Chance is what one "
                "gets without looking at the images: by always naming the most frequent class, and for the log loss by "
                "giving each class its share.",
            ),
            Table(
                "{model}/pooled_metrics.csv",
                "Measures of the predictions of all folds together",
                "The intervals take the trained models as they are. Exact copies of an image, and what "
                "folds.groups keeps together, are one group. For the "
                "calibration error, chance is the error that chance alone would give.",
            ),
            Table(
                "{model}/per_class.csv",
                "Each class",
                "On the predictions of all folds together. The support is the number of images of the class, predicted "
                "the number of images that were taken for it.",
            ),
            Table("{model}/metrics.csv", "Measures of each fold", "The column n has the number of images of the fold."),
        ),
    ),
    Section(
        "Confusion",
        "Which classes are taken for which.",
        (
            Picture("{model}/confusion_matrix.png", "Confusion matrix of {model}", "confusion_matrix"),
            Table(
                "{model}/confusion_matrix.csv",
                "Confusion matrices as numbers",
                "A row for each true class, a column for each predicted one.",
            ),
        ),
    ),
    Section(
        "Comparison",
        "Whether the models differ by more than chance.",
        (
            Table(
                "comparison.csv",
                "Models, and differences between models",
                "A row with a model under versus has the mean difference, model minus versus, over the folds of both. "
                "A difference is called real if its adjusted p is below 0.05.",
            ),
            Picture("ensembles.png", "Averages of two models", "ensembles"),
            Table(
                "ensembles.csv",
                "Averages of two models, and their differences from both",
                "A row with a model under versus has the mean difference, average minus model, over the folds.",
            ),
            Picture("factors.png", "What the settings do in which the models differ", "factors"),
            Table("factor_effects.csv", "What each setting changes"),
            Table("factors.csv", "Accuracies by setting"),
            Picture("leakage.png", "Grouped and random folds", "leakage"),
            Table("leakage.csv", "What leaks between random folds are worth"),
        ),
    ),
    Section(
        "Mistakes",
        "Images that the models are wrong about, and sure of it.",
        (
            Computed("mistakes"),
            Picture("{model}/misclassified.png", "The most confident mistakes of {model}", "misclassified"),
            Table(
                "{model}/misclassified.csv",
                "All mistakes",
                "The most confident mistakes of each model come first. The probability is that of the predicted class.",
            ),
        ),
    ),
    Section(
        "Calibration",
        "Whether a model is right as often as it says it is.",
        (
            Picture("{model}/calibration.png", "Reliability diagram of {model}", "calibration"),
            Table("{model}/calibration.csv", "Bins of confidence"),
        ),
    ),
    Section(
        "Label issues",
        "Labels that may be wrong, the most suspicious first. Look at the images before you believe it. The list of a "
        "model that is often wrong itself is long, and says little.",
        (
            Picture("label_issues.png", "The most suspicious labels", "label_issues"),
            Table(
                "label_issues.csv",
                "Suspicious labels",
                "The most suspicious ones come first. The votes are the models that find the label suspicious, the "
                "quality is the probability that the models give to the label.",
            ),
        ),
    ),
    Section(
        "Saliency",
        "Which pixels the models react to.",
        (
            Picture("{model}/saliency.png", "What {model} looks at", "saliency"),
            Picture("{model}/saliency_methods.png", "The same by every method", "saliency_methods"),
            Picture("{model}/saliency_means.png", "Where {model} looks for each class", "saliency_means"),
            Picture("{model}/saliency_checks.png", "What the checks say of these maps", "saliency_checks"),
            Computed("verdicts"),
            Table(
                "{model}/saliency_checks.csv",
                "The checks of the maps as numbers",
                "Each value is a mean over images. The place is a layer, a share of the pixels, a part of the face or "
                "a class.",
            ),
        ),
    ),
    Section(
        "Filters",
        "What single filters of a layer react to.",
        (
            Picture("{model}/filters_{layer}.png", "Filters of the layer {layer} of {model}", "filters"),
            Picture("{model}/filter_checks.png", "Filters and classes of {model}, checked", "filter_checks"),
            Table(
                "{model}/filter_checks.csv",
                "The checks of the filters as numbers",
                "How strongly each image excites its filter, compared with real images, and the most similar filter "
                "of another fold's model.",
            ),
        ),
    ),
    Section(
        "Feature maps",
        "What a layer makes of one image.",
        (
            Picture("{model}/feature_maps_{layer}.png", "Feature maps of the layer {layer} of {model}", "feature_maps"),
            Picture("{model}/feature_map_checks.png", "Feature maps of several images", "feature_map_checks"),
            Table(
                "{model}/feature_map_checks.csv",
                "How well single maps tell the parts of a face from the rest",
                "As area under the ROC curve: 0.5 is chance. Only where it is known where the parts are.",
            ),
        ),
    ),
    Section(
        "Held-out test",
        "How good the models are on images that no model was trained or validated on. These figures decide nothing.",
        (
            Picture("{model}/held_out.png", "{model} on the held-out images", "held_out"),
            Table(
                "{model}/held_out_metrics.csv",
                "Measures on the held-out images",
                "Single stands for the models of the folds, each alone; ensemble for the mean of their probabilities; "
                "difference for ensemble minus single.",
                ("usage", "images", "predictions", "measure", "value", "low", "high", "standard_deviation", "rows"),
            ),
        ),
    ),
    Section(
        "New images",
        "What the models say of images whose labels are unknown.",
        (Picture("{model}/new_images.png", "What {model} says of the new images", "new_images"),),
    ),
    Section(
        "Run time",
        "What the training took. Two runs of the same experiment differ in nothing but their times.",
        (Computed("run_times"),),
    ),
    Section("Files", "All of this page comes from files in the folder in which it lies.", (Computed("folders"),)),
)


def matching(pattern: str, files: Iterable[str], models: Sequence[str]) -> dict[str, dict[str, str]]:
    """Which files a part of the page shows.

    Args:
        pattern: `file` of a Picture or a Table.
        files: paths below the experiment's folder.
        models: the experiment's models.

    Returns:
        For each of the files that fits: what `{model}` and `{layer}` stand for. Models come in their order.
    """
    kinds = {"{model}": f"(?P<model>{'|'.join(map(re.escape, models))})", "{layer}": "(?P<layer>[^/]+)"}
    parts = re.split(r"(\{model\}|\{layer\})", pattern)
    expression = re.compile("".join(kinds.get(part) or re.escape(part) for part in parts))
    found = {file: match.groupdict() for file in files if (match := expression.fullmatch(file))}
    return dict(sorted(found.items(), key=lambda item: models.index(item[1]["model"]) if "model" in item[1] else 0))


def shown_files(files: Iterable[str], models: Sequence[str]) -> list[str]:
    """Those of the files that some part of the page shows, each once, in the order of the page."""
    files = list(files)
    patterns = [part.file for section in SECTIONS for part in section.parts if not isinstance(part, Computed)]
    return list(dict.fromkeys(file for pattern in patterns for file in matching(pattern, files, models)))


def captions() -> list[str]:
    """The names of the captions of all pictures."""
    pictures = [part for section in SECTIONS for part in section.parts if isinstance(part, Picture)]
    return list(dict.fromkeys(picture.caption for picture in pictures))
