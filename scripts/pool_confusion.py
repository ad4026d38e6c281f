"""Sum the confusion matrices of the folds' validation predictions."""

from fercv.workflow.jobs import run

from fercv.data.tables import confusion_matrix_table, read_predictions, write_table
from fercv.evaluate.measures import confusion_counts, predicted_classes


def main(snakemake):
    """Write confusion_matrix.csv: a row for each true class, a column for each predicted one."""
    classes = snakemake.params.classes
    counts = 0
    for path in snakemake.input.predictions:
        predictions = read_predictions(path, classes)
        predicted = predicted_classes(predictions, classes)
        counts = counts + confusion_counts(predictions["label"].to_numpy(), predicted, len(classes))
    write_table(confusion_matrix_table(counts, classes), snakemake.output.matrix)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
