"""Score the predictions of the held-out rows: those of each fold's model, and those of the ensemble."""

from fercv.workflow.jobs import run

from fercv.data.arrays import read_probabilities
from fercv.data.tables import GROUPS, HELD_OUT_PREDICTIONS, read_predictions, read_table, write_table
from fercv.evaluate.held_out import score_held_out


def main(snakemake):
    """Write held_out_metrics.csv."""
    classes, folds = snakemake.params.classes, snakemake.params.folds
    groups = read_table(snakemake.input.groups, GROUPS)["group"].to_numpy()
    predictions = read_predictions(
        snakemake.input.predictions, classes, columns=HELD_OUT_PREDICTIONS, samples=len(groups)
    )
    of_folds = read_probabilities(snakemake.input.probabilities, (len(folds), len(predictions), len(classes)))
    table = score_held_out(predictions, of_folds, groups[predictions["index"]], classes, snakemake.params.seed)
    write_table(table, snakemake.output.metrics)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
