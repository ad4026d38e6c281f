"""Images without labels: the same pixels as for training, and one line for what is no image."""

import logging

import numpy as np
import pytest
from small_set import FACES, SIZE, face_files, png, read, refusal, write_folder, write_zip

from fercv.data.unlabelled import read_unlabelled
from fercv.workflow.errors import InputError

PIXELS = " ".join("7" for _ in range(SIZE[0] * SIZE[1]))


def test_the_pixels_are_those_that_training_sees(tmp_path):
    labelled = read(write_zip(tmp_path / "set.zip", face_files()))
    for path in (tmp_path / "set.zip", write_folder(tmp_path / "faces", face_files())):
        images, sources = read_unlabelled(path, SIZE)
        assert sorted(sources) == sorted(labelled.samples["source"])
        expected = dict(zip(labelled.samples["source"], labelled.images, strict=True))
        for image, source in zip(images, sources, strict=True):
            np.testing.assert_array_equal(image, expected[source])


def test_images_lie_in_any_folder_and_are_sorted_with_numbers_as_numbers(tmp_path, caplog):
    files = {name: png(FACES[0].pixels) for name in ("b/10.png", "b/9.png", "3.png", "a/x/y.png")}
    with caplog.at_level(logging.WARNING):
        _, sources = read_unlabelled(write_folder(tmp_path / "mine", files | {"notes.txt": b"no image"}), SIZE)
    assert sources == ["3.png", "a/x/y.png", "b/9.png", "b/10.png"]
    assert "files that are no images were left out" in caplog.text and "'notes.txt'" in caplog.text


def test_one_image(tmp_path):
    (tmp_path / "face.png").write_bytes(png(FACES[0].pixels))
    images, sources = read_unlabelled(tmp_path / "face.png", SIZE)
    assert (images.shape, sources) == ((1, *SIZE), ["face.png"])


@pytest.mark.parametrize(
    ("header", "row"), [("pixels", PIXELS), ("emotion,pixels,Usage", f"whatever,{PIXELS},"), ("feature", PIXELS)]
)
def test_a_csv_needs_no_labels_and_its_labels_are_not_read(tmp_path, header, row):
    (tmp_path / "set.csv").write_text(f"{header}\n{row}\n{row}\n", encoding="utf-8")
    images, sources = read_unlabelled(tmp_path / "set.csv", SIZE)
    assert (images == 7).all()
    assert sources == ["row 1", "row 2"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"1.png": png(FACES[0].pixels), "2.png": b"no image"}, "'2.png' is no image that can be read; replace it or"),
        ({"notes.txt": b""}, "no image found; expected files ending in .bmp"),
        ({"a\nb.png": png(FACES[0].pixels)}, r"the name 'a\nb.png' has a line break; rename it"),
    ],
)
def test_what_is_no_image_is_told_in_one_line(tmp_path, files, said):
    folder = write_folder(tmp_path / "mine", files)
    with pytest.raises(InputError) as refused:
        read_unlabelled(folder, SIZE)
    assert str(refused.value).startswith(f"{folder}: {said}")
    assert "\n" not in str(refused.value)


def test_a_csv_without_pixels_is_refused_and_labelled_data_still_need_their_labels(tmp_path):
    path = tmp_path / "set.csv"
    path.write_text("label\n1\n", encoding="utf-8")
    with pytest.raises(InputError, match="no column named pixels or feature"):
        read_unlabelled(path, SIZE)
    path.write_text(f"pixels\n{PIXELS}\n", encoding="utf-8")
    assert "no column named emotion or label" in refusal(path)
