import json
import zipfile

import numpy as np
import pytest

from fercv.data.tables import FINAL_HISTORY, HISTORY, predictions_table
from fercv.engine.backend import keras
from fercv.engine.setup import set_up
from fercv.evaluate.measures import fold_measures, log_loss
from fercv.nets import architectures
from fercv.nets.models import build_model, load_model, predict, save_model
from fercv.train import loop
from fercv.train.checkpoint import Checkpoints, read_checkpoint, write_checkpoint
from fercv.train.loop import Task, train
from fercv.workflow.errors import InputError
from fercv.workflow.progress import ProgressFile

DEFINITION = {
    "architecture": "small",
    "settings": {"dropout": 0.1},
    "augmentation": {
        "rotation": 5, "width_shift": 0.05, "height_shift": 0, "shear": 0, "zoom": 0, "horizontal_flip": True
    },
    "optimizer": "adam",
    "learning_rate": 0.003,
    "weight_decay": 0,
    "schedule": {"name": "constant", "warmup": 0, "every": 1, "factor": 0.5},
    "batch_size": 16,
    "epochs": 2,
    "early_stopping": {"enabled": False, "patience": 1, "fraction": 0.1},
    "class_weights": "none",
    "label_smoothing": 0,
    "mirrored_prediction": False,
    "precision": "float32",
}  # fmt: skip


def small(layers, image_shape, classes, *, dropout=0.5, batch_normalization=True):
    """An architecture with each kind of layer of the cnn. TensorFlow compiles it in a fraction of the time."""
    x = inputs = layers.Input(image_shape, name="image")
    for block in range(2):
        x = layers.Conv2D(8, 3, padding="same", name=f"conv_{block}")(x)
        x = layers.LeakyReLU(name=f"leaky_re_lu_{block}")(x)
        if batch_normalization:
            x = layers.BatchNormalization(momentum=0.9, name=f"bn_{block}")(x)
        x = layers.MaxPooling2D(4, name=f"pool_{block}")(x)
    x = layers.Dense(32, activation="leaky_relu", name="dense")(layers.Flatten(name="flatten")(x))
    x = layers.Dropout(dropout, name="dropout")(x)
    return inputs, layers.Dense(classes, activation="softmax", dtype="float32", name="predictions")(x)


@pytest.fixture(autouse=True, scope="module")
def own_architecture():
    """Let definitions name the architecture `small`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(architectures, "small", small, raising=False)
        yield


def stripes(count=96, size=32):
    """Images of three classes that are easy to tell: horizontal, vertical, no stripes."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 3
    images = rng.integers(100, 140, (count, size, size))
    images[labels == 0, ::4] += 60
    images[labels == 1, :, ::4] += 60
    return images.astype(np.uint8), labels


def task(
    seed=3,
    training=slice(72),
    validation=slice(72, None),
    inner_validation=None,
    checkpoints=None,
    progress=None,
    **changes,
):
    """A fold of the stripes with a changed DEFINITION. The rows from 72 on are for validation, unless it is None."""
    images, labels = stripes()
    rows = np.arange(len(images))
    return Task(
        name="cnn fold 00",
        definition=DEFINITION | changes,
        seed=seed,
        images=images,
        labels=labels,
        classes=3,
        training=rows[training],
        validation=None if validation is None else rows[validation],
        inner_validation=None if inner_validation is None else rows[inner_validation],
        checkpoints=checkpoints,
        progress=progress,
    )


def trained(seed=3, **changes):
    """The fold, trained from the beginning or from a checkpoint."""
    asked = task(seed, **changes)
    set_up("tests", seed, precision=asked.definition["precision"])
    return train(asked)


def test_it_learns_and_says_so_epoch_by_epoch(caplog):
    caplog.set_level("INFO", "fercv")
    result = trained(epochs=8)
    assert [row["epoch"] for row in result.history] == list(range(1, 9))
    assert result.history[-1]["accuracy"] > 0.8 > result.history[0]["accuracy"]
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    lines = [record.getMessage() for record in caplog.records if record.message.startswith("cnn fold")]
    assert [line.split(":")[0] for line in lines if "epoch " in line] == [
        f"cnn fold 00 epoch {n}/8" for n in range(1, 9)
    ]


