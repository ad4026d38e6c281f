"""Draw the saliency of images, all methods side by side, the mean of each class, and what the checks say."""

from fercv.workflow.jobs import run

import numpy as np

from fercv.data.arrays import SALIENCY, read_arrays
from fercv.data.tables import SALIENCY_CHECKS, read_table
from fercv.figures import saliency
from fercv.figures.drawing import save_figure
from fercv.visualize.methods import METHODS
from fercv.visualize.verdicts import results_of


def main(snakemake):
    """Write saliency.png, saliency_methods.png, saliency_means.png and saliency_checks.png."""
    classes, model = np.array(snakemake.params.classes), snakemake.wildcards.model
    below = {"labels": len(classes), "methods": len(METHODS), "mean_methods": len(METHODS)}
    saved = read_arrays(snakemake.input.maps, SALIENCY, lengths={"k": len(classes)}, below=below)
    checks = read_table(snakemake.input.checks, SALIENCY_CHECKS)
    shown = dict([list(METHODS.items())[number] for number in saved["methods"]])
    captions = saliency.prediction_labels(
        classes[saved["labels"]], classes[saved["probabilities"].argmax(axis=1)], saved["probabilities"].max(axis=1)
    )
    first = next(iter(shown.values()))
    figure = saliency.saliency_figure(
        saved["images"],
        saved["heat"][0],
        saved["masked"],
        saved["fold_mean"][0],
        saved["fold_deviation"][0],
        saved["agreement"][0],
        captions,
        snakemake.params.threshold,
        snakemake.params.folds,
        first,
        f"Saliency of {model}",
        note_on(checks, next(iter(shown)), snakemake.params),
    )
    save_figure(figure, *snakemake.output.maps)
    figure = saliency.methods_figure(
        saved["images"], saved["signed"], saved["heat"], list(shown.values()), captions, f"Methods of saliency: {model}"
    )
    save_figure(figure, *snakemake.output.methods)
    figure = saliency.means_figure(
        saved["mean_faces"] / 255,
        saved["means"],
        [list(METHODS.values())[number] for number in saved["mean_methods"]],
        snakemake.params.classes,
        saved["mean_images"],
        f"Mean saliency of {model}, by class",
    )
    save_figure(figure, *snakemake.output.means)
    results = {method: results_of(checks, method) for method in shown}
    figure = saliency.checks_figure(
        checks, shown, results, snakemake.params.classes, f"Checks of the saliency of {model}"
    )
    save_figure(figure, *snakemake.output.checks)


def note_on(checks, method, params):
    """Sentences: whose maps are shown, what to compare the agreement with, and where the checks are."""
    of_folds = checks[(checks["method"] == method) & (checks["check"] == "folds")].set_index("measure")["value"]
    others = "rank_correlation_other_images"
    return (
        f"The maps at the left are those of the model of fold {params.fold}, which has not seen these images. "
        + (f"Between maps of different images, the agreement is {of_folds[others]:.2f}. " * (others in of_folds))
        + "How far such maps can be believed: saliency_checks.png."
    )


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
