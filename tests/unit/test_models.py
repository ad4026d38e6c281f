import json
import os
import pickle
import zipfile

import pytest

from fercv.architectures import build_model
from fercv.backend import keras
from fercv.errors import InputError
from fercv.models import load_model, save_model


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    save_model(build_model("fc", (8, 8, 1), 3, {"width": 0.01}), path)
    return path


class Trap:
    """Unpickling it would make a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mknod, (self.path,)


def write_pickle(path, saved, mark):
    path.write_bytes(pickle.dumps(Trap(mark)))


def write_lambda(path, saved, mark):
    """Keras' own way to have code in a model file."""
    name, flags = str(mark), os.O_CREAT
    model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: os.close(os.open(name, flags)) or x)])
    model.save(path)
    mark.unlink()
    # The file is a trap indeed: it springs where code is allowed.
    keras.saving.load_model(path, safe_mode=False)
    mark.unlink()


def write_truncated(path, saved, mark):
    path.write_bytes(saved.read_bytes()[:-500])


def write_nothing(path, saved, mark):
    path.write_bytes(b"")


def write_without_weights(path, saved, mark):
    with zipfile.ZipFile(saved) as archive, zipfile.ZipFile(path, "w") as written:
        written.writestr("config.json", archive.read("config.json"))


def write_module_of_its_own(path, saved, mark):
    """A configuration that names a function to call instead of a layer."""
    with zipfile.ZipFile(saved) as archive, zipfile.ZipFile(path, "w") as written:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "config.json":
                config = {"module": "os", "class_name": "mknod", "config": {"path": str(mark)}, "registered_name": None}
                content = json.dumps(config).encode()
            written.writestr(name, content)


@pytest.mark.parametrize(
    "write",
    [write_pickle, write_lambda, write_truncated, write_nothing, write_without_weights, write_module_of_its_own],
)
def test_a_file_that_is_no_model_of_ours_is_refused_and_nothing_of_it_runs(tmp_path, saved, write):
    path, mark = tmp_path / "model.keras", tmp_path / "mark"
    write(path, saved, mark)
    with pytest.raises(InputError, match=r"model\.keras: no model that this program saved \(.*; delete it") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
    assert not mark.exists()


def test_a_model_of_another_architecture_is_refused(saved):
    with pytest.raises(InputError, match="a model of the architecture fc, expected cnn; delete it"):
        load_model(saved, "cnn")
    with pytest.raises(InputError, match="a model of 3 classes, expected 7; delete it"):
        load_model(saved, "fc", 7)
    assert load_model(saved, "fc", 3).name == "fc"
