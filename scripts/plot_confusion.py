"""Draw the pooled confusion matrix."""

import pandas as pd

from fercv import figures, jobs


def main(snakemake):
    """Write confusion_matrix.png."""
    matrix = pd.read_csv(snakemake.input.matrix, index_col="true")
    figure = figures.confusion_figure(
        matrix.to_numpy(), list(matrix.columns), f"Confusion matrix of {snakemake.wildcards.model}, all folds pooled"
    )
    figures.save_figure(figure, snakemake.output[0])


if __name__ == "__main__":
    jobs.run(main, snakemake)  # noqa: F821
