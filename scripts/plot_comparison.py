"""Draw the models side by side and their paired differences."""

from fercv.workflow.jobs import run

import pandas as pd

from fercv.data.tables import COMPARISON, METRICS, SUMMARY, read_table
from fercv.figures.comparison import comparison_figure
from fercv.figures.drawing import save_figure


def main(snakemake):
    """Write comparison.png."""
    folds = pd.concat(
        read_table(path, METRICS).assign(model=model)
        for model, path in zip(snakemake.params.models, snakemake.input.metrics, strict=True)
    )
    comparison = read_table(snakemake.input.comparison, COMPARISON)
    comparison = comparison[comparison["measure"].isin(["accuracy", "balanced_accuracy"])]
    alone = comparison["versus"] == ""
    chance = read_table(snakemake.input.summary[0], SUMMARY).set_index("measure")["chance"]
    figure = comparison_figure(folds, comparison[alone], comparison[~alone], chance)
    save_figure(figure, *snakemake.output)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
