"""Draw accuracy in training and in validation over the epochs: mean, spread and every single fold."""

from fercv.workflow.jobs import run

import pandas as pd

from fercv.data.tables import SUMMARY, read_history, read_table
from fercv.evaluate.measures import accuracy_curves
from fercv.figures.accuracy import accuracy_figure
from fercv.figures.drawing import save_figure


def main(snakemake):
    """Write accuracy.png."""
    tables = [
        read_history(path).assign(fold=fold)
        for fold, path in zip(snakemake.params.folds, snakemake.input.histories, strict=True)
    ]
    histories = pd.concat(tables)[["fold", "epoch", "accuracy", "clean_accuracy", "val_accuracy", "kept"]]
    summary = read_table(snakemake.input.summary, SUMMARY).set_index("measure")
    title = f"Accuracy of {snakemake.wildcards.model}, {len(tables)} folds"
    figure = accuracy_figure(histories, accuracy_curves(histories), summary.loc["accuracy", "chance"], title)
    save_figure(figure, *snakemake.output)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
