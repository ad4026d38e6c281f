"""What prepare_dataset writes of the built-in faces and of the user's files."""

from types import SimpleNamespace

import numpy as np
import pytest

import prepare_dataset
from fercv.data.faces import PARTS, draw_faces
from fercv.data.sources import source_digest
from fercv.data.tables import SAMPLES, read_table
from fercv.workflow.errors import InputError
from fercv.workflow.hashing import derive_seed

COUNT, SIZE, SEED = 200, 24, 7


class Output(SimpleNamespace):
    """Files by name, as Snakemake gives them to a script: iterated over, they are the paths."""

    def __iter__(self):
        return iter(vars(self).values())


def prepare(folder, content="", image=0, **data):
    """Run the script with some settings of `data`; return the folder that holds what it wrote."""
    folder.mkdir()
    known = {"source": "synthetic", "images": COUNT, "image_size": [SIZE, SIZE], "held_out": True}
    known |= {"exclude_blank": True, "exclude_held_out_twins": True} | data
    names = ["images.npy", "samples.csv"] + ["truth.npz"] * (known["source"] == "synthetic")
    output = Output(**{name.split(".")[0]: folder / name for name in names})
    prepare_dataset.main(
        SimpleNamespace(
            params=SimpleNamespace(data=known, seed=SEED, content=content),
            config={
                "data": {"held_out": known["held_out"]},
                "feature_maps": {"layers": ["conv2_pool"], "image": image},
            },
            output=output,
        )
    )
    return folder


@pytest.fixture(scope="module")
def built_in(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("built_in") / "data")


@pytest.fixture(scope="module")
def faces():
    return draw_faces(COUNT, derive_seed(SEED, "data"), SIZE, held_out=0.1)


def test_the_truth_is_that_of_the_faces_in_the_same_rows(built_in, faces):
    samples = read_table(built_in / "samples.csv", SAMPLES)
    np.testing.assert_array_equal(np.load(built_in / "images.npy"), faces.images)
    np.testing.assert_array_equal(samples["label"], faces.labels)
    with np.load(built_in / "truth.npz", allow_pickle=False) as truth:
        assert set(truth) == {"true_labels", "masks", "parts", "strengths", "identities"}
        assert list(truth["parts"]) == list(PARTS) == ["brows", "eyes", "mouth"]
        assert (truth["masks"].dtype, truth["masks"].shape) == (bool, (COUNT, 3, SIZE, SIZE))
        for name in ("true_labels", "masks", "strengths", "identities"):
            assert truth[name].dtype == getattr(faces, name).dtype
            np.testing.assert_array_equal(truth[name], getattr(faces, name))


def test_an_image_of_the_feature_maps_beyond_the_data_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match=f"^feature_maps.image is {COUNT}, .* choose from 0 to {COUNT - 1}$"):
        prepare(tmp_path / "data", image=COUNT)
    assert not list((tmp_path / "data").iterdir())


def test_the_truth_tells_wrong_labels_from_right_ones_and_copies_from_originals(built_in):
    samples = read_table(built_in / "samples.csv", SAMPLES)
    with np.load(built_in / "truth.npz") as truth:
        true_labels, identities = truth["true_labels"], truth["identities"]
    assert (true_labels != samples["label"]).sum() == round(0.03 * COUNT)
    originals = samples["duplicate_group"].to_numpy()[identities]
    np.testing.assert_array_equal(samples["duplicate_group"], originals)
    assert len(set(identities)) == samples["duplicate_group"].nunique() == COUNT - round(0.03 * COUNT)


def test_the_files_have_the_same_bytes_on_every_run(built_in, tmp_path):
    again = prepare(tmp_path / "data")
    names = {path.name for path in built_in.iterdir()}
    assert names == {"images.npy", "samples.csv", "truth.npz"}
    assert {name for name in names if (again / name).read_bytes() != (built_in / name).read_bytes()} == set()


