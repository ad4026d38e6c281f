"""Read the data source, or draw the built-in faces, into one array of images and one table of samples."""

import logging

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from fercv.data.reading import duplicate_groups, read_dataset
from fercv.workflow import jobs
from fercv.workflow.errors import InputError
from fercv.workflow.hashing import derive_seed

log = logging.getLogger("fercv")


def main(snakemake):
    """Write images.npy and samples.csv."""
    data, seed = snakemake.params.data, derive_seed(snakemake.params.seed, "data")
    images, samples = find_source(data["source"] == "synthetic")(data, seed)
    # Not a param: it changes nothing that is read, and switching it on later must not rerun everything.
    check_usages(samples, data["source"], snakemake.config["data"]["held_out"])
    samples.insert(0, "index", np.arange(len(samples)))
    samples["duplicate_group"] = duplicate_groups(images)
    log.info(
        "%d images of %dx%d pixels, %d of them exact duplicates of an earlier one",
        *images.shape, len(images) - samples["duplicate_group"].nunique(),
    )  # fmt: skip
    np.save(snakemake.output.images, images)
    columns = ["index", "label", "usage", "duplicate_group", "source"]
    samples.to_csv(snakemake.output.samples, columns=columns, index=False, lineterminator="\n")


def find_source(built_in):
    """What makes the images. Looked up by name, so that another way of drawing faces rebuilds nothing that was read."""
    return globals()["draw_images" if built_in else "read_images"]


def draw_images(data, seed):
    """The built-in faces as images and samples."""
    # Only here, so that what is read doesn't depend on it.
    from fercv.data.faces import draw_faces

    count = data["images"] or 35887  # as many as FER2013 has
    faces = draw_faces(count, seed, data["image_size"][0], held_out=0.1 if data["held_out"] else 0.0)
    source = [f"face {number}" for number in range(count)]
    return faces.images, pd.DataFrame({"label": faces.labels, "usage": faces.usages, "source": source})


def read_images(data, seed):
    """Images and samples of the user's files, or as many as the scale asks for."""
    images, samples = read_dataset(data["source"], data["classes"], tuple(data["image_size"]))
    if data["images"] is not None and data["images"] < len(images):
        chosen = stratified_rows(samples, data["images"], seed)
        images, samples = images[chosen], samples.iloc[chosen].reset_index(drop=True)
    return images, samples


def stratified_rows(samples, count, seed):
    """Row numbers of `count` samples in their order, with the usages and classes in the proportions of the whole."""
    strata = samples["usage"] + "/" + samples["label"].astype(str)
    try:
        chosen, _ = train_test_split(np.arange(len(samples)), train_size=count, stratify=strata, random_state=seed)
    except ValueError as error:
        raise InputError(
            f"the scale's images: {count} of {len(samples)} samples can't be drawn with every usage and class in "
            f"proportion ({error}); choose another number, or null for all"
        ) from None
    return np.sort(chosen)


def check_usages(samples, source, predict_held_out):
    """Refuse a promise of held-out rows that the data don't keep, and name held-out rows that nobody asked for."""
    held_out = ~samples["usage"].isin(["Training", ""])
    if held_out.all():
        raise InputError(
            f"{source}: no row has the usage Training, found {', '.join(sorted(set(samples['usage'])))}; folds are "
            "made of Training rows, or of all rows where no usage is given"
        )
    if predict_held_out and not held_out.any():
        raise InputError(f"data.held_out is true, but all rows of {source} are for training; set data.held_out: false")
    if held_out.any() and not predict_held_out:
        log.warning(
            "%d rows of %s are not for training and stay unused; set data.held_out: true to have them predicted",
            held_out.sum(), source,
        )  # fmt: skip


if __name__ == "__main__":
    jobs.run(main, snakemake)  # noqa: F821
