"""What is said at the end of a run, of the logs of failed jobs and of what stands in the folder of the results."""

import logging
from types import SimpleNamespace

import pytest

from fercv.workflow import ending
from fercv.workflow.ending import Ending, leftovers, reason

TIME = "2026-01-31 12:00:00,000"


@pytest.fixture
def said(monkeypatch):
    """The lines that would be said at the end."""
    lines = []
    monkeypatch.setattr(ending, "tell_at_exit", lines.extend)
    return lines


def event(kind, **values):
    return SimpleNamespace(event=SimpleNamespace(value=kind), **values)


def failed(number, path, rule="train_fold"):
    return event("job_error", jobid=number, rule_name=rule, log=[f"{path} (check log file(s) for error details)"])


def write_log(folder, name, *lines):
    (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return name


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([f"{TIME} INFO begin", f"{TIME} ERROR it is wrong"], ["it is wrong"]),
        ([f"{TIME} ERROR first", f"{TIME} INFO more", f"{TIME} ERROR last"], ["last"]),
        ([f"{TIME} ERROR unexpected error", "Traceback", "  a line"], ["unexpected error", "Traceback", "  a line"]),
        (
            [f"{TIME} INFO epoch 1", f"{TIME} INFO epoch 2 ERROR 3"],
            [f"{TIME} INFO epoch 1", f"{TIME} INFO epoch 2 ERROR 3"],
        ),
    ],
)
def test_the_reason_is_the_last_error_of_the_log_or_its_last_lines(tmp_path, lines, expected):
    path, said = reason(tmp_path, write_log(tmp_path, "x.log", *lines), True, [])
    assert path == "x.log" and said[: len(expected)] == expected


def test_a_job_that_was_killed_is_told_as_such(tmp_path):
    assert "killed" in reason(tmp_path, write_log(tmp_path, "x.log", f"{TIME} INFO epoch 1"), True, [])[1][-1]
    assert "killed" in reason(tmp_path, "missing.log", True, [])[1][-1]


KILLED = f"it ended before it wrote a line there; {ending.KILLED}"


@pytest.mark.parametrize(
    ("logs", "writes", "expected"),
    [
        ([], False, ["train_fold failed; its log is own.log:", KILLED]),
        (["7.log"], False, ["train_fold failed; its log is 7.log:", "Config file is extended", "a setting changed"]),
        (["7.log"], True, ["train_fold failed; its log is own.log:", "of today"]),
    ],
)
def test_a_job_that_ends_before_its_script_is_not_explained_by_an_earlier_jobs_log(
    tmp_path, said, logs, writes, expected
):
    run = Ending(tmp_path)
    write_log(tmp_path, "own.log", f"{TIME} ERROR of yesterday")
    write_log(tmp_path, "7.log", "Config file is extended", "a setting changed", "")
    run.note(event("job_info", jobid=3, rule_name="train_fold", log=["own.log"]))
    if writes:
        write_log(tmp_path, "own.log", f"{TIME} ERROR of today")
    run.note(event("job_error", jobid=3, rule_name="train_fold", log=["own.log", *logs]))
    run.tell_failures()
    assert said == expected


def test_each_reason_is_said_once_for_each_rule(tmp_path, said):
    run = Ending(tmp_path)
    for number, text in enumerate(["full", "full", "other"]):
        run.note(failed(number, write_log(tmp_path, f"{number}.log", f"{TIME} ERROR {text}")))
    run.note(failed(3, write_log(tmp_path, "3.log", f"{TIME} ERROR full"), rule="plot_saliency"))
    run.tell_failures()
    assert said == [
        "train_fold failed 2 times; the first log is 0.log:", "full", "train_fold failed; its log is 2.log:", "other",
        "plot_saliency failed; its log is 3.log:", "full",
    ]  # fmt: skip


def test_of_many_reasons_the_first_ones_are_said(tmp_path, said):
    run = Ending(tmp_path)
    for number in range(30):
        run.note(failed(number, write_log(tmp_path, f"{number}.log", f"{TIME} ERROR mistake {number}")))
    run.tell_failures()
    assert said[0] == "30 jobs failed, for instance:"
    assert [line for line in said if line.startswith("mistake")] == [f"mistake {number}" for number in range(10)]


def test_a_job_that_came_to_its_end_in_a_second_attempt_has_not_failed(tmp_path, said):
    run = Ending(tmp_path)
    run.note(failed(1, write_log(tmp_path, "1.log", f"{TIME} ERROR full")))
    run.note(event("job_finished", job_id=1))
    run.tell_failures()
    assert said == []


