"""Compare the average of each pair of models with its members, and draw that."""

from fercv.workflow.jobs import run

import logging

from fercv.data.tables import METRICS, SAMPLES, SUMMARY, read_predictions, read_table, write_table
from fercv.evaluate.ensembles import against_the_better, compare_ensembles
from fercv.figures.comparison import comparison_figure
from fercv.figures.drawing import save_figure

# Rows of the picture. The table has all pairs.
SHOWN = 10

log = logging.getLogger("fercv")


def main(snakemake):
    """Write ensembles.csv and ensembles.png."""
    classes, folds = snakemake.params.classes, snakemake.params.folds
    models, kinds = snakemake.params.models, snakemake.params.kinds
    samples = len(read_table(snakemake.input.samples, SAMPLES))
    files = iter(snakemake.input.predictions)
    predictions = {
        model: {fold: read_predictions(next(files), classes, samples=samples) for fold in folds} for model in models
    }
    accuracy = {
        model: read_table(path, METRICS)["accuracy"].mean()
        for model, path in zip(models, snakemake.input.metrics, strict=True)
    }
    compared, of_folds = compare_ensembles(predictions, dict(zip(models, kinds, strict=True)), classes)
    write_table(compared, snakemake.output.table)

    alone = compared["versus"] == ""
    better = against_the_better(compared, accuracy)
    for row in better[better["measure"] == "accuracy"].to_dict("records"):
        log.info(
            "%s minus %s: accuracy %+.4f (95 %% interval %+.4f to %+.4f)",
            *(row[column] for column in ("model", "versus", "mean", "low", "high")),
        )
    means = compared[alone & (compared["measure"] == "accuracy")].set_index("model")["mean"]
    best = means.sort_values(ascending=False, kind="stable").index[:SHOWN]
    chance = read_table(snakemake.input.summary, SUMMARY).set_index("measure")["chance"]
    title = "Averages of two models" if len(best) == len(means) else f"The {SHOWN} best averages of two models"
    shown = [table[table["model"].isin(best)] for table in (of_folds, compared[alone], better)]
    save_figure(comparison_figure(*shown, chance, title=title), *snakemake.output.picture)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
