import importlib
import json
import os
import pickle
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

from fercv.engine.backend import keras
from fercv.nets.models import build_model, load_model, load_models, predict, save_model, summary_text
from fercv.workflow.errors import InputError


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    save_model(build_model("fc", (8, 8, 1), 3, {"width": 0.01}), path)
    return path


def test_a_summary_cuts_off_no_name_shape_count_or_input(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    layers, long = keras.layers, "a_layer_of_a_name_of_ninety_characters".ljust(90, "_")
    inputs = [layers.Input((4000, 3000, 1), name=f"image_{number}") for number in range(3)]
    branches = [layers.Conv2D(9, 3, name=f"{long}{number}")(image) for number, image in enumerate(inputs)]
    outputs = layers.Softmax(name="out")(layers.Concatenate(name="all")(branches))
    model = keras.Model(inputs, outputs)
    text = summary_text(model)
    assert os.environ["COLUMNS"] == "40"
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines() if line[0] == "│"]
    assert ["image_1 (InputLayer)", "(None, 4000, 3000, 1)", "0", "-"] in rows
    assert [f"{long}2 (Conv2D)", "(None, 3998, 2998, 9)", "90", "image_2[0][0]"] in rows
    started = next(number for number, row in enumerate(rows) if row[0] == "all (Concatenate)")
    inputs_of_all = " ".join(row[3] for row in rows[started:-1])
    assert inputs_of_all == ", ".join(f"{long}{number}[0][0]" for number in range(3))
    assert rows[-1] == ["out (Softmax)", "(None, 3998, 2998, 27)", "0", "all[0][0]"]
    assert "…" not in text


def test_a_summary_leaves_the_environment_and_standard_output_as_they_were(monkeypatch, capsys):
    monkeypatch.delenv("COLUMNS", raising=False)
    summary_text(build_model("fc", (8, 8, 1), 3, {"width": 0.01}))
    assert "COLUMNS" not in os.environ
    print("still here")
    assert capsys.readouterr().out == "still here\n"


class Trap:
    """Unpickling it would make a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mknod, (self.path,)


def write_pickle(path, saved, mark):
    path.write_bytes(pickle.dumps(Trap(mark)))


def write_lambda(path, saved, mark):
    """Write a model with a Lambda layer, which is Keras' own way to keep code in a model file."""
    name, flags = str(mark), os.O_CREAT
    model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: os.close(os.open(name, flags)) or x)])
    model.save(path)
    mark.unlink()
    # The file does run its code if the reader allows code.
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
    """Write a model whose configuration names a function to call instead of a layer."""
    with zipfile.ZipFile(saved) as archive, zipfile.ZipFile(path, "w") as written:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "config.json":
                config = {"module": "os", "class_name": "mknod", "config": {"path": str(mark)}, "registered_name": None}
                content = json.dumps(config).encode()
            written.writestr(name, content)


def changing_the_weights(change):
    """Write a model file whose inner file of the weights is changed; the zip around it is sound."""

    def write(path, saved, mark):
        with zipfile.ZipFile(saved) as archive, zipfile.ZipFile(path, "w") as written:
            for name in archive.namelist():
                content = archive.read(name)
                written.writestr(name, change(content) if name.endswith(".h5") else content)

    return write


