"""JAX and PyTorch in the place of TensorFlow. Each runs in processes that cannot import TensorFlow."""

import functools
import importlib
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from helpers import REPOSITORY, Workflow, contents, need

pytestmark = pytest.mark.slow  # whole runs on other engines, which start slowly

CNN = "results/demo-tiny/cnn"
# XLA's compiler takes most of the time of so small nets, unless it is told not to optimize. The comparison of the
# engines alone leaves it as users have it.
QUICK = {"XLA_FLAGS": "--xla_backend_optimization_level=0"}


def need_engine(backend):
    """Skip the test where the backend is not installed. Where it must be installed, the test fails instead."""
    need(backend, f"requirements-{backend}.txt", "FERCV_NEEDS_ENGINES")


@pytest.fixture(scope="session", params=["jax", "torch"])
def run_on(request, tmp_path_factory):
    """The tiny experiment's cnn, run to the end on another engine: (backend, workflow)."""
    need_engine(request.param)
    workflow = Workflow(tmp_path_factory.mktemp(request.param))
    workflow.run(overlay={"models": ["cnn"]}, KERAS_BACKEND=request.param, **QUICK)
    return request.param, workflow


def computed_on(backend, code, *arguments, **variables):
    """What a program prints as JSON on a backend, with variables of the environment."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "scripts"), "KERAS_BACKEND": backend} | variables
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_whole_experiment_runs_and_says_on_what(run_on, finished):
    backend, workflow = run_on
    made, expected = (set(contents(each)) for each in (workflow, finished))
    # One model alone has no averages.
    assert made == {name for name in expected if not name.startswith(("demo-tiny/fc/", "demo-tiny/ensembles"))}
    for fold in ("00", "01"):
        metrics = json.loads((workflow.folder / CNN / f"folds/{fold}/metrics.json").read_text())
        assert metrics["software"][backend].startswith(importlib.import_module(backend).__version__)
        assert "tensorflow" not in metrics["software"]
        assert 0 < metrics["log_loss"] < 10
    (said,) = {
        line.partition(": ")[2].partition(" with ")[0]
        for log in (workflow.folder / "results/demo-tiny/logs").rglob("*.log")
        for line in log.read_text().splitlines()
        if f": {backend} on " in line
    }
    assert said in (f"{backend} on cpu:0", f"{backend} on cpu")
    with np.load(workflow.folder / CNN / "saliency.npz") as saliency:
        assert saliency["heat"][0].max(axis=(1, 2)).min() == 1
    with np.load(workflow.folder / CNN / "filters_block4_pool.npz") as filters:
        assert (filters["activations"][:, -1] > filters["activations"][:, 0]).mean() > 0.5
    with np.load(workflow.folder / CNN / "feature_maps_conv2_pool.npz") as features:
        assert features["maps"].std() > 0
    held_out = pd.read_csv(workflow.folder / CNN / "held_out_predictions.csv")
    np.testing.assert_allclose(held_out.iloc[:, -7:].sum(axis=1), 1, atol=1e-5)


def test_a_second_run_gives_the_same_bytes(run_on, tmp_path):
    """Of a fold, its saliency and its filters: what the others compute is computed here, too."""
    backend, first = run_on
    second, targets = Workflow(tmp_path), [f"{CNN}/saliency.npz", f"{CNN}/filters_block4_pool.npz"]
    second.run("--cores", "1", *targets, overlay={"models": ["cnn"]}, KERAS_BACKEND=backend, **QUICK)
    first, second = contents(first), contents(second)
    assert {name for name in second if first[name] != second[name]} == set()
    assert {f"results/{name}" for name in second} >= {*targets, f"{CNN}/folds/00/model.keras"}


COMPUTE = """
import json, sys
import numpy as np
from fercv.data.preprocessing import standardize
from fercv.engine.backend import keras
from fercv.engine.setup import set_up
from fercv.nets.models import load_model, predict
from fercv.visualize.filters import ascend_filters, centred, noise_images, unit_rms
from fercv.visualize.robust_ascent import Distortion, ascend_robustly
from fercv.visualize.saliency import Settings, class_score_gradient, explain, saliency_maps

