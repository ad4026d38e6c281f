"""Sum the confusion matrices of the folds' validation predictions."""

import pandas as pd

from fercv.evaluate.measures import confusion_counts
from fercv.workflow import jobs


def main(snakemake):
    """Write confusion_matrix.csv: a row for each true class, a column for each predicted one."""
    classes = snakemake.params.classes
    counts = 0
    for path in snakemake.input.predictions:
        predictions = pd.read_csv(path)
        counts = counts + confusion_counts(
            predictions["label"].to_numpy(), predictions[classes].to_numpy().argmax(axis=1), len(classes)
        )
    matrix = pd.DataFrame(counts, index=pd.Index(classes, name="true"), columns=classes)
    matrix.to_csv(snakemake.output.matrix, lineterminator="\n")


if __name__ == "__main__":
    jobs.run(main, snakemake)  # noqa: F821