def test_a_target_has_no_log(tmp_path, said):
    run = Ending(tmp_path)
    run.note(event("job_info", jobid=0, rule_name="all", log=[]))
    run.note(event("job_error", jobid=0, rule_name="all", log=[]))
    run.tell_failures()
    assert said[0] == "all failed:"


def test_what_snakemake_says_besides_is_not_touched(tmp_path, monkeypatch):
    monkeypatch.setattr(ending.signal, "signal", lambda *arguments: None)

    class Handler(logging.Handler):
        name = "DefaultStreamHandler"

    handler, logger = Handler(), logging.Logger("of snakemake")
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    Ending(tmp_path).watch(logger)
    record = logger.makeRecord("x", logging.ERROR, "x", 1, "Directory cannot be locked.", (), None)
    assert handler.format(record) == "Directory cannot be locked."


def make_files(folder, *names):
    for name in names:
        path = folder / "results/mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_leftovers_are_what_the_experiment_no_longer_has(tmp_path):
    make_files(
        tmp_path, "cnn/folds/00/model.keras", "cnn/folds/07/model.keras", "cnn/filters_a.png", "cnn/filters_b.png",
        "cnn/filter_checks.png", "cnn/feature_map_checks.png",
        "old/folds/00/model.keras", "data/images.npy", "logs/train_fold/old_00.log",
    )  # fmt: skip
    pictures = ["results/mine/cnn/filters_a.png", "results/mine/cnn/filter_checks.png"]
    found = leftovers(tmp_path, "results/mine", ["cnn"], ["00", "01"], pictures, "none")
    assert found == [
        "results/mine/cnn/folds/07", "results/mine/cnn/filters_b.png", "results/mine/cnn/feature_map_checks.png",
        "results/mine/old",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("none", ["comparison.svg", "comparison.pdf", "cnn/accuracy.svg", "cnn/filters_b.1.svg"]),
        ("pdf", ["comparison.svg", "cnn/accuracy.svg", "cnn/filters_b.1.svg"]),
        ("svg", ["comparison.pdf", "cnn/filters_b.1.svg"]),
    ],
)
def test_vector_graphics_that_are_no_longer_asked_for_are_leftovers(tmp_path, setting, expected):
    make_files(
        tmp_path, "cnn/folds/00/model.keras", "comparison.png", "comparison.svg", "comparison.pdf", "cnn/accuracy.png",
        "cnn/accuracy.svg", "cnn/filters_b.1.png", "cnn/filters_b.1.svg", "old/folds/00/model.keras",
        "old/accuracy.png", "old/accuracy.svg", "mine.pdf", "cnn/sketch.svg",
    )  # fmt: skip
    found = leftovers(tmp_path, "results/mine", ["cnn"], ["00"], [], setting)
    # A file that is no vector graphic of a picture is the user's own.
    others = ["cnn/filters_b.1.png", "old"]
    assert sorted(found) == sorted(f"results/mine/{name}" for name in [*expected, *others])


@pytest.mark.parametrize(
    ("summary", "score"),
    [
        ("0.75,0.6,0.85,0.5", ("0.750 (0.600 to 0.850)", "0.500", True)),
        # Three folds give a wide interval. With 64 images and a chance of 1/2, four standard errors are 1/4.
        ("0.76,0.1,0.99,0.5", ("0.760 (0.100 to 0.990)", "0.500", True)),
        ("0.75,0.1,0.99,0.5", ("0.750 (0.100 to 0.990)", "0.500", False)),
        ("0.5,,,0.5", ("0.500", "0.500", False)),
        ("0.51,,,0.5", ("0.510", "0.500", True)),
    ],
)
def test_an_accuracy_is_told_with_its_interval_and_doubted_where_it_may_be_chance(tmp_path, summary, score):
    (tmp_path / "summary.csv").write_text(f"measure,mean,low,high,chance\naccuracy,{summary}\n", encoding="utf-8")
    pooled = "measure,value,low,high,chance,rows,groups\naccuracy,0.7,0.4,0.8,0.5,64,64\n"
    (tmp_path / "pooled_metrics.csv").write_text(pooled, encoding="utf-8")
    assert ending.accuracy(tmp_path) == score


def test_no_accuracy_is_told_of_a_model_without_tables(tmp_path):
    assert ending.accuracy(tmp_path) is None
