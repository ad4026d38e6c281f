"""Read the data source, or draw the built-in faces, into one array of images and one table of samples.

The truth about the built-in faces goes into truth.npz, so that labels, saliency maps and models can be measured against
it. Row i of each array belongs to row i of images.npy and samples.csv:

    true_labels: int64 (n,), the class that was drawn. The label in samples.csv is another one in about 3 of 100 rows.
    masks: bool (n, 3, height, width), the pixels of each part of the face.
    parts: text (3,), the names of the parts, in the order of the masks: brows, eyes, mouth.
    strengths: float32 (n,), in (0, 1]: how strongly the expression shows. It has no effect on neutral faces.
    identities: int64 (n,), the row whose drawing this is: its own number, or that of the row that it repeats.
"""

from fercv.workflow.jobs import run

import logging

import numpy as np
import pandas as pd

from fercv.data.check import check_usages
from fercv.data.left_out import blank_images, exclusions
from fercv.data.reading import duplicate_groups, read_dataset
from fercv.data.sources import file_stamps, source_digest, source_files
from fercv.data.tables import SAMPLES, Dataset, is_held_out, is_training, write_table
from fercv.workflow.errors import InputError
from fercv.workflow.hashing import derive_seed

log = logging.getLogger("fercv")


def main(snakemake):
    """Write images.npy and samples.csv; for the built-in faces also truth.npz."""
    data, seed = snakemake.params.data, derive_seed(snakemake.params.seed, "data")
    (images, samples), truth = find_source(data["source"] == "synthetic")(data, seed, snakemake.params.content)
    samples["duplicate_group"] = duplicate_groups(images)
    samples["excluded"] = exclusions(
        samples, blank_images(images), data["exclude_blank"], data["exclude_held_out_twins"]
    )
    # For files `held_out` is no param: it has no effect on what is read, and changing it must not rerun everything.
    check_held_out(samples, data["source"], snakemake.config["data"]["held_out"])
    check_what_is_left(samples, data)
    check_shown_image(snakemake.config["feature_maps"], len(images))
    samples.insert(0, "index", np.arange(len(samples)))
    log.info(
        "%d images of %dx%d pixels, %d of them exact duplicates of an earlier one",
        *images.shape, len(images) - samples["duplicate_group"].nunique(),
    )  # fmt: skip
    reasons = samples["excluded"].value_counts()
    log.info("left out of training and scores: %d blank images", reasons.get("blank", 0))
    log.info("left out of training: %d exact copies of held-out images", reasons.get("held_out_twin", 0))
    np.save(snakemake.output.images, images)
    write_table(samples[list(SAMPLES)], snakemake.output.samples)
    if truth:
        np.savez_compressed(snakemake.output.truth, **truth)


def check_what_is_left(samples, data):
    """Refuse data that lose all training images of a class, for instance a test folder that copies the training one."""
    training = is_training(samples.assign(excluded=""))
    for label in sorted(set(samples.loc[training, "label"]) - set(samples.loc[is_training(samples), "label"])):
        raise InputError(
            f"{data['source']}: all training images of class {data['classes'][label]} are blank or copies of held-out "
            "images, and are left out; correct the data, or set data.exclude_blank or data.exclude_held_out_twins to "
            "false"
        )


def check_shown_image(feature_maps, count):
    """Refuse an image of the feature maps that the data don't have: it is needed only after all training."""
    if feature_maps["layers"] and feature_maps["image"] >= count:
        raise InputError(
            f"feature_maps.image is {feature_maps['image']}, but the data has {count} images; choose from 0 to "
            f"{count - 1}"
        )


def find_source(built_in):
    """The function that makes the data set.

    It is found by name, so that new code for drawing faces does not rebuild data that were read from files.
    """
    return globals()["draw_samples" if built_in else "read_samples"]


def draw_samples(data, seed, _):
    """Draw the built-in faces: the data set, and the arrays of truth.npz."""
    # The import stands here, because data read from files must not depend on the code that draws.
    from fercv.data.faces import PARTS, draw_faces

    count = data["images"] or 35887  # as many as FER2013 has
    faces = draw_faces(count, seed, data["image_size"][0], held_out=0.1 if data["held_out"] else 0.0)
    source = [f"face {number}" for number in range(count)]
    samples = pd.DataFrame({"label": faces.labels, "usage": faces.usages, "source": source})
    truth = {name: getattr(faces, name) for name in ("true_labels", "masks", "strengths", "identities")}
    return Dataset(faces.images, samples), truth | {"parts": np.array(PARTS)}


def read_samples(data, seed, content):
    """Read the user's files: the data set, or as many of its rows as the scale asks for. They have no truth.

    The files must be those with the digest `content` all the time, or samples.csv would be recorded as made from them.
    """
    files = source_files(data["source"])
    before = file_stamps(files)
    images, samples = read_dataset(data["source"], data["classes"], tuple(data["image_size"]))
    # Whoever puts a changed file back can restore its content and its mtime, but not its ctime.
    if source_digest(files) != content or file_stamps(files) != before or source_files(data["source"]) != files:
        raise InputError(f"{data['source']}: changed since Snakemake planned this job; start Snakemake again")
    if data["images"] is not None and data["images"] < len(images):
        chosen = stratified_rows(samples, data["images"], seed)
        images, samples = images[chosen], samples.iloc[chosen].reset_index(drop=True)
    return Dataset(images, samples), {}


def stratified_rows(samples, count, seed):
    """Choose `count` rows, each usage and class in its proportion; return their numbers in ascending order."""
    # Only this needs scikit-learn, whose import takes a second.
    from sklearn.model_selection import train_test_split

    strata = samples["usage"] + "/" + samples["label"].astype(str)
    try:
        chosen, _ = train_test_split(np.arange(len(samples)), train_size=count, stratify=strata, random_state=seed)
    except ValueError as error:
        raise InputError(
            f"the scale's images: {count} of {len(samples)} samples can't be drawn with every usage and class in "
            f"proportion ({error}); choose another number, or null for all"
        ) from None
    return np.sort(chosen)


def check_held_out(samples, source, predict_held_out):
    """Refuse usages that don't fit the config, see `check_usages`; warn of unused rows."""
    check_usages(set(samples["usage"]), source, predict_held_out)
    held_out = is_held_out(samples)
    if held_out.any() and not predict_held_out:
        log.warning(
            "%d rows of %s are not for training and stay unused; set data.held_out: true to have them predicted",
            held_out.sum(), source,
        )  # fmt: skip


if __name__ == "__main__":
    run(main, snakemake)  # noqa: F821
