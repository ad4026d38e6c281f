"""Draw the images that activate the filters of a layer strongly."""

from fercv.workflow.jobs import run

from fercv.data.arrays import FILTERS, read_arrays
from fercv.figures.drawing import save_figure
from fercv.figures.visualize import filters_figure


def main(snakemake):
    """Write filters_<layer>.png."""
    model, layer = snakemake.wildcards.model, snakemake.wildcards.layer
    title = f"Filters of {model} in layer {layer}, after {snakemake.params.steps} steps of gradient ascent"
    saved = read_arrays(snakemake.input[0], FILTERS)
    ends = saved["activations"][:, [0, -1]]
    figure = filters_figure(saved["images"], title, saved["filters"], ends, int(saved["total"]))
    save_figure(figure, *snakemake.output)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
