"""A user's own images without labels, predicted by the models of all folds."""

import shutil

import numpy as np
import pytest
from helpers import Workflow
from PIL import Image

from fercv.data.tables import NEW_IMAGES, SAMPLES, read_table
from fercv.nets.models import load_model, predict

OVERLAY = {"new_images": "mine"}
TABLE = "results/demo-tiny/fc/new_images.csv"


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of the tiny experiment, and beside it a folder with some of its images in another size."""
    shutil.copytree(finished.folder, tmp_path / "copy")
    images = np.load(tmp_path / "copy/results/demo-tiny/data/images.npy")
    (tmp_path / "copy/mine/some").mkdir(parents=True)
    for row in (3, 12):
        Image.fromarray(images[row]).save(tmp_path / f"copy/mine/some/{row}.png")
    Image.fromarray(images[0]).convert("RGB").resize((96, 96)).save(tmp_path / "copy/mine/large.png")
    return Workflow(tmp_path / "copy")


def test_all_models_say_what_they_see_and_nothing_is_trained(copy):
    jobs = copy.jobs("new_images", overlay=OVERLAY)
    assert jobs == {"new_images": 1, "prepare_new_images": 1, "predict_new_images": 2, "plot_new_images": 2}
    done = copy.run("new_images", overlay=OVERLAY)
    said = "What each model says of the new images is in results/demo-tiny/<model>/new_images.csv and .png."
    assert said in done.stdout + done.stderr
    table, results = read_table(copy.folder / TABLE, NEW_IMAGES), copy.folder / "results/demo-tiny"
    assert list(table["source"]) == ["large.png", "some/3.png", "some/12.png"]
    # Two of them are images of the data, whose predictions are known.
    models = [load_model(results / f"fc/folds/{fold}/model.keras") for fold in ("00", "01")]
    images = np.load(results / "data/images.npy")
    expected = np.mean([predict(model, images, np.array([3, 12]), 2) for model in models], axis=0)
    classes = [name for name in table if name not in NEW_IMAGES]
    np.testing.assert_allclose(table.loc[1:, classes], expected, atol=1e-6)
    assert list(table.loc[1:, "predicted"]) == [classes[label] for label in expected.argmax(axis=1)]
    assert (results / "cnn/new_images.png").stat().st_size > 5000
    assert read_table(results / "data/samples.csv", SAMPLES).shape[0] == len(images)


def test_a_further_image_is_predicted_and_nothing_else_runs(copy):
    copy.run(TABLE, overlay=OVERLAY)
    assert copy.jobs(TABLE, overlay=OVERLAY) == {}
    shutil.copy(copy.folder / "mine/large.png", copy.folder / "mine/more.png")
    assert copy.jobs(TABLE, overlay=OVERLAY) == {"prepare_new_images": 1, "predict_new_images": 1}
    copy.run(TABLE, overlay=OVERLAY)
    assert len(read_table(copy.folder / TABLE, NEW_IMAGES)) == 4


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (None, "new_images is null in the configuration, so there are no images to predict"),
        ("mime", "new_images is 'mime', but there is no such file or folder under "),
        ("empty", "empty: no image found; expected files ending in .bmp"),
    ],
)
def test_what_is_missing_is_told_in_one_line(copy, path, said):
    (copy.folder / "empty").mkdir()
    done = copy.run("new_images", overlay={"new_images": path}, check=False)
    assert done.returncode != 0
    assert said in done.stderr.rstrip().splitlines()[-1]
    assert "Traceback" not in done.stderr
