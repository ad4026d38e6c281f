"""The file of a run, and the view that another process makes of it."""

import io
import json
import logging
import subprocess
import sys

import pytest
from helpers import REPOSITORY
from rich.console import Console

from fercv.workflow import view
from fercv.workflow.progress import ProgressFile, progress_path
from fercv.workflow.runs import Planned, Run, folds_of_run, newest_run, plan, read_run, run_path, write_run
from fercv.workflow.status import Status

CNN_00, CNN_01, FC_00 = ("cnn", "00"), ("cnn", "01"), ("fc", "00")


def fold_file(folder, model, fold, epochs=0, ended=False):
    """The file of a fold that trains 4 epochs, of which some are done."""
    written = ProgressFile(progress_path(folder, "mine", model, fold), model, fold)
    written.add("start", epochs=4, epochs_done=0, images=60, startup_seconds=8.0)
    for epoch in range(1, epochs + 1):
        written.add(
            "epoch", epoch=epoch, seconds=5.0 * epoch, accuracy=0.5, val_accuracy=epoch / 10, images_per_second=1234.5
        )
    if ended:
        written.add("end", epochs_done=epochs)
    return written


def run_of(*folds, ended=None, failed=()):
    return Run(100.0, ended, dict.fromkeys(folds, Planned(True)), set(failed))


def states(folder, run):
    return {fold: at.state for fold, at in folds_of_run(run, folder, "mine").items()}


def text_of(shown):
    console = Console(width=150, record=True, file=io.StringIO())
    console.print(shown)
    return console.export_text()


def test_what_is_written_is_read(tmp_path):
    run = Run(12.5, 99.0, {CNN_00: Planned(True, (1, 2, 3, 4)), FC_00: Planned(False)}, {CNN_00})
    path = run_path(tmp_path, "mine")
    write_run(path, run)
    assert read_run(path) == run
    assert [file.name for file in path.parent.iterdir()] == ["run.json"]


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"began": 1, "ended": null, "folds": [[1]], "failed": []}'])
def test_what_is_no_file_of_a_run_is_none(tmp_path, content):
    path = run_path(tmp_path, "mine")
    path.parent.mkdir(parents=True)
    if content is not None:
        path.write_text(content, encoding="utf-8")
    assert read_run(path) is None
    assert newest_run(tmp_path) is None


def test_a_run_that_cannot_be_noted_down_goes_on(tmp_path):
    (tmp_path / "results").write_text("no folder", encoding="utf-8")
    write_run(run_path(tmp_path, "mine"), run_of(CNN_00))


def test_where_each_fold_is(tmp_path):
    fold_file(tmp_path, *CNN_00, epochs=4, ended=True)
    fold_file(tmp_path, *CNN_01, epochs=1)
    assert states(tmp_path, run_of(CNN_00, CNN_01, FC_00)) == {CNN_00: "done", CNN_01: "training", FC_00: "waiting"}
    assert states(tmp_path, run_of(CNN_01, failed=[CNN_01])) == {CNN_01: "failed"}


def test_what_an_earlier_run_left_counts_only_for_the_folds_that_it_has_done(tmp_path):
    fold_file(tmp_path, *CNN_00, epochs=4, ended=True)
    fold_file(tmp_path, *CNN_01, epochs=2)
    planned = {CNN_00: plan(tmp_path, "mine", CNN_00, False), CNN_01: plan(tmp_path, "mine", CNN_01, True)}
    run = Run(100.0, None, planned, set())
    assert states(tmp_path, run) == {CNN_00: "done", CNN_01: "waiting"}
    assert folds_of_run(run, tmp_path, "mine")[CNN_00].progress.epochs_done == 4
    fold_file(tmp_path, *CNN_01, epochs=1)
    assert states(tmp_path, run) == {CNN_00: "done", CNN_01: "training"}


def test_a_run_notes_down_its_folds_its_failures_and_its_end(tmp_path):
    fold_file(tmp_path, *FC_00, epochs=4, ended=True)
    status = Status(tmp_path, "mine")
    status.start({CNN_00: True, CNN_01: True, FC_00: False}, logging.Logger("snakemake"))
    begun = read_run(run_path(tmp_path, "mine"))
    assert (begun.ended, begun.failed) == (None, set())
    assert {fold: planned.trains for fold, planned in begun.folds.items()} == {CNN_00: True, CNN_01: True, FC_00: False}
    status.of_run.failed.add(CNN_01)
    status.stop()
    ended = read_run(run_path(tmp_path, "mine"))
    assert ended.ended >= begun.began
    assert ended.failed == {CNN_01}