def test_a_fold_traces_its_training_step_once(monkeypatch):
    """Each trace takes as long as dozens of the demo's steps."""
    traces, step = [], keras.Model.train_step

    def noted(model, data):
        traces.append(model.name)
        return step(model, data)

    monkeypatch.setattr(keras.Model, "train_step", noted)
    trained(epochs=2)
    assert len(traces) == 1


def test_what_is_learned_in_few_steps_holds_in_prediction():
    """With the moving averages of batch normalization too slow, every image would be named as one class."""
    augmentation = dict.fromkeys(DEFINITION["augmentation"], 0)
    cnn = {"architecture": "cnn", "settings": {"width": 0.05, "dropout": 0.1}}
    history = trained(epochs=10, batch_size=24, augmentation=augmentation, **cnn).history
    assert history[-1]["accuracy"] > 0.95
    assert history[-1]["val_accuracy"] > 0.9


def test_the_fully_connected_net_of_twenty_plain_layers_learns():
    result = trained(architecture="fc", settings={"width": 0.1, "dropout": 0.0}, epochs=12, learning_rate=0.001)
    assert result.history[-1]["accuracy"] > 0.8


def measured(probabilities):
    """The measures that metrics.json would hold for these predictions of the validation rows."""
    classes, rows = ["horizontal", "vertical", "none"], np.arange(72, 96)
    return fold_measures(predictions_table(rows, stripes()[1][rows], probabilities, classes), classes)


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_last_epochs_validation_is_that_of_the_returned_model(mirrored):
    result = trained(mirrored_prediction=mirrored)
    measures = measured(predict(result.model, stripes()[0], np.arange(72, 96), 16, mirrored))
    assert measures["accuracy"] == result.history[-1]["val_accuracy"]
    assert measures["log_loss"] == pytest.approx(result.history[-1]["val_loss"], rel=1e-4)


def test_training_rows_are_measured_cleanly_as_well():
    asked = task(epochs=2, settings={"dropout": 0.9})
    sample = asked.sample
    assert len(sample) == len(set(sample)) == len(asked.validation)
    assert set(sample) <= set(asked.training)
    assert list(task(epochs=2).sample) == list(sample) != list(task(seed=4, epochs=2).sample)
    assert set(task(training=slice(10)).sample) == set(range(10))
    result = trained(epochs=2, settings={"dropout": 0.9})
    images, labels = stripes()
    probabilities = predict(result.model, images, sample, 16)
    assert result.history[-1]["clean_accuracy"] == (probabilities.argmax(axis=1) == labels[sample]).mean()
    assert result.history[-1]["clean_loss"] == pytest.approx(log_loss(labels[sample], probabilities), rel=1e-4)


def test_without_validation_rows_the_same_model_is_trained_and_only_training_rows_are_measured(tmp_path, monkeypatch):
    files, histories = [], []
    for number, changes in enumerate([{}, {"validation": None}]):
        result = trained(settings={"dropout": 0.5}, **changes)
        files.append(tmp_path / f"{number}.keras")
        save_model(result.model, files[-1])
        histories.append(result.history)
    assert files[0].read_bytes() == files[1].read_bytes()
    columns = [list(history[-1]) for history in histories]
    assert columns == [list(HISTORY), list(FINAL_HISTORY)]
    assert [row["accuracy"] for row in histories[0]] == [row["accuracy"] for row in histories[1]]
    assert set(task(validation=None).sample) == set(range(72))
    monkeypatch.setattr(loop, "SAMPLE_ROWS", 10)
    assert len(task(validation=None).sample) == 10


def test_a_certain_mistake_costs_the_same_loss_in_the_history_and_in_the_metrics(monkeypatch):
    certain = np.eye(3, dtype=np.float32)[np.zeros(24, int)]
    monkeypatch.setattr(loop, "predict", lambda *_: certain)
    (epoch,) = trained(epochs=1).history
    assert epoch["val_loss"] == measured(certain)["log_loss"]
    assert epoch["val_accuracy"] == measured(certain)["accuracy"]


