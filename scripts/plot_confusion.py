"""Draw the pooled confusion matrix."""

import pandas as pd

from fercv.figures.drawing import save_figure
from fercv.figures.evaluate import confusion_figure
from fercv.workflow import jobs


def main(snakemake):
    """Write confusion_matrix.png."""
    matrix = pd.read_csv(snakemake.input.matrix, index_col="true")
    figure = confusion_figure(
        matrix.to_numpy(), list(matrix.columns), f"Confusion matrix of {snakemake.wildcards.model}, all folds pooled"
    )
    save_figure(figure, snakemake.output[0])


if __name__ == "__main__":
    jobs.run(main, snakemake)  # noqa: F821
