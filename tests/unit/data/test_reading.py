"""The same set in every form gives the same samples; which reader takes a file; duplicates."""

import gzip
from collections import Counter

import numpy as np
import pytest
from helpers import REPOSITORY
from small_set import CLASSES, FACES, SIZE, face_files, kaggle_csv, png, refusal, write_folder, write_text, write_zip

from fercv.data.csv_files import read_csv
from fercv.data.image_files import read_folder, read_zip
from fercv.data.reading import duplicate_groups, read_dataset

REAL = REPOSITORY.parent / "shared" / "data" / "fer2013-images.zip"
REAL_CLASSES = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]


def rows(dataset):
    """The samples as a multiset of (pixels, label, usage)."""
    return Counter(
        (image.tobytes(), label, usage)
        for image, label, usage in zip(dataset.images, dataset.samples["label"], dataset.samples["usage"], strict=True)
    )


def test_csv_gzip_folder_and_zip_give_the_same_samples(tmp_path):
    text = kaggle_csv()
    from_csv = read_csv(write_text(tmp_path, text), CLASSES, SIZE)
    zipped = read_csv(write_text(tmp_path, gzip.compress(text.encode()), "set.csv.gz"), CLASSES, SIZE)
    folder = read_folder(write_folder(tmp_path / "faces", face_files()), CLASSES, SIZE)
    archive = read_zip(write_zip(tmp_path / "set.zip", face_files()), CLASSES, SIZE)
    np.testing.assert_array_equal(zipped.images, from_csv.images)
    assert zipped.samples.equals(from_csv.samples)
    np.testing.assert_array_equal(archive.images, folder.images)
    assert archive.samples.equals(folder.samples)
    assert rows(folder) == rows(from_csv)


def test_a_path_may_be_text_for_every_reader(tmp_path):
    write_text(tmp_path, kaggle_csv())
    write_zip(tmp_path / "set.zip", face_files())
    write_folder(tmp_path / "faces", face_files())
    for reader, name in ((read_csv, "set.csv"), (read_zip, "set.zip"), (read_folder, "faces"), (read_dataset, "faces")):
        assert len(reader(str(tmp_path / name), CLASSES, SIZE).images) == 8


def test_other_files_are_refused(tmp_path):
    assert "neither csv" in refusal(write_text(tmp_path, png(FACES[0].pixels), "face.png"))
    assert "no such file" in refusal(tmp_path / "missing.csv")
    assert "empty" in refusal(write_text(tmp_path, b"", "set.csv.gz"))
    assert "no zip" in refusal(write_text(tmp_path, b"", "set.zip"))
    assert "no zip" in refusal(write_text(tmp_path, kaggle_csv(), "set.zip"))


def test_duplicate_groups_are_numbered_by_first_appearance():
    a, b, c = (face.pixels for face in FACES[:3])
    near = a.copy()
    near[0, 0] ^= 1
    groups = duplicate_groups(np.stack([b, a, b, c, near, a]))
    assert groups.dtype == np.int64 and list(groups) == [0, 1, 0, 2, 3, 1]
    assert duplicate_groups(np.empty((0, *SIZE), np.uint8)).shape == (0,)


@pytest.mark.skipif(not REAL.exists(), reason="../shared/data/fer2013-images.zip is not there")
def test_the_real_set(caplog):
    images, samples = read_dataset(REAL, REAL_CLASSES, (48, 48))
    assert images.shape == (32298, 48, 48) and not caplog.records
    assert dict(samples["usage"].value_counts()) == {"Training": 28709, "PublicTest": 3589}
    training = samples[samples["usage"] == "Training"]
    assert list(training["label"].value_counts(sort=False).sort_index()) == [3995, 436, 4097, 7215, 4830, 3171, 4965]
    groups = duplicate_groups(images)
    assert 1000 < len(training) - len(set(groups[training.index])) < 1400
