"""Draw the images that activate the filters of a layer strongly."""

from fercv.workflow.jobs import run

from fercv.data.arrays import FILTERS, read_arrays
from fercv.figures.drawing import save_figure
from fercv.figures.visualize import filters_figure


def main(snakemake):
    """Write filters_<layer>.png."""
    title = f"Filters of layer {snakemake.wildcards.layer} (# Ascent Epoch {snakemake.params.steps})"
    saved = read_arrays(snakemake.input[0], FILTERS)
    figure = filters_figure(saved["images"], f"{title}, {snakemake.wildcards.model}", numbers=saved["filters"])
    save_figure(figure, *snakemake.output)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
