"""Read the images that the models are asked about into one array, in the form in which the models take images."""

from fercv.workflow.jobs import run

import numpy as np
import pandas as pd

from fercv.data.sources import source_digest, source_files
from fercv.data.tables import write_table
from fercv.data.unlabelled import read_unlabelled
from fercv.workflow.errors import InputError


def main(snakemake):
    """Write images.npy, and images.csv with the source of each image."""
    path, size = snakemake.params.source, tuple(snakemake.params.image_size)
    images, sources = read_unlabelled(path, size)
    if source_digest(source_files(path, "new_images")) != snakemake.params.content:
        raise InputError(f"{path}: changed since Snakemake planned this job; start Snakemake again")
    np.save(snakemake.output.images, images)
    write_table(pd.DataFrame({"source": sources}), snakemake.output.sources)


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
