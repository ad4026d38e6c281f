"""The last lines of a run: what a user reads at the end."""

import os
import re
import signal
import subprocess
import time

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def own(workflow):
    """A folder of a user's images, and the overlay of an experiment on it: {"data": ..., ...}."""
    rng = np.random.default_rng(0)
    for name in ("dark", "light"):
        folder = workflow.folder / "mine" / name
        folder.mkdir(parents=True)
        for number in range(8):
            pixels = rng.integers(0, 100, (32, 32)) + (120 if name == "light" else 0)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    return {
        "experiment": "mine",
        "models": ["fc"],
        "data": {"source": "mine", "classes": ["dark", "light"], "image_size": [32, 32], "held_out": False},
        "folds": {"number": 2},
        "filters": {"layers": []},
        "scale": "tiny",
        "scales": {"tiny": {"definitions": {"fc": {"settings": {"width": 0.03}, "batch_size": 8, "epochs": 2}}}},
    }


def last_lines(done):
    """What stands after the last empty line."""
    return done.stderr.rstrip("\n").split("\n\n")[-1].splitlines()


def test_a_failed_job_says_why_once_and_at_the_very_end(workflow, own):
    (workflow.folder / "mine/light/0.png").write_text("no image")
    done = workflow.run(configfile=None, overlay=own, check=False)
    assert done.returncode == 1
    log = "results/mine/logs/prepare_dataset.log"
    said = "mine: 'light/0.png' is no image that can be read; replace it or take it out"
    assert last_lines(done) == [f"prepare_dataset failed; its log is {log}:", said]
    text = done.stdout + done.stderr
    assert text.count(said) == 1 and text.count("light/0.png") == 1
    for noise in ("RuleException", "CalledProcessError", "message: None", "Look above", "WorkflowError"):
        assert noise not in text
    assert said in (workflow.folder / log).read_text(encoding="utf-8")


def test_the_end_says_where_the_results_are_how_good_they_are_and_what_is_left_over(workflow, own):
    done = workflow.run(configfile=None, overlay=own)
    place, accuracy, chance, report = last_lines(done)
    assert place == "The results are in results/mine."
    # The images of both classes are noise. Where a model names one class for all of them, all folds have 0.500.
    assert re.fullmatch(
        r"Accuracy over 2 folds, with its 95 % interval: fc (0\.500|[01]\.\d{3} \([-.\d]+ to [-.\d]+\))\.", accuracy
    )
    assert chance == (
        "Perhaps not better than always naming the most frequent class, whose accuracy stands in parentheses: fc "
        "(0.500)."
    )
    assert report == "results/mine/report.html shows all of them on one page: open it in a browser."
    assert "<title>mine: the results</title>" in (workflow.folder / "results/mine/report.html").read_text(
        encoding="utf-8"
    )
    said = [line.split(",")[0] for line in done.stderr.splitlines() if line.startswith("fc fold")]
    assert [re.sub(r"\d+ s$", "1 s", line) for line in sorted(said)] == [
        "fc fold 00: 2 epochs in 1 s", "fc fold 01: 2 epochs in 1 s"
    ]  # fmt: skip
    table = (workflow.folder / "results/mine/fc/summary.csv").read_text(encoding="utf-8")
    mean = float(re.search(r"^accuracy,([^,]+)", table, re.MULTILINE)[1])
    assert f"fc {mean:.3f}" in accuracy
    one_file = workflow.run("results/mine/data/samples.png", "--force", configfile=None, overlay=own)
    assert last_lines(one_file) == ["The results are in results/mine."]

    (workflow.folder / "results/mine/fc").rename(workflow.folder / "results/mine/old")
    again = workflow.run("data", "--forcerun", "plot_samples", configfile=None, overlay=own)
    assert last_lines(again)[-1] == "No longer part of the experiment: results/mine/old. Delete what you do not need."


@pytest.mark.parametrize("times", [1, 3])
def test_ctrl_c_ends_with_one_line_and_no_traceback(workflow, own, times):
    own["scales"]["tiny"]["definitions"]["fc"]["epochs"] = 2000
    command = workflow.command("train", configfile=None, overlay=own)
    process = subprocess.Popen(
        command, cwd=workflow.folder, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while not list((workflow.folder / "results").glob("mine/checkpoints/*.checkpoint")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        for _ in range(times):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.1)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode != 0
    expected = "Interrupted. Give the same command again to go on: folds continue after their last saved epoch."
    assert said.rstrip("\n").splitlines()[-1] == expected
    for noise in ("Traceback", "Error", "epoch 1/2000", "event loop"):
        assert noise not in said
    assert workflow.jobs("train", configfile=None, overlay=own)["train_fold"] == 2