def test_of_the_users_files_no_truth_is_written(tmp_path):
    rows = [f"{row % 2},{' '.join(['7'] * 63)} {row},Training\n" for row in range(20)]
    (tmp_path / "faces.csv").write_text("emotion,pixels,Usage\n" + "".join(rows))
    source = {"source": str(tmp_path / "faces.csv"), "classes": ["a", "b"], "image_size": [8, 8], "held_out": False}
    content = source_digest([source["source"]])
    written = prepare(tmp_path / "data", content, images=None, **source)
    assert {path.name for path in written.iterdir()} == {"images.npy", "samples.csv"}


@pytest.fixture
def four_pairs(tmp_path):
    """Settings of a csv with eight images. Of the two classes, the first and the last images are blank."""
    grey = [7, 1, 2, 3, 2, 4, 5, 9]
    usages = ["Training"] * 4 + ["PublicTest", "Training", "Training", "PrivateTest"]
    rows = [
        f"{row % 2},{' '.join([str(value)] * 63)} {value + (row not in (0, 7))},{usage}\n"
        for row, (value, usage) in enumerate(zip(grey, usages, strict=True))
    ]
    path = tmp_path / "faces.csv"
    path.write_text("emotion,pixels,Usage\n" + "".join(rows))
    data = {"source": str(path), "classes": ["a", "b"], "image_size": [8, 8], "images": None}
    return data | {"content": source_digest([str(path)])}


@pytest.mark.parametrize(
    ("settings", "excluded"),
    [
        ({}, ["blank", "", "held_out_twin", "", "", "", "", "blank"]),
        ({"exclude_blank": False}, ["", "", "held_out_twin", "", "", "", "", ""]),
        ({"exclude_held_out_twins": False}, ["blank", "", "", "", "", "", "", "blank"]),
        ({"held_out": False}, ["blank", "", "held_out_twin", "", "", "", "", "blank"]),
    ],
)
def test_blank_images_and_training_copies_of_held_out_images_are_marked(
    tmp_path, caplog, four_pairs, settings, excluded
):
    caplog.set_level("INFO")
    written = prepare(tmp_path / "data", **four_pairs | settings)
    assert list(read_table(written / "samples.csv", SAMPLES)["excluded"]) == excluded
    assert f"scores: {excluded.count('blank')} blank images" in caplog.text
    assert f"training: {excluded.count('held_out_twin')} exact copies of held-out images" in caplog.text


def test_a_test_set_that_copies_all_training_images_of_a_class_is_refused(tmp_path):
    rows = [f"{label},{' '.join(['7'] * 63)} {label},{usage}\n" for label in (0, 1) for usage in ("Training", "Test")]
    (tmp_path / "faces.csv").write_text("emotion,pixels,Usage\n" + "".join(rows))
    data = {"source": str(tmp_path / "faces.csv"), "classes": ["a", "b"], "image_size": [8, 8], "images": None}
    content = source_digest([data["source"]])
    with pytest.raises(InputError, match=r"faces\.csv: all training images of class a are .*exclude_held_out_twins"):
        prepare(tmp_path / "data", content, **data)
    written = prepare(tmp_path / "again", content, exclude_held_out_twins=False, **data)
    assert not read_table(written / "samples.csv", SAMPLES)["excluded"].any()


@pytest.mark.parametrize("moment", ["before", "while"])
def test_data_that_are_not_those_that_were_planned_are_refused(tmp_path, monkeypatch, moment):
    path = tmp_path / "faces.csv"
    text = "emotion,pixels\n" + "".join(f"{row % 2},{' '.join(['7'] * 64)}\n" for row in range(20))
    path.write_text(text)
    content, read = source_digest([str(path)]), prepare_dataset.read_dataset

    def changed_meanwhile(*arguments):
        path.write_text(text.replace("7", "8"))
        found = read(*arguments)
        path.write_text(text)
        return found

    if moment == "before":
        path.write_text(text.replace("7", "8"))
    else:
        monkeypatch.setattr(prepare_dataset, "read_dataset", changed_meanwhile)
    source = {"source": str(path), "classes": ["a", "b"], "image_size": [8, 8], "held_out": False}
    with pytest.raises(InputError, match=r"faces\.csv: changed since .*; start Snakemake again"):
        prepare(tmp_path / "data", content, images=None, **source)
    assert not list((tmp_path / "data").iterdir())
