"""Arrays that were changed or damaged are refused in one line, as tables are."""

import numpy as np
import pytest

from fercv.data.arrays import FILTERS, SALIENCY, open_images, read_arrays, read_probabilities
from fercv.workflow.errors import InputError


def refusal_of(path, read):
    with pytest.raises(InputError) as refused:
        read()
    line = str(refused.value)
    assert line.startswith(f"{path}: ")
    assert line.endswith("delete it, and the same command makes it again")
    assert "\n" not in line
    return line


def test_images_are_opened_and_not_read(tmp_path):
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    np.save(tmp_path / "images.npy", images)
    opened = open_images(tmp_path / "images.npy", 2)
    assert isinstance(opened, np.memmap)
    np.testing.assert_array_equal(opened, images)
    assert "has 2 images, but samples.csv beside it has 3 rows" in refusal_of(
        tmp_path / "images.npy", lambda: open_images(tmp_path / "images.npy", 3)
    )


@pytest.mark.parametrize("cut", [0, 5, 60, 128, 140])
def test_truncated_images_are_refused(tmp_path, cut):
    path = tmp_path / "images.npy"
    np.save(path, np.zeros((2, 3, 4), np.uint8))
    path.write_bytes(path.read_bytes()[:cut])
    refusal_of(path, lambda: open_images(path))


@pytest.mark.parametrize("header", [b"{'shape': (2, 3, 4)}", b"{'descr': '|O', 'fortran_order': False, 'shape': (9,)}"])
def test_images_with_another_header_are_refused(tmp_path, header):
    path = tmp_path / "images.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(400))
    refusal_of(path, lambda: open_images(path))


@pytest.mark.parametrize("array", [np.zeros((2, 3, 4)), np.zeros((2, 3), np.uint8), np.zeros((0, 3, 4), np.uint8)])
def test_arrays_that_are_no_images_are_refused(tmp_path, array):
    path = tmp_path / "images.npy"
    np.save(path, array)
    assert "expected uint8 of three axes" in refusal_of(path, lambda: open_images(path))


def test_a_missing_file_is_no_damaged_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_images(tmp_path / "images.npy")
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "filters.npz", FILTERS)


def test_probabilities_come_back_and_others_are_refused(tmp_path):
    path = tmp_path / "held_out_probabilities.npy"
    probabilities = np.full((2, 3, 4), 0.25, np.float32)
    np.save(path, probabilities)
    np.testing.assert_array_equal(read_probabilities(path, (2, 3, 4)), probabilities)
    said = refusal_of(path, lambda: read_probabilities(path, (2, 3, 5)))
    assert "has the shape (2, 3, 4), expected (2, 3, 5)" in said
    for wrong in (probabilities.astype(np.float64), probabilities + 1, probabilities * np.nan, probabilities > 2):
        np.save(path, wrong)
        assert "is no array of probabilities" in refusal_of(path, lambda: read_probabilities(path, (2, 3, 4)))
    np.savez(tmp_path / "arrays.npz", probabilities)
    (tmp_path / "arrays.npz").rename(path)
    assert "is no array of probabilities" in refusal_of(path, lambda: read_probabilities(path, (2, 3, 4)))


def filters(**other):
    arrays = {"filters": np.arange(2), "total": 8, "images": np.zeros((2, 4, 4)), "activations": np.zeros((2, 9))}
    return arrays | other


def test_an_npz_comes_back(tmp_path):
    np.savez(tmp_path / "filters.npz", **filters())
    read = read_arrays(tmp_path / "filters.npz", FILTERS)
    assert {name: array.shape for name, array in read.items()} == {
        "filters": (2,), "total": (), "images": (2, 4, 4), "activations": (2, 9),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"images": np.zeros((3, 4, 4))}, "its array images has the shape (3, 4, 4)"),
        ({"images": np.zeros((2, 4))}, "its array images is not of 3 axes"),
        ({"images": np.full((2, 4, 4), np.nan)}, "its array images is not of 3 axes with a number everywhere"),
        ({"images": np.full((2, 4, 4), "a")}, "its array images"),
        ({"images": np.full((2, 4, 4), None)}, "does not hold the arrays"),
        ({"filters": np.array([0.5, 1])}, "its array filters"),
    ],
)
def test_an_npz_of_other_arrays_is_refused(tmp_path, changed, expected):
    path = tmp_path / "filters.npz"
    np.savez(path, **filters(**changed))
    assert expected in refusal_of(path, lambda: read_arrays(path, FILTERS))


@pytest.mark.parametrize("cut", [0, 30, 200, 400])
def test_a_truncated_npz_is_refused(tmp_path, cut):
    path = tmp_path / "filters.npz"
    np.savez_compressed(path, **filters())
    content = path.read_bytes()
    path.write_bytes(content[:cut])
    refusal_of(path, lambda: read_arrays(path, FILTERS))
    path.write_bytes(content[:60] + bytes(20) + content[80:])
    refusal_of(path, lambda: read_arrays(path, FILTERS))


def test_labels_beyond_the_classes_are_refused(tmp_path):
    path = tmp_path / "saliency.npz"
    images = np.zeros((1, 2, 2))
    arrays = {"index": [3], "images": images, "masked": images, "probabilities": [[0.5, 0.5]]}
    arrays |= {"methods": [0], "mean_methods": [], "mean_images": [1, 0], "agreement": [[0.5]]}
    arrays |= dict.fromkeys(("heat", "signed", "fold_mean", "fold_deviation"), images[None])
    arrays |= {"means": np.zeros((0, 2, 2, 2)), "mean_faces": np.zeros((2, 2, 2))}
    np.savez(path, labels=[2], **arrays)
    read_arrays(path, SALIENCY)
    line = refusal_of(path, lambda: read_arrays(path, SALIENCY, below={"labels": 2}))
    assert "labels is not of 1 axes with a whole number from 0 to 1 everywhere" in line
    line = refusal_of(path, lambda: read_arrays(path, SALIENCY, lengths={"k": 3}))
    assert "probabilities has the shape (1, 2)" in line
