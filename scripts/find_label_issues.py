"""Find the labels that a model's out-of-fold predictions make suspicious."""

from fercv.workflow.jobs import run

import logging

import pandas as pd

from fercv.data.tables import SAMPLES, read_predictions, read_table, write_table
from fercv.evaluate.label_issues import find_label_issues

log = logging.getLogger("fercv")


def main(snakemake):
    """Write label_issues.csv of one model: a row for each image whose label is probably wrong."""
    classes = snakemake.params.classes
    samples = read_table(snakemake.input.samples, SAMPLES, below={"label": len(classes)})
    predictions = pd.concat(
        read_predictions(path, classes, samples=len(samples)) for path in snakemake.input.predictions
    )
    issues = find_label_issues(predictions, samples["source"], classes)
    log.info(
        "%s: %d of %d labels are suspicious; look at the images before you believe it",
        snakemake.wildcards.model, len(issues), len(predictions),
    )  # fmt: skip
    write_table(issues, snakemake.output.issues)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