def test_the_learning_rate_moves_from_step_to_step_and_the_history_has_that_of_each_epochs_middle(monkeypatch):
    rates, step = [], keras.Model.train_on_batch

    def noted(model, *arguments, **keywords):
        rates.append(float(model.optimizer.learning_rate))
        return step(model, *arguments, **keywords)

    monkeypatch.setattr(keras.Model, "train_on_batch", noted)
    schedule = {"name": "linear", "warmup": 0}
    history = trained(training=slice(48), batch_size=24, learning_rate=0.8, schedule=schedule).history
    assert rates == pytest.approx([0.7, 0.5, 0.3, 0.1])
    assert [row["learning_rate"] for row in history] == pytest.approx([0.6, 0.2])


def test_label_smoothing_makes_a_model_less_certain():
    """Of three classes, the true one is to get 0.4 + 0.6 / 3 = 0.6."""
    augmentation = dict.fromkeys(DEFINITION["augmentation"], 0)
    result = trained(epochs=16, label_smoothing=0.6, augmentation=augmentation, settings={"dropout": 0})
    assert result.history[-1]["accuracy"] == 1
    certainty = predict(result.model, stripes()[0], np.arange(72), 16).max(axis=1)
    assert certainty.mean() == pytest.approx(0.6, abs=0.05)


def test_same_seed_same_bits_other_seed_others(tmp_path):
    files = []
    for number, seed in enumerate([3, 3, 4]):
        files.append(tmp_path / f"{number}.keras")
        save_model(trained(seed).model, files[-1])
    first, again, other = (file.read_bytes() for file in files)
    assert first == again
    assert first != other


class StoppedAfter(Checkpoints):
    """Checkpoints of a run that is stopped after an epoch."""

    def __init__(self, epoch, path):
        # Each epoch is saved, however long saving takes.
        super().__init__(path, {}, float("inf"), "cnn fold 00")
        self.epoch = epoch

    def save(self, take_state, epoch, last):
        super().save(take_state, epoch, last)
        if epoch == self.epoch:
            raise InterruptedError


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adam", "settings": {"dropout": 0.5}, "class_weights": "balanced"},
        {"optimizer": "adamw", "weight_decay": 0.01, "architecture": "fc", "settings": {"width": 0.05, "dropout": 0.1}},
        {
            "optimizer": "sgd",
            "weight_decay": 0.01,
            "schedule": {"name": "step", "warmup": 1, "every": 1, "factor": 0.5},
            "label_smoothing": 0.1,
            "mirrored_prediction": True,
        },
        {"optimizer": "rmsprop", "precision": "bfloat16", "weight_decay": 0.01},
        {"optimizer": "muon", "weight_decay": 0.01},
        {"early_stopping": {"enabled": True, "patience": 1, "fraction": 0.2}, "learning_rate": 0.1, "epochs": 12},
        {"validation": None, "settings": {"dropout": 0.5}},
    ],
    ids=["adam, dropout", "adamw, fc", "sgd, steps", "rmsprop, bfloat16", "muon", "early stopping", "final model"],
)
def test_a_run_that_was_stopped_twice_ends_with_the_same_bits(tmp_path, changes, caplog):
    rows = {"training": slice(60), "inner_validation": slice(60, 72)} if "early_stopping" in changes else {}

    def run(checkpoints):
        result = trained(checkpoints=checkpoints, **rows, **{"epochs": 3} | changes)
        save_model(result.model, tmp_path / "model.keras")
        return (tmp_path / "model.keras").read_bytes(), result.history

    undisturbed = run(None)
    for epoch in (1, len(undisturbed[1])):
        with pytest.raises(InterruptedError):
            run(StoppedAfter(epoch, tmp_path / "checkpoint"))
    model, history = run(Checkpoints(tmp_path / "checkpoint", {}, 1.0, "cnn fold 00"))
    assert history == undisturbed[1]
    assert model == undisturbed[0]
    assert "training starts from the beginning" not in caplog.text


