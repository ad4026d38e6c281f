"""Rank the label issues of all models, and say which models agree."""

from fercv.workflow.jobs import run

import pandas as pd

from fercv.data.tables import LABEL_ISSUES, read_predictions, read_table, write_table
from fercv.evaluate.label_issues import rank_label_issues


def main(snakemake):
    """Write label_issues.csv of the experiment: a row for each image that is an issue of at least one model."""
    models, classes = snakemake.params.models, snakemake.params.classes
    files = zip(models, snakemake.input.issues, strict=True)
    issues = {model: read_table(path, LABEL_ISSUES, may_be_empty=True) for model, path in files}
    folds = len(snakemake.input.predictions) // len(models)
    predictions = {
        model: pd.concat(
            read_predictions(path, classes) for path in snakemake.input.predictions[number * folds :][:folds]
        )
        for number, model in enumerate(models)
    }
    write_table(rank_label_issues(issues, predictions, classes), snakemake.output.ranking)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