def test_the_view_has_what_is_done_and_each_fold_in_training(tmp_path):
    fold_file(tmp_path, *CNN_00, epochs=4, ended=True)
    fold_file(tmp_path, *CNN_01, epochs=2)
    run = run_of(CNN_00, CNN_01, FC_00)
    folds = folds_of_run(run, tmp_path, "mine")
    now = folds[CNN_01].progress.last_seen + 2
    lines = [line.split() for line in text_of(view.view("mine", run, folds, now)).splitlines()]
    assert " ".join(lines[0]).startswith("mine: 1 of 3 folds done, 1 in training, 1 waiting. Training ends in about ")
    assert lines[2:4] == [["cnn", "1", "1", "-", "-", "0.400"], ["fc", "-", "-", "1", "-", "-"]]
    assert lines[5] == ["cnn", "01", "3/4", "0.500", "0.200", "1,234", "8", "s", "2", "s", "ago"]


def test_the_view_says_that_a_run_is_over_and_that_folds_failed(tmp_path):
    fold_file(tmp_path, *CNN_00, epochs=4, ended=True)
    fold_file(tmp_path, *CNN_01, epochs=2)
    run = run_of(CNN_00, CNN_01, ended=120.0, failed=[CNN_01])
    text = text_of(view.view("mine", run, folds_of_run(run, tmp_path, "mine"), 130.0))
    assert text.startswith("mine: 1 of 2 folds done, 1 failed. The run ended at ")
    assert "Last word" not in text


def test_the_view_says_that_a_fold_is_silent(tmp_path):
    fold_file(tmp_path, *CNN_00, epochs=2)
    run = run_of(CNN_00)
    folds = folds_of_run(run, tmp_path, "mine")
    seen = folds[CNN_00].progress.last_seen
    assert "may have been killed" not in text_of(view.view("mine", run, folds, seen + view.SILENT_SECONDS - 1))
    silent = text_of(view.view("mine", run, folds, seen + view.SILENT_SECONDS + 1))
    assert "No word for long from cnn 00: the run may have been killed." in silent


def watch(folder, *arguments):
    """Run scripts/watch.py in a folder."""
    command = [sys.executable, REPOSITORY / "scripts" / "watch.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def test_the_program_shows_the_run_that_began_last(tmp_path):
    write_run(run_path(tmp_path, "old"), run_of(CNN_00, ended=110.0)._replace(began=90.0))
    write_run(run_path(tmp_path, "mine"), run_of(CNN_00, CNN_01, ended=120.0))
    fold_file(tmp_path, *CNN_00, epochs=4, ended=True)
    assert watch(tmp_path).stdout.startswith("mine: 1 of 2 folds done. The run ended at ")
    assert watch(tmp_path, "--once").stdout.startswith("mine: 1 of 2 folds done. The run ended at ")
    assert watch(tmp_path, "results/old", "--once").stdout.startswith("old: 0 of 1 folds done. ")


def test_the_program_draws_all_folds_so_far(tmp_path):
    write_run(run_path(tmp_path, "mine"), run_of(CNN_00, FC_00))
    assert watch(tmp_path, "--picture").stderr == "no fold has trained an epoch yet\n"
    fold_file(tmp_path, *CNN_00, epochs=2)
    assert watch(tmp_path, "--picture").stdout == "results/mine/progress.png\n"
    assert (tmp_path / "results" / "mine" / "progress.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no run has trained folds in this folder; name the results, as in: watch.py results/demo\n"),
        (["data"], "data: expected the folder of an experiment, as in results/demo\n"),
        (
            ["results/mine"],
            "there is no run that can be read; Snakemake writes this file when it begins to train folds\n",
        ),
    ],
)
def test_the_program_says_what_is_missing(tmp_path, arguments, said):
    done = watch(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(said)
    assert json.dumps(done.stderr).count("\\n") == 1