def test_the_file_of_progress_has_each_epoch_once_also_after_a_stop(tmp_path):
    def file():
        return ProgressFile(tmp_path / "cnn_00.jsonl", "cnn", "00")

    with pytest.raises(InterruptedError):
        trained(checkpoints=StoppedAfter(2, tmp_path / "checkpoint"), progress=file(), epochs=4)
    assert [line["epoch"] for line in progress_lines(tmp_path) if line["event"] == "epoch"] == [1, 2]
    resumed = Checkpoints(tmp_path / "checkpoint", {}, 1.0, "cnn fold 00")
    result = trained(checkpoints=resumed, progress=file(), epochs=4)
    start, *lines, end = progress_lines(tmp_path)
    assert (start["event"], start["epochs"], start["epochs_done"], start["steps"]) == ("start", 4, 2, 4)
    assert (start["images"], start["validation_images"]) == (64, 24)
    assert start["parameters"] == result.model.count_params()
    assert (end["event"], end["epochs_done"]) == ("end", 4)
    epochs = [line for line in lines if line["event"] == "epoch"]
    assert [row.pop("kept") for row in result.history] == [0, 0, 0, 1]
    assert [{key: line[key] for key in row} for line, row in zip(epochs, result.history, strict=True)] == result.history
    assert [line["images_per_second"] for line in epochs] == [row["images_per_second"] for row in result.timing]
    seconds = np.cumsum([row["seconds"] + row["validation_seconds"] for row in result.timing])
    assert [line["seconds"] for line in epochs] == pytest.approx(seconds)


