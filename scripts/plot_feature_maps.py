"""Draw one image and its feature maps."""

from fercv.workflow.jobs import run

from fercv.data.arrays import FEATURE_MAPS, read_arrays
from fercv.figures.drawing import save_figure
from fercv.figures.visualize import feature_maps_figure


def main(snakemake):
    """Write feature_maps_<layer>.png."""
    title = f"Feature maps of {snakemake.wildcards.model} after {snakemake.wildcards.layer}"
    saved = read_arrays(snakemake.input[0], FEATURE_MAPS)
    figure = feature_maps_figure(saved["image"], saved["maps"], title)
    save_figure(figure, *snakemake.output)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