set_up("tests", 7)
model, images = load_model(sys.argv[1]), np.load(sys.argv[2])[:32]
scores, gradients = map(
    keras.ops.convert_to_numpy, class_score_gradient(model)(standardize(images), np.arange(32) % 7)
)
ascended = ascend_filters(
    model, "block4_pool", range(8), image_shape=images.shape[1:], steps=5, step_size=0.05, seed=1, batch_size=8
)
robust = ascend_robustly(
    model, "block4_pool", range(8), unit_rms(centred(noise_images(1, range(8), images.shape[1:]))), steps=5,
    step_size=0.1, distortion=Distortion(2, 5, 0.05), seed=1, batch_size=8,
)
explained, settings = explain(model), Settings(32, samples=2, steps=3, seed=5)
maps = {
    method: saliency_maps(method, explained, standardize(images), np.arange(32) % 7, settings)
    for method in ("gradient", "smooth_grad", "integrated_gradients", "grad_cam")
}
# The compiled functions must see new weights.
model.set_weights([weights[..., ::-1] for weights in model.get_weights()])
maps["new_weights"] = saliency_maps("gradient", explained, standardize(images), np.arange(32) % 7, settings)
model.set_weights([weights[..., ::-1] for weights in model.get_weights()])
found = maps | {
    "probabilities": predict(model, images, np.arange(32), 32), "scores": scores, "gradients": gradients,
    "activations": ascended.activations, "ascended": ascended.images,
    "robust": robust.images,
}
np.savez(sys.argv[3], **found)
print(json.dumps("done"))
"""


@pytest.fixture(scope="session")
def computed(finished, tmp_path_factory):
    """A function of a backend: what it computes from the weights of the tiny experiment's cnn, as {name: array}."""

    @functools.cache
    def compute(backend):
        path = tmp_path_factory.mktemp("computed") / f"{backend}.npz"
        folder = finished.folder / "results/demo-tiny"
        computed_on(backend, COMPUTE, folder / "cnn/folds/00/model.keras", folder / "data/images.npy", path)
        with np.load(path) as arrays:
            return dict(arrays)

    return compute


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_same_weights_give_the_same_predictions_gradients_and_ascent(backend, computed):
    """To float32 rounding. An operation errs by 6e-8; after all layers and five steps, it was 1e-6 of the largest.

    The gradient of ReLU and of max pooling jumps. Where rounding decides on which side of a jump an image is, engines
    differ by much more. Which images meet a jump depends on the processor: one of eight may. Each array has images or
    filters along its first axis.
    """
    need_engine(backend)
    expected, found = computed("tensorflow"), computed(backend)
    assert found.keys() == expected.keys()
    for name, values in found.items():
        assert values.dtype == expected[name].dtype, name
        differences = np.abs(values - expected[name]).reshape(len(values), -1).max(axis=1)
        largest = np.abs(expected[name]).max()
        assert largest > 0, name
        jumps = name not in ("probabilities", "scores")
        assert (differences > 1e-5 * largest).sum() <= jumps * len(values) // 8, name


TRAIN = """
import hashlib, json, sys
from pathlib import Path
import numpy as np
from fercv.engine.setup import set_up
from fercv.train import loop
from fercv.train.checkpoint import Checkpoints

no_move = dict.fromkeys(["rotation", "width_shift", "height_shift", "shear", "zoom"], 0)
definition = {
    "architecture": "cnn", "settings": {"width": 0.05, "dropout": 0.5}, "optimizer": "muon", "learning_rate": 0.003,
    "weight_decay": 0.02, "schedule": {"name": "constant", "warmup": 0}, "batch_size": 8, "epochs": 4,
    "class_weights": "none", "label_smoothing": 0.1, "mirrored_prediction": True, "precision": "float32",
    "early_stopping": {"enabled": True, "patience": 9},
    "augmentation": no_move | {"horizontal_flip": True},
}
images = np.random.default_rng(0).integers(0, 256, (48, 32, 32)).astype(np.uint8)
rows, labels = np.arange(48), np.arange(48) % 3
stop, path = sys.argv[1] == "stop", Path(sys.argv[2])
set_up("cnn fold 00", 7)
checkpoints = Checkpoints(path, {}, 1.0, "cnn fold 00")
task = loop.Task(
    "cnn fold 00", definition, 7, images, labels, 3, rows[:24], rows[24:36], rows[36:], checkpoints=checkpoints
)
train_epoch = loop.train_epoch

def stopping(state, *arguments):
    if stop and len(state.history) == 2:
        print(json.dumps("stopped"))
        sys.exit()
    return train_epoch(state, *arguments)

loop.train_epoch = stopping
fold = loop.train(task)
weights = hashlib.sha256(b"".join(array.tobytes() for array in fold.model.get_weights())).hexdigest()
print(json.dumps([len(fold.timing), [list(row.values()) for row in fold.history], weights]))
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_fold_that_was_stopped_ends_with_the_same_bits(backend, tmp_path):
    """With Muon, dropout, and early stopping, whose weights are in the checkpoint, too."""
    need_engine(backend)
    whole = computed_on(backend, TRAIN, "whole", tmp_path / "whole.checkpoint", **QUICK)
    assert computed_on(backend, TRAIN, "stop", tmp_path / "stopped.checkpoint", **QUICK) == "stopped"
    resumed = computed_on(backend, TRAIN, "resume", tmp_path / "stopped.checkpoint", **QUICK)
    assert resumed == whole
    assert len(whole[1]) == 4
