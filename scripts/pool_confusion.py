"""Sum the confusion matrices of the folds' validation predictions."""

from fercv.data.tables import PREDICTIONS, confusion_matrix_table, read_table, write_table
from fercv.evaluate.measures import confusion_counts
from fercv.workflow import jobs


def main(snakemake):
    """Write confusion_matrix.csv: a row for each true class, a column for each predicted one."""
    classes = snakemake.params.classes
    counts = 0
    for path in snakemake.input.predictions:
        predictions = read_table(path, PREDICTIONS)
        counts = counts + confusion_counts(
            predictions["label"].to_numpy(), predictions[classes].to_numpy().argmax(axis=1), len(classes)
        )
    write_table(confusion_matrix_table(counts, classes), snakemake.output.matrix)


if __name__ == "__main__":
    jobs.run(main, snakemake)  # noqa: F821