write_cut_weights = changing_the_weights(lambda content: content[: len(content) // 2])
write_no_hdf5 = changing_the_weights(lambda content: b"x" * len(content))
write_empty_weights = changing_the_weights(lambda content: b"")


@pytest.mark.parametrize(
    "write",
    [
        write_pickle, write_lambda, write_truncated, write_nothing, write_without_weights, write_module_of_its_own,
        write_cut_weights, write_no_hdf5, write_empty_weights,
    ],
    ids=[
        "pickle", "lambda", "truncated", "nothing", "no weights", "module of its own", "weights cut", "weights no hdf5",
        "weights empty",
    ],
)  # fmt: skip
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


def test_what_the_system_refuses_is_not_put_down_to_the_file(saved, monkeypatch):
    def broken(*_, **__):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(keras.saving, "load_model", broken)
    with pytest.raises(OSError, match="Input/output error"):
        load_model(saved)


@pytest.mark.parametrize("size", [(8, 9), (9, 8), (16, 16), (1, 1)])
def test_a_model_for_images_of_another_size_is_refused(saved, size):
    with pytest.raises(InputError, match=r"model\.keras: a model of inputs of the shape \(64,\), expected") as caught:
        load_model(saved, image_size=size)
    assert f"one for images of {size[0]} x {size[1]} pixels; delete it" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert load_model(saved, image_size=(8, 8)).name == "fc"


def test_rows_are_not_taken_for_columns(tmp_path):
    save_model(build_model("cnn", (32, 40, 1), 3, {"width": 0.01}), tmp_path / "model.keras")
    assert load_model(tmp_path / "model.keras", image_size=(32, 40)).name == "cnn"
    with pytest.raises(InputError, match=r"shape \(32, 40, 1\), expected one for images of 40 x 32 pixels"):
        load_model(tmp_path / "model.keras", image_size=(40, 32))


def test_a_model_of_several_inputs_or_of_images_of_any_size_is_refused(tmp_path):
    flexible = keras.Input((None, None, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(flexible)
    several = [keras.Input((64,)), keras.Input((64,))]
    for model in (keras.Model(flexible, pooled), keras.Model(several, keras.layers.Add()(several))):
        model.save(tmp_path / "model.keras")
        with pytest.raises(InputError, match="expected one for images of 8 x 8 pixels"):
            load_model(tmp_path / "model.keras", image_size=(8, 8))


@pytest.fixture(scope="module")
def folds(tmp_path_factory):
    """Three model files as folds have them: they differ in their weights."""
    folder = tmp_path_factory.mktemp("folds")
    for fold in range(3):
        keras.utils.set_random_seed(fold)
        save_model(build_model("cnn", (32, 32, 1), 3, {"width": 0.02}), folder / f"{fold}.keras")
    return sorted(folder.iterdir())


def predictions_of(model):
    images = np.random.default_rng(1).integers(0, 256, (4, 32, 32), dtype=np.uint8)
    return predict(model, images, np.arange(4), batch_size=4)


def test_models_one_after_the_other_are_those_of_the_files(folds):
    found = [(model, predictions_of(model)) for model in load_models([*folds, folds[0]], "cnn", 3, (32, 32))]
    assert len({id(model) for model, _ in found}) == 1
    expected = [predictions_of(load_model(path)) for path in [*folds, folds[0]]]
    np.testing.assert_array_equal([predictions for _, predictions in found], expected)
    assert not np.array_equal(expected[0], expected[1])


def test_a_model_of_other_layers_among_the_others_is_built(tmp_path, folds):
    """The settings of a definition may differ between the files of two runs; the architecture's name is the same."""
    layers = keras.layers
    inputs = layers.Input((32, 32, 1))
    outputs = layers.Dense(3, activation="softmax")(layers.Flatten()(inputs))
    save_model(keras.Model(inputs, outputs, name="cnn"), tmp_path / "other.keras")
    paths = [folds[0], tmp_path / "other.keras", folds[1]]
    for path, model in zip(paths, load_models(paths, "cnn", 3, (32, 32)), strict=True):
        np.testing.assert_array_equal(predictions_of(model), predictions_of(load_model(path)))


@pytest.mark.parametrize(
    "write",
    [write_pickle, write_truncated, write_nothing, write_without_weights, write_cut_weights, write_no_hdf5],
    ids=["pickle", "truncated", "nothing", "no weights", "weights cut", "weights no hdf5"],
)
def test_the_file_that_is_no_model_of_ours_is_named_among_the_others(tmp_path, folds, write):
    path, mark = tmp_path / "model.keras", tmp_path / "mark"
    write(path, folds[1], mark)
    with pytest.raises(InputError, match=r"model\.keras: no model that this program saved \(.*; delete it") as caught:
        list(load_models([folds[0], path, folds[2]], "cnn", 3, (32, 32)))
    assert "\n" not in str(caught.value)
    assert not mark.exists()


def test_a_model_of_another_size_or_architecture_among_the_others_is_refused(tmp_path, saved, folds):
    save_model(build_model("cnn", (32, 40, 1), 3, {"width": 0.02}), tmp_path / "wide.keras")
    with pytest.raises(InputError, match=r"wide\.keras: a model of inputs of the shape \(32, 40, 1\), expected"):
        list(load_models([folds[0], tmp_path / "wide.keras"], "cnn", 3, (32, 32)))
    with pytest.raises(InputError, match="a model of the architecture fc, expected cnn"):
        list(load_models([folds[0], saved], "cnn", 3, (32, 32)))


class Wildcards(tuple):
    """Like Snakemake's wildcards: a sequence whose items also have names."""

    def __new__(cls, model, layer):
        wildcards = super().__new__(cls, (model, layer))
        wildcards.model, wildcards.layer = model, layer
        return wildcards


class Files(list):
    """Like Snakemake's files of a job: a list some of whose items also have names."""

    def __init__(self, *files, **named):
        super().__init__(files)
        vars(self).update(named)

    def get(self, name):
        return getattr(self, name, None)


@pytest.mark.parametrize(
    "script", ["ascend_filters", "check_layers", "compute_feature_maps", "compute_saliency", "predict_held_out"]
)
def test_every_script_that_loads_a_model_says_for_images_of_what_size(tmp_path, saved, script, base_config):
    """The data are of 9 x 8 pixels, the model of 8 x 8."""
    np.save(tmp_path / "images.npy", np.arange(2 * 9 * 8, dtype=np.uint8).reshape(2, 9, 8))
    (tmp_path / "samples.csv").write_text(
        "index,label,usage,duplicate_group,source,excluded\n0,0,,0,a,\n1,1,Test,1,b,\n", encoding="utf-8"
    )
    (tmp_path / "folds.csv").write_text("index,fold,group\n0,0,0\n", encoding="utf-8")
    (tmp_path / "predictions.csv").write_text("index,label,a,b,c\n1,1,0,1,0\n", encoding="utf-8")
    snakemake = SimpleNamespace(
        input=Files(
            saved, model=saved, other=saved, models=[saved], **{path.stem: path for path in tmp_path.iterdir()}
            | {"predictions": [tmp_path / "predictions.csv"]},
        ),
        output=Files(tmp_path / "output"),
        rule=script,
        wildcards=Wildcards("fc", layer="dense_1"),
        config={"gpus": {"jobs_per_gpu": 1}},
        resources={},
        threads=1,
        params=SimpleNamespace(
            architecture="fc", classes=["a", "b", "c"], image_size=[9, 8], image=0, seed=0, precision="float32",
            mirrored=False, width=1, saliency=base_config["saliency"],
            layer_checks={"fold": 0, "images": 2}, layers=["dense_1"],
            filters={"count": 1, "steps": 1, "step_size": 1, "batch_size": 1},
        ),
    )  # fmt: skip
    with pytest.raises(InputError, match="expected one for images of 9 x 8 pixels"):
        importlib.import_module(script).main(snakemake)


@pytest.mark.parametrize("mirrored", [False, True])
def test_held_out_images_are_predicted_as_the_definition_says(tmp_path, saved, mirrored):
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8)).astype(np.uint8)
    np.save(tmp_path / "images.npy", images)
    (tmp_path / "samples.csv").write_text(
        "index,label,usage,duplicate_group,source,excluded\n"
        "0,0,Training,0,a,\n1,1,Test,1,b,\n2,2,Test,2,c,\n3,2,Test,3,d,blank\n",
        encoding="utf-8",
    )
    snakemake = SimpleNamespace(
        input=Files(models=[saved], images=tmp_path / "images.npy", samples=tmp_path / "samples.csv"),
        output=Files(predictions=tmp_path / "predictions.csv", probabilities=tmp_path / "probabilities.npy"),
        rule="predict_held_out",
        wildcards=Wildcards("fc", layer="dense_1"),
        config={"gpus": {"jobs_per_gpu": 1}},
        resources={},
        threads=1,
        params=SimpleNamespace(architecture="fc", classes=["a", "b", "c"], mirrored=mirrored),
    )
    importlib.import_module("predict_held_out").main(snakemake)
    expected = predict(load_model(saved), images, np.array([1, 2]), 2, mirrored)
    np.testing.assert_allclose(np.load(tmp_path / "probabilities.npy")[0], expected, atol=1e-6)
