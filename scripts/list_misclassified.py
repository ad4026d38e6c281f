"""List the validation images that a model misclassifies, the most confident mistake first."""

from fercv.workflow.jobs import run

import pandas as pd

from fercv.data.tables import SAMPLES, read_predictions, read_table, write_table
from fercv.evaluate.measures import misclassified


def main(snakemake):
    """Write misclassified.csv: a row for each misclassified image of all folds."""
    classes = snakemake.params.classes
    samples = read_table(snakemake.input.samples, SAMPLES, below={"label": len(classes)})
    files = zip(snakemake.params.folds, snakemake.input.predictions, strict=True)
    mistakes = pd.concat(
        misclassified(read_predictions(path, classes, samples=len(samples)), fold, samples, classes)
        for fold, path in files
    )
    mistakes = mistakes.sort_values(["probability", "index"], ascending=[False, True])
    write_table(mistakes, snakemake.output.misclassified)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
