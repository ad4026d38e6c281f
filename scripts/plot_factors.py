"""Draw what the settings in which the models differ do to the accuracy."""

from fercv.workflow.jobs import run

from fercv.data.tables import FACTOR_EFFECTS, FACTORS, TEXT, read_table
from fercv.evaluate.factors import is_numeric
from fercv.figures.drawing import save_figure
from fercv.figures.factors import curves_figure, effects_figure


def main(snakemake):
    """Write factors.png: curves where the only factor is a number of several levels, effects otherwise."""
    names = snakemake.params.names
    factors = read_table(snakemake.input.factors, FACTORS, others=TEXT)
    if len(names) == 1 and is_numeric(factors[names[0]]):
        title = f"Accuracy against {names[0]}, {factors['folds'].iloc[0]} folds"
        figure = curves_figure(factors, names[0], snakemake.params.architectures, title)
    else:
        effects = read_table(snakemake.input.effects, FACTOR_EFFECTS, may_be_empty=True)
        title = f"Accuracy with and without {', '.join(names)}, {factors['folds'].iloc[0]} folds"
        figure = effects_figure(factors, effects, names, title)
    save_figure(figure, *snakemake.output)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
