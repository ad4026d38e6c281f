"""Draw one image and its feature maps."""

import numpy as np

from fercv import figures, jobs


def main(snakemake):
    """Write feature_maps_<layer>.png."""
    title = f"Feature maps of {snakemake.wildcards.model} after {snakemake.wildcards.layer}"
    with np.load(snakemake.input[0]) as saved:
        figure = figures.feature_maps_figure(saved["image"], saved["maps"], title)
    figures.save_figure(figure, snakemake.output[0])


if __name__ == "__main__":
    jobs.run(main, snakemake)  # noqa: F821
