"""Say what the settings in which the models differ do to the accuracy in training and in validation."""

from fercv.workflow.jobs import run

from itertools import product

from fercv.data.tables import read_history, write_table
from fercv.evaluate.factors import factor_effects, factor_table, kept_epochs, level_table


def main(snakemake):
    """Write factors.csv: each model with its settings; and factor_effects.csv: what each setting changes on average."""
    architectures = snakemake.params.architectures
    histories = {model: {} for model in architectures}
    folds = product(architectures, snakemake.params.folds)
    for (model, fold), path in zip(folds, snakemake.input.histories, strict=True):
        histories[model][fold] = read_history(path)
    kept, levels = kept_epochs(histories), level_table(snakemake.params.levels)
    write_table(factor_table(kept, levels), snakemake.output.factors)
    write_table(factor_effects(kept, levels, architectures), snakemake.output.effects)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