def progress_lines(folder):
    """The lines of the fold's file of progress."""
    return [json.loads(line) for line in (folder / "cnn_00.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def saved_epoch(own_architecture, tmp_path_factory):
    """A checkpoint of the fold after its first epoch."""
    path = tmp_path_factory.mktemp("saved") / "checkpoint"
    with pytest.raises(InterruptedError):
        trained(checkpoints=StoppedAfter(1, path), epochs=1)
    return path


def of_history(change):
    """Damage: a change of the rows of the history."""
    return lambda saved: saved._replace(numbers=saved.numbers | {"history": change(saved.numbers["history"])})


@pytest.mark.parametrize(
    "damage",
    [
        lambda saved: saved._replace(arrays=saved.arrays[:-1]),
        lambda saved: saved._replace(arrays=[*saved.arrays, np.zeros(3, np.float32)]),
        lambda saved: saved._replace(arrays=[saved.arrays[0][..., :1], *saved.arrays[1:]]),
        lambda saved: saved._replace(arrays=[saved.arrays[0].astype(np.float64), *saved.arrays[1:]]),
        lambda saved: saved._replace(numbers={}),
        lambda saved: saved._replace(numbers=saved.numbers | {"best_loss": "low"}),
        of_history(lambda rows: []),
        of_history(lambda rows: [*rows, *rows]),
        of_history(lambda rows: [row | {"loss": "x"} for row in rows]),
        of_history(lambda rows: [{"epoch": 1}]),
    ],
    ids=["an array less", "an array more", "shape", "dtype", "no numbers", "a text", "no epoch", "an epoch twice",
         "a loss that is a text", "columns"],
)  # fmt: skip
def test_a_checkpoint_that_holds_no_state_of_the_run_is_not_used(tmp_path, saved_epoch, damage, caplog):
    path = tmp_path / "checkpoint"
    write_checkpoint(path, {}, damage(read_checkpoint(saved_epoch, {})))
    result = trained(checkpoints=Checkpoints(path, {}, 0, "cnn fold 00"), epochs=1)
    assert "is not used, it is damaged: " in caplog.text
    assert len(result.history) == 1


def test_without_what_dropout_draws_next_the_bits_differ(tmp_path, monkeypatch):
    """The control: a checkpoint that forgets the seed generators, as Keras' own does."""

    def run(checkpoints):
        return trained(checkpoints=checkpoints, epochs=3, settings={"dropout": 0.5}).history

    undisturbed = run(None)
    with pytest.raises(InterruptedError):
        run(StoppedAfter(1, tmp_path / "checkpoint"))
    saved = Checkpoints(tmp_path / "checkpoint", {}, 1.0, "cnn fold 00")
    state = saved.restore()
    seeds = [array.dtype.kind in "iu" and array.shape == (2,) for array in state.arrays]
    assert any(seeds)
    forgotten = [array * 0 if seed else array for array, seed in zip(state.arrays, seeds, strict=True)]
    monkeypatch.setattr(saved, "restore", lambda check: state._replace(arrays=forgotten))
    assert run(saved) != undisturbed


def test_bfloat16_training_leaves_a_float32_model(tmp_path):
    images, rows = stripes()[0], np.arange(20)
    result = trained(precision="bfloat16")
    save_model(result.model, tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert {layer.compute_dtype for layer in loaded.layers} == {"float32"}
    np.testing.assert_array_equal(predict(loaded, images, rows, 16), predict(result.model, images, rows, 16))


def test_a_saved_model_holds_no_optimizer_and_no_date(tmp_path):
    model = build_model("cnn", (32, 32, 1), 3, {"width": 0.05})
    save_model(model, tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as saved:
        assert {entry.date_time for entry in saved.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"1980-01-01" in saved.read("metadata.json")
    assert (tmp_path / "model.keras").stat().st_size < 4 * model.count_params() + 400_000
    assert getattr(load_model(tmp_path / "model.keras"), "optimizer", None) is None


def test_prediction_pads_the_last_batch_and_keeps_the_order():
    images, _ = stripes()
    model = build_model("cnn", (32, 32, 1), 3, {"width": 0.05})
    rows = np.array([5, 90, 3, 17, 40])
    np.testing.assert_allclose(predict(model, images, rows, 4), predict(model, images, rows, 5), atol=1e-6)


def test_a_mirrored_prediction_is_the_mean_of_the_image_and_its_mirror_image():
    images, _ = stripes()
    images = np.concatenate([images, images[:, :, ::-1]])
    keras.utils.set_random_seed(0)
    model = build_model("fc", (32, 32, 1), 3, {"width": 0.1})
    rows = np.array([5, 90, 3])
    plain, of_mirror_images = predict(model, images, rows, 2), predict(model, images, rows + 96, 2)
    assert np.abs(plain - of_mirror_images).max() > 1e-3
    np.testing.assert_allclose(
        predict(model, images, rows, 2, mirrored=True), (plain + of_mirror_images) / 2, atol=1e-6
    )


def test_early_stopping_monitors_its_own_rows_and_keeps_their_best_epoch():
    asked = {"epochs": 12, "learning_rate": 0.1}
    asked["early_stopping"] = {"enabled": True, "patience": 1, "fraction": 0.1}
    rows = {"training": slice(60), "inner_validation": slice(60, 72)}
    stopped = trained(**asked, **rows)
    assert len(stopped.history) < 12
    assert [row["kept"] for row in stopped.history] == [0] * (len(stopped.history) - 2) + [1, 0]
    # The last epoch brought no gain, so the weights are those of the epoch before it.
    shorter = trained(**asked | {"epochs": len(stopped.history) - 1}, **rows)
    assert shorter.history == stopped.history[:-1]
    for kept, best in zip(stopped.model.get_weights(), shorter.model.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, best)


@pytest.mark.parametrize("validation", [slice(72, None), None], ids=["fold", "final model"])
@pytest.mark.parametrize(("epochs", "batch_size"), [(3, 16), (1, 72)], ids=["in training", "by the last step"])
def test_a_loss_that_is_no_number_stops_with_one_line(epochs, batch_size, validation):
    without = {"batch_normalization": False}
    with pytest.raises(
        InputError, match=r"^cnn fold 00: the loss became .* in epoch \d+; lower .*learning_rate"
    ) as caught:
        trained(
            learning_rate=1e30,
            optimizer="sgd",
            settings=without,
            epochs=epochs,
            batch_size=batch_size,
            validation=validation,
        )
    assert "\n" not in str(caught.value)
