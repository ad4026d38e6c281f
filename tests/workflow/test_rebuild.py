"""What is rebuilt after which change: dry runs on a finished experiment in a copy of the repository.

Each test works on its own copy of everything, including results and .snakemake. All files have new modification times.
The controls do the same with the mechanism switched off, and then Snakemake does the wrong thing.
"""

import ast
import gzip
import importlib.util
import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from helpers import REPOSITORY, copy_repository, job_counts, job_messages
from PIL import Image
from warm import run_snakemake

from fercv.data.faces import CLASSES, draw_faces
from fercv.workflow.codedigest import WITHOUT_RESULTS, used_code

EXPERIMENT = {
    "experiment": "rebuilt",
    "models": ["cnn", "fc"],
    "scale": "tiny",
    "data": {"source": "faces.csv"},
    "folds": {"number": 3},
    "filters": {"steps": 2},
    "layer_checks": {"steps": 1, "images": 20},
    "scales": {
        "tiny": {
            "filters": 2,
            "saliency": {"samples": 2, "steps": 2, "checked": 3},
            "definitions": {
                "cnn": {"settings": {"width": 0.0625}, "batch_size": 32, "epochs": 2},
                "fc": {"settings": {"width": 0.0625}, "batch_size": 32, "epochs": 2},
                "fc_dropout": {"settings": {"width": 0.0625}, "batch_size": 32, "epochs": 2},
            },
        }
    },
}
PLOTS = {"plot_accuracy": 2, "plot_confusion": 2, "plot_saliency": 2, "plot_filters": 2, "plot_feature_maps": 1}
PLOTS |= {"plot_misclassified": 2, "plot_held_out": 2, "plot_samples": 1, "plot_comparison": 1, "plot_label_issues": 1}
PLOTS |= {"plot_calibration": 2}
PLOTS |= {"plot_audit": 1, "plot_layer_checks": 1, "compare_ensembles": 1}
PAGE = {"make_report": 1}
AUDIT = {"audit_data": 1, "plot_audit": 1}
SALIENCY = {"compute_saliency": 2, "plot_saliency": 2} | PAGE
LAYER_CHECKS = {"check_layers": 1, "plot_layer_checks": 1} | PAGE
FILTERS = {"ascend_filters": 2, "plot_filters": 2} | LAYER_CHECKS
COMPARISON = {"compare_models": 1, "plot_comparison": 1, "compare_ensembles": 1} | PAGE
# Models with different folds are not averaged, and one model alone is not, either.
NO_AVERAGE = lambda jobs: {rule: count for rule, count in jobs.items() if rule != "compare_ensembles"}  # noqa: E731
LABEL_RANKING = {"rank_label_issues": 1, "plot_label_issues": 1}
# What follows from the folds of one model, and of both.
OF_FC = COMPARISON | LABEL_RANKING | {
    "plot_accuracy": 1, "pool_confusion": 1, "plot_confusion": 1, "score_model": 1, "predict_held_out": 1,
    "score_held_out": 1, "plot_held_out": 1, "list_misclassified": 1, "plot_misclassified": 1, "compute_saliency": 1,
    "plot_saliency": 1, "find_label_issues": 1, "plot_calibration": 1,
}  # fmt: skip
OF_CNN = OF_FC | FILTERS | {"compute_feature_maps": 1, "plot_feature_maps": 1}
OF_BOTH = {rule: count + OF_FC.get(rule, 0) for rule, count in OF_CNN.items()} | COMPARISON | LABEL_RANKING
SCORES = COMPARISON | LABEL_RANKING | {
    "compute_saliency": 1, "plot_saliency": 1,
    "pool_confusion": 1, "plot_confusion": 1, "score_model": 1, "plot_accuracy": 1, "list_misclassified": 1,
    "plot_misclassified": 1, "plot_held_out": 1, "find_label_issues": 1, "plot_calibration": 1,
}  # fmt: skip
OF_SAMPLES = COMPARISON | LABEL_RANKING | {
    "list_misclassified": 2, "plot_misclassified": 2, "score_held_out": 2, "plot_held_out": 2, "score_model": 2,
    "plot_accuracy": 2, "plot_calibration": 2, "find_label_issues": 2,
}  # fmt: skip
OF_GROUPS = COMPARISON | {
    "score_held_out": 2, "plot_held_out": 2, "score_model": 2, "plot_accuracy": 2, "plot_calibration": 2
}  # fmt: skip
# What few experiments have. Models on different folds have no factors, so these are two experiments.
NET = {"architecture": "fc", "settings": {"width": 0.0625}, "batch_size": 32, "epochs": 2}
LISTED = NET | {"exclude_from_training": "doubtful.csv"}
SELDOM = {
    "factors": {
        "models": ["net", "net_longer"],
        "definitions": {"net": LISTED, "net_longer": LISTED | {"epochs": 3}},
        "factors": {"epochs": "epochs"},
        "new_images": "faces.csv",
    },
    "leakage": {
        "models": ["net", "net_random"],
        "definitions": {"net": NET, "net_random": NET | {"folds": "random"}},
    },
}
OF_FACTORS = {"compare_factors": 1, "plot_factors": 1} | PAGE
OF_LEAKAGE = {"measure_leakage": 1, "plot_leakage": 1} | PAGE
OF_NEW_IMAGES = {"predict_new_images": 2, "plot_new_images": 2} | PAGE
# Every training may have a list of samples, so all nets are trained again.
OF_LIST = {"train_fold": 6} | {rule: 2 * count for rule, count in OF_FC.items()} | COMPARISON | LABEL_RANKING
OF_LIST |= OF_FACTORS | OF_NEW_IMAGES
OF_RANDOM_FOLDS = {"assign_random_folds": 1, "train_fold": 3} | NO_AVERAGE(OF_FC) | OF_LEAKAGE
# Whether final models are written as ONNX files, too.
WITH_ONNX = all(map(importlib.util.find_spec, ["tensorflow", "tf2onnx"]))
DATA = {"prepare_dataset": 1, "plot_samples": 1, "assign_folds": 1} | AUDIT
EVERYTHING = DATA | {"train_fold": 6} | OF_BOTH


class Project:
    """A copy of the repository with an experiment in it."""

    def __init__(self, folder: Path):
        self.folder = folder

    def snakemake(self, *arguments, check=True, warm=False, **variables):
        arguments = ["--cores", "2", *arguments, "--configfile", "experiment.yaml"]
        done = run_snakemake(arguments, self.folder, variables, warm)
        if check:
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    def jobs(self, *arguments):
        """The jobs of a dry run as {rule: number}, without the targets `all`, `data` and `final`."""
        done = self.snakemake(*arguments, "--dry-run", "--quiet", "rules")
        counts = job_counts(done.stdout + done.stderr)
        # Snakemake's message must agree with its table of jobs.
        assert ("Nothing to be done" in done.stdout + done.stderr) == (not counts)
        return {rule: count for rule, count in counts.items() if rule not in ("all", "data", "final")}

    def edit(self, name, pattern, replacement):
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        changed, number = re.subn(pattern, replacement, text, count=1)
        assert number == 1, f"{pattern!r} is not in {name}"
        path.write_text(changed, encoding="utf-8")

    def configure(self, change):
        """Change the experiment's file by a function that edits its content in place."""
        path = self.folder / "experiment.yaml"
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        change(config)
        path.write_text(yaml.safe_dump(config), encoding="utf-8")

    def record_instead(self, what, pattern, replacement):
        """Change a param in common.smk, and have Snakemake record the new value without running anything."""
        self.edit("rules/common.smk", pattern, replacement)
        assert self.jobs() != {}, f"{what} is no param"
        self.snakemake("--touch")
        assert self.jobs() == {}

    def results(self):
        """Every result file, logs and benchmarks aside."""
        files = [path for path in (self.folder / "results" / "rebuilt").rglob("*") if path.is_file()]
        return [path for path in files if not {"logs", "benchmarks"} & set(path.parts)]

    def python_files(self):
        return sorted((self.folder / "scripts").rglob("*.py"))

    def git(self, *arguments):
        identity = ["-c", "user.name=Someone", "-c", "user.email=someone@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True)


def write_csv(path, images, labels, usages):
    lines = ["emotion,pixels,Usage"]
    for image, label, usage in zip(images, labels, usages, strict=True):
        lines.append(f"{label},{' '.join(map(str, image.ravel()))},{usage}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def copy_project(source, target, copy=shutil.copyfile):
    """Copy with new modification times, in no particular order, or with the old ones (`copy=shutil.copy2`)."""
    shutil.copytree(source, target, copy_function=copy, ignore=shutil.ignore_patterns("__pycache__"))
    return Project(target)


@pytest.fixture(scope="session")
def faces():
    return draw_faces(280, seed=5)


@pytest.fixture(scope="session")
def completed(tmp_path_factory, faces):
    """The experiment, run to the end once in a copy of the repository's files; copied for each test."""
    folder = tmp_path_factory.mktemp("rebuild") / "project"
    copy_repository(folder)
    write_csv(folder / "faces.csv", faces.images, faces.labels, faces.usages)
    (folder / "experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT), encoding="utf-8")
    project = Project(folder)
    run_traced(project, "all", "final")
    return project


def run_traced(project, *targets):
    """Make the targets, and note which functions each job calls."""
    calls = project.folder.with_name("calls")
    calls.mkdir(exist_ok=True)
    tracing = REPOSITORY / "tests" / "workflow" / "tracing"
    project.snakemake(*targets, warm=True, PYTHONPATH=str(tracing), FERCV_CALLS=str(calls))


@pytest.fixture(scope="session")
def seldom_completed(completed, tmp_path_factory):
    """For each of SELDOM the finished experiment with these settings. Nothing is trained: the models are the fc."""
    projects = {}
    for name, settings in SELDOM.items():
        project = projects[name] = copy_project(completed.folder, tmp_path_factory.mktemp("seldom") / "project")
        (project.folder / "doubtful.csv").write_text("sample\nrow 3\n", encoding="utf-8")
        project.configure(lambda config, settings=settings: config.update(settings))
        results = project.folder / "results" / "rebuilt"
        for model in settings["models"]:
            shutil.copytree(results / "fc", results / model)
        if name == "leakage":
            run_traced(project, "results/rebuilt/data/random_folds.csv")
        project.snakemake("train", "--touch", "--forceall")
        run_traced(project, f"results/rebuilt/{name}.png", *(["new_images"] if name == "factors" else []))
        project.snakemake("--touch", "--forceall")
        assert project.jobs() == {}
    return projects


@pytest.fixture
def project(completed, tmp_path):
    return copy_project(completed.folder, tmp_path / "project")


@pytest.fixture
def dated(completed, tmp_path):
    """The finished experiment. Its files keep their times, for tests in which Snakemake compares times."""
    return copy_project(completed.folder, tmp_path / "project", shutil.copy2)


@pytest.fixture(scope="session")
def blind_completed(completed, tmp_path_factory):
    """The finished experiment with the mechanism switched off: the digests of code and data are always empty."""
    project = copy_project(completed.folder, tmp_path_factory.mktemp("blind") / "project")
    project.record_instead("digest", r"code_digest\(script, dict\(lookups\)\)", '""')
    project.record_instead("content", r"source_digest\(data_files, cache\)", '""')
    return project


@pytest.fixture
def blind(blind_completed, tmp_path):
    return copy_project(blind_completed.folder, tmp_path / "project")


# Changes that have no effect on a result.


def touch_everything(project):
    for path in sorted(project.folder.rglob("*")):
        if path.is_file() and not {".snakemake", "results"} & set(path.parts):
            os.utime(path)


def touch_the_results_too(project):
    for path in sorted(project.folder.rglob("*"), reverse=True):
        if path.is_file():
            os.utime(path)


def stash_and_pop(project):
    """Make a change, stash it, restore it, and at last undo it by hand."""
    project.git("init")
    project.git("add", "-A")
    project.git("commit", "-m", "All")
    project.edit("scripts/fercv/visualize/saliency.py", r"np\.abs\(", "np.absolute(")
    project.git("stash")
    project.git("stash", "pop")
    project.edit("scripts/fercv/visualize/saliency.py", r"np\.absolute\(", "np.abs(")


def clone_and_copy_the_results(project):
    project.git("init")
    project.git("add", "-A")
    project.git("commit", "-m", "All")
    clone = project.folder.with_name("clone")
    project.git("clone", ".", str(clone))
    for name in ("results", ".snakemake"):
        shutil.rmtree(clone / name, ignore_errors=True)
        shutil.copytree(project.folder / name, clone / name, copy_function=shutil.copyfile)
    project.folder = clone


def rewrite_docstrings_comments_and_blank_lines(project):
    project.edit("scripts/train_fold.py", r'^"""', '"""Other words. ')
    project.edit("scripts/fercv/train/loop.py", r"\n    progress = P", "\n\n    # A comment.\n    progress =   P")
    project.edit("scripts/fercv/figures/drawing.py", r"\nWIDTH = 9.0", "\nWIDTH  =  9.0  # inches")


def reformat_every_python_file(project):
    """Write each file from its syntax tree, without comments and with other line breaks."""
    for path in project.python_files():
        path.write_text(ast.unparse(ast.parse(path.read_text(encoding="utf-8"))), encoding="utf-8")


def rewrite_messages(project):
    project.edit("scripts/fercv/train/loop.py", r"the loss became", "the loss has become")
    project.edit("scripts/fercv/train/progress.py", r"validation accuracy \{", "and on validation {")
    project.edit(
        "scripts/fercv/train/progress.py", r"BATCHES_TIMED, SECONDS_TIMED = 10", "BATCHES_TIMED, SECONDS_TIMED = 20"
    )
    project.edit("scripts/fercv/workflow/progress.py", r'"event": event', '"kind": event')
    project.edit("scripts/fercv/workflow/status.py", r"SECONDS_IN_FILE = 10, 60", "SECONDS_IN_FILE = 5, 30")
    project.edit("scripts/fercv/workflow/jobs.py", r"unexpected error", "a defect")


def add_an_architecture(project):
    path = project.folder / "scripts/fercv/nets/architectures.py"
    path.write_text(path.read_text(encoding="utf-8") + SHALLOW, encoding="utf-8")


def rewrite_the_csv(project):
    path = project.folder / "faces.csv"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


def edit_the_csv_and_undo_it(project):
    change_a_pixel(project)
    project.edit("faces.csv", r"\A(.*\n)\d,(\d+) (\d+)", rf"\g<1>{first_row(project)}")


def pin_another_tensorflow(project):
    for name in ("requirements.in", "requirements.txt", "envs/keras.yaml"):
        project.edit(name, r"tensorflow==2\.\d+\.\d+", "tensorflow==2.99.0")


def ask_for_other_resources(project):
    project.edit("rules/common.smk", r"return 4 if", "return 2 if")
    project.edit("rules/common.smk", r"2000 \+ 8000", "3000 + 9000")
    project.edit("rules/common.smk", r"\(20 \+ 2 \*", "(30 + 3 *")


def change_the_profiles(project):
    project.edit("profiles/slurm/profile.yaml", r"retries: \d", "retries: 5")
    project.edit("profiles/default/profile.yaml", r"show-failed-logs: true", "show-failed-logs: false")


SHALLOW = '''

def shallow(layers, image_shape, classes, *, filters=8):
    """One convolution."""
    inputs = layers.Input(image_shape, name="image")
    x = layers.MaxPooling2D(4, name="pool")(layers.Conv2D(filters, 3, activation="relu", name="conv")(inputs))
    return inputs, layers.Dense(classes, activation="softmax", name="predictions")(layers.Flatten()(x))
'''
NO_CHANGE = [
    touch_everything,
    touch_the_results_too,
    stash_and_pop,
    clone_and_copy_the_results,
    rewrite_docstrings_comments_and_blank_lines,
    reformat_every_python_file,
    rewrite_messages,
    add_an_architecture,
    rewrite_the_csv,
    pin_another_tensorflow,
    ask_for_other_resources,
    change_the_profiles,
]


@pytest.mark.parametrize("change", NO_CHANGE, ids=lambda change: change.__name__)
def test_what_changes_no_result_reruns_nothing(project, change):
    change(project)
    assert project.jobs("all", "final") == {}


@pytest.mark.parametrize("change", [touch_everything, reformat_every_python_file])
def test_snakemakes_own_defaults_rerun_for_it(dated, change):
    """The control of the profile's triggers."""
    defaults = ("--workflow-profile", "none")
    assert dated.jobs(*defaults) == {}
    change(dated)
    assert {"prepare_dataset", "score_model"} & set(dated.jobs(*defaults))


@pytest.mark.parametrize("change", [rewrite_docstrings_comments_and_blank_lines, rewrite_messages, add_an_architecture])
def test_a_digest_of_the_files_bytes_would_retrain_for_it(project, change):
    """The control of what the digest leaves out."""
    everything = "str([path.read_bytes() for path in sorted(Path(workflow.basedir, 'scripts').rglob('*.py'))])"
    project.record_instead("digest", r"code_digest\(script, dict\(lookups\)\)", everything)
    change(project)
    assert project.jobs()["train_fold"] == 6


def test_resources_among_the_params_would_retrain_for_it(project):
    """The control of threads and memory, which are no params."""
    project.edit("rules/train.smk", r"definition=definition,", "definition=definition, threads=training_threads,")
    project.snakemake("--touch")
    assert project.jobs() == {}
    ask_for_other_resources(project)
    project.edit("rules/common.smk", r"else 1\n", "else 2\n")
    assert project.jobs() == {"train_fold": 6} | OF_BOTH


def test_asking_for_other_threads_and_memory_reruns_nothing(project):
    assert project.jobs("--set-threads", "train_fold=1", "--set-resources", "train_fold:mem_mb=1") == {}


# Code.

CODE = {
    "saliency": ("fercv/visualize/saliency.py", r"np\.abs\(", "np.absolute(", SALIENCY),
    "ascent": ("fercv/visualize/filters.py", r"step_size \* unit_rms", "2 * step_size * unit_rms", FILTERS),
    "every figure": ("fercv/figures/drawing.py", r"DOTS_PER_INCH = 150", "DOTS_PER_INCH = 160", PLOTS | PAGE),
    "one figure": ("fercv/figures/confusion.py", r"0\.85 \* len", "0.9 * len", {"plot_confusion": 2} | PAGE),
    "one architecture": (
        "fercv/nets/architectures.py",
        r"\[2000\] \* 6",
        "[2000] * 5",
        {"summarize_architecture": 1, "train_fold": 3} | OF_FC,
    ),
    "all architectures": (
        "fercv/nets/architectures.py",
        r"round\(size \* width\)",
        "int(size * width)",
        {"summarize_architecture": 2, "train_fold": 6} | OF_BOTH,
    ),
    "training": ("fercv/train/optimizer.py", r"0\.5 \* \(1 \+", "0.25 * (1 +", {"train_fold": 6} | OF_BOTH),
    "intervals": (
        "fercv/evaluate/intervals.py",
        r"CONFIDENCE = 0\.95",
        "CONFIDENCE = 0.90",
        {"score_model": 2, "plot_accuracy": 2, "plot_calibration": 2, "score_held_out": 2, "plot_held_out": 2}
        | COMPARISON,
    ),
    "audit": ("fercv/data/audit.py", r"NEAR = 40", "NEAR = 30", AUDIT | PAGE),
    "a script": ("plot_samples.py", r"First samples", "Some samples", {"plot_samples": 1} | PAGE),
    "drawing faces": ("fercv/data/painter.py", r"SUPERSAMPLING = \d", "SUPERSAMPLING = 9", {}),
    "reading data": ("fercv/data/csv_rows.py", r"CHUNK_ROWS = 2048", "CHUNK_ROWS = 1024", EVERYTHING),
}


def edit_code(project, case):
    file, pattern, replacement, jobs = CODE[case]
    project.edit(f"scripts/{file}", pattern, replacement)
    return jobs


@pytest.mark.parametrize("case", CODE)
def test_changed_code_reruns_what_uses_it(project, case):
    jobs = edit_code(project, case)
    assert project.jobs() == jobs


def test_without_the_digest_changed_code_goes_unseen(blind):
    for case in CODE:
        edit_code(blind, case)
    assert blind.jobs() == {}


@pytest.mark.parametrize("case", CODE)
def test_snakemakes_own_defaults_rerun_at_least_as_much(dated, case):
    defaults = ("--workflow-profile", "none")
    jobs = edit_code(dated, case)
    rerun = dated.jobs(*defaults)
    assert {rule: count for rule, count in jobs.items() if rerun.get(rule, 0) < count} == {}


SELDOM_CODE = {
    "mean effect": ("factors", "fercv/evaluate/factors.py", r"/ len\(pairs\)", "* (1 / len(pairs))", OF_FACTORS),
    "curves": ("factors", "fercv/evaluate/factors.py", r"\) >= 3", ") > 3", {"plot_factors": 1} | PAGE),
    "new images": ("factors", "fercv/predict/new_images.py", r"ddof=1", "ddof=0", OF_NEW_IMAGES),
    "list of samples": ("factors", "fercv/data/exclusions.py", r"sorted\(\{(.*)\}\)", r"sorted(set([\1]))", OF_LIST),
    "leakage": ("leakage", "fercv/evaluate/leakage.py", r"models = list\(right\)", "models = [*right]", OF_LEAKAGE),
    "random folds": ("leakage", "assign_random_folds.py", r'"random folds"', '"other folds"', OF_RANDOM_FOLDS),
}


@pytest.mark.parametrize("case", SELDOM_CODE)
def test_changed_code_reruns_what_uses_it_in_experiments_that_have_what_few_have(seldom_completed, tmp_path, case):
    name, file, pattern, replacement, jobs = SELDOM_CODE[case]
    project = copy_project(seldom_completed[name].folder, tmp_path / "project", shutil.copy2)
    project.edit(f"scripts/{file}", pattern, replacement)
    assert project.jobs() == jobs


def test_every_function_that_a_job_called_is_in_its_digest(completed, seldom_completed):
    """Reading the code must find what running it uses."""
    checked = set()
    for path in [
        path for done in [completed, *seldom_completed.values()] for path in done.folder.with_name("calls").iterdir()
    ]:
        process, *calls = path.read_text(encoding="utf-8").splitlines()
        # Snakemake runs a copy of the script, <anything>.<script>.py.
        script = REPOSITORY / "scripts" / f"{process.split('.')[-2]}.py"
        if not script.exists():
            continue
        used = set()
        for architecture in ("cnn", "fc"):
            lookups = {"fercv.nets.architectures.find_architecture": [architecture]}
            lookups["prepare_dataset.find_source"] = ["read_samples"]
            used |= set(used_code(script.stem, lookups))
        for module, function in (call.split() for call in calls):
            # A method counts under the name of its class. A lambda and a module's body have no name of their own.
            name = function.split(".")[0]
            # Modules that don't count call these two, to tell whether something has changed.
            if (module, name) in {("fercv.workflow.hashing", "digest_of"), ("fercv.workflow.hashing", "file_digest")}:
                continue
            if module not in WITHOUT_RESULTS and not name.startswith("<"):
                assert (module, name) in used, (script.name, module, function)
                checked.add((script.stem, module, name))
    scripts = {path.stem for path in (REPOSITORY / "scripts").glob("*.py")}
    # Users start watch.py themselves.
    assert {script for script, _, _ in checked} == scripts - {"watch"} - (set() if WITH_ONNX else {"export_onnx"})


def test_code_changed_while_snakemake_runs_is_refused(project):
    """Snakemake would record the results for the code that it planned with, and keep them once that code is back."""
    (project.folder / "results/rebuilt/data/samples.png").unlink()
    figures = project.folder / "scripts/fercv/figures/drawing.py"
    write = f"Path({str(figures)!r}).write_text(Path({str(figures)!r}).read_text().replace('= 150', '= 40'))"
    project.edit("Snakefile", r"\nonstart:\n", f"\nonstart:\n    {write}\n")
    done = project.snakemake("results/rebuilt/data/samples.png", check=False)
    assert done.returncode != 0
    assert "plot_samples: its code under scripts/ has changed since Snakemake planned this job" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project.folder / "results/rebuilt/data/samples.png").exists()


@pytest.mark.parametrize("init", ["", "raise ImportError('another package')"], ids=["older copy", "another package"])
def test_another_copy_on_the_python_path_plays_no_role(project, tmp_path, init):
    other = tmp_path / "other/fercv"
    shutil.copytree(project.folder / "scripts/fercv", other)
    (other / "__init__.py").write_text(init)
    (other / "figures/data.py").write_text("def samples_figure(): pass")
    project.snakemake("--forcerun", "plot_samples", PYTHONPATH=str(other.parent))
    assert project.jobs() == {}


@pytest.mark.parametrize("function", ["definition", "data_content", "folds_digest"])
def test_an_error_of_a_function_behind_params_is_told_even_if_nothing_was_to_be_done(project, function):
    project.edit("rules/common.smk", rf"(\ndef {function}\(.*\):)", r"\1\n    raise ValueError('lost')")
    done = project.snakemake("--dry-run", check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"rules/common.smk: {function} failed, ValueError: lost"


def test_code_that_is_no_python_is_told_even_if_nothing_was_to_be_done(project):
    project.edit("scripts/fercv/visualize/saliency.py", r"\Z", "def unfinished(:\n")
    done = project.snakemake("--dry-run", check=False)
    assert done.returncode == 1
    assert re.search(r"saliency\.py, line \d+: no Python, .*; correct it$", done.stderr.splitlines()[-1])


def test_a_new_way_of_saving_reruns_what_saves_models(project):
    """The changed code is two modules away from the script, and reached through an imported name."""
    project.edit("scripts/fercv/nets/models.py", r"zipfile\.ZIP_STORED", "zipfile.ZIP_DEFLATED")
    assert project.jobs() == {"train_fold": 6} | OF_BOTH


# The page of the report.


@pytest.mark.parametrize(
    ("name", "jobs"),
    [("page.html.jinja", PAGE), ("page.css", PAGE), ("page.js", PAGE), ("held_out.rst", PAGE), ("workflow.rst", {})],
)
def test_a_changed_template_or_caption_makes_the_page_again(project, name, jobs):
    path = project.folder / "report" / name
    path.write_bytes(path.read_bytes())
    assert project.jobs() == {}
    project.edit(f"report/{name}", r"\Z", " ")
    assert project.jobs() == jobs


def test_what_the_page_takes_from_a_fold_makes_it_again(project):
    name = "results/rebuilt/fc/folds/01/timing.csv"
    project.edit(name, r"\n1,[^,]+,", "\n1,9.5,")
    assert project.jobs() == PAGE
    project.snakemake()
    assert project.jobs() == {}


# The final models.

CARD = {"write_model_card": 1, "pack_model": 1}
ONNX = {"export_onnx": 1} if WITH_ONNX else {}
OF_CARD = {"pool_confusion": 1, "score_model": 1, "predict_held_out": 1, "score_held_out": 1} | CARD


def test_a_changed_setting_trains_the_final_model_again_and_no_other(project):
    project.configure(lambda config: config.update(saliency={"threshold": 0.4}))
    project.configure(lambda config: definition("fc")(config).update(label_smoothing=0.1))
    assert project.jobs("final") == {"train_final": 1, "train_fold": 3} | OF_CARD | ONNX
    final = "results/rebuilt/fc/final/model.keras"
    assert project.jobs(final) == {"train_final": 1}
    project.snakemake(final)
    assert project.jobs(final) == {}


def test_what_a_list_leaves_out_is_left_out_of_the_final_model(project):
    (project.folder / "doubtful.csv").write_text("sample\nrow 3\n", encoding="utf-8")
    project.configure(lambda config: config.update(definitions={"fc": {"exclude_from_training": "doubtful.csv"}}))
    final = project.folder / "results/rebuilt/fc/final/training.json"
    before = json.loads(final.read_text())
    project.snakemake(str(final.relative_to(project.folder)))
    assert json.loads(final.read_text())["training_rows"] == before["training_rows"] - 1


@pytest.mark.parametrize("name", ["model_card.md.jinja", "example_onnx.py", "example_keras.py"])
def test_a_changed_template_writes_the_cards_again(project, name):
    project.edit(f"report/{name}", r"\Z", " ")
    assert project.jobs("all", "final") == dict.fromkeys(CARD, 2)


def test_changed_code_of_the_final_models_reruns_what_uses_it(project):
    project.edit("scripts/fercv/final/archive.py", r"ZIP_STORED", "ZIP_DEFLATED")
    assert project.jobs("all", "final") == {"pack_model": 2}
    project.edit("scripts/train_final.py", r'"early_stopping_rows": held_back', '"held_back": held_back')
    assert project.jobs("all", "final") == {"train_final": 2} | dict.fromkeys(CARD | ONNX, 2)


# Settings.


def definition(name):
    return lambda config: config["scales"]["tiny"]["definitions"][name]


SETTINGS = {
    "learning rate": (lambda c: definition("fc")(c).update(learning_rate=0.01), {"train_fold": 3} | OF_FC),
    "augmentation": (lambda c: definition("fc")(c).update(augmentation={"rotation": 5}), {"train_fold": 3} | OF_FC),
    "class weights": (lambda c: definition("cnn")(c).update(class_weights="balanced"), {"train_fold": 3} | OF_CNN),
    "more epochs": (lambda c: definition("cnn")(c).update(epochs=3), {"train_fold": 3} | OF_CNN),
    "width": (
        lambda c: definition("cnn")(c)["settings"].update(width=0.125),
        {"summarize_architecture": 1, "train_fold": 3} | OF_CNN,
    ),
    "definition of no model": (lambda c: definition("fc_dropout")(c).update(epochs=5), {}),
    "saliency threshold": (lambda c: c.update(saliency={"threshold": 0.4}), SALIENCY),
    "ascent step": (lambda c: c["filters"].update(step_size=0.2), FILTERS),
    "image of the feature maps": (
        lambda c: c.update(feature_maps={"image": 4}),
        {"compute_feature_maps": 1, "plot_feature_maps": 1} | PAGE,
    ),
    "step of the robust ascent": (lambda c: c.update(layer_checks={"step_size": 0.2}), LAYER_CHECKS),
    "contact sheet": (lambda c: c.update(samples={"per_class": 5}), {"plot_samples": 1} | PAGE),
    "fewer folds": (lambda c: c["folds"].update(number=2), {"assign_folds": 1, "train_fold": 4} | AUDIT | OF_BOTH),
    "more folds": (lambda c: c["folds"].update(number=4), {"assign_folds": 1, "train_fold": 8} | AUDIT | OF_BOTH),
    "order of keys": (lambda c: c.update(data=dict(reversed(c["data"].items()))), {}),
    "blank images": (lambda c: c["data"].update(exclude_blank=False), EVERYTHING),
    "held-out rows": (lambda c: c["data"].update(held_out=False), PAGE),
    "model added": (
        lambda c: c["models"].append("fc_dropout"),
        {"summarize_architecture": 1, "train_fold": 3} | OF_FC,
    ),
    "model removed": (lambda c: c["models"].remove("fc"), NO_AVERAGE(COMPARISON | LABEL_RANKING)),
}


OF_FOLDS = {"assign_folds": 1, "train_fold": 6} | OF_BOTH | AUDIT


def write_groups(project, last, name="groups.csv", column="group"):
    """Write a csv of samples: each is a group of its own, or in the folds in turn, but for the last one."""
    rows = (project.folder / "faces.csv").read_text(encoding="utf-8").count("\n") - 1
    values = [number % 3 if column == "fold" else number for number in range(rows - 1)]
    lines = [f"sample,{column}", *(f"{number},{value}" for number, value in enumerate([*values, last], start=1))]
    (project.folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize(("key", "column"), [("groups", "group"), ("file", "fold")])
def test_groups_and_folds_of_the_users_own_assign_the_folds_anew_and_prepare_nothing(project, key, column):
    name = f"{column}s.csv"
    project.configure(lambda c: c["folds"].update({key: {"csv": name} if key == "groups" else name}))
    write_groups(project, 1, name, column)
    project.configure(lambda c: c["folds"].update(group_duplicates=False))
    assert project.jobs() == OF_FOLDS
    project.snakemake("--touch")
    assert project.jobs() == {}
    os.utime(project.folder / name, (1e9, 1e9))
    assert project.jobs() == {}
    write_groups(project, 2, name, column)
    assert project.jobs() == OF_FOLDS
    write_groups(project, 1, name, column)
    assert project.jobs() == {}


def test_a_model_on_random_folds_is_not_trained_for_the_groups_nor_the_others_for_it(project):
    project.configure(lambda c: definition("fc")(c).update(folds="random"))
    assert project.jobs() == {"assign_random_folds": 1, "train_fold": 3} | NO_AVERAGE(OF_FC)
    project.snakemake("results/rebuilt/data/random_folds.csv")
    project.snakemake("--touch")
    assert project.jobs() == {}
    write_groups(project, 1)
    project.configure(lambda c: c["folds"].update(groups={"csv": "groups.csv"}))
    assert project.jobs() == {"assign_folds": 1, "train_fold": 3} | NO_AVERAGE(OF_CNN | AUDIT | OF_GROUPS)


@pytest.mark.parametrize("case", SETTINGS)
def test_a_changed_setting_reruns_what_takes_it(project, case):
    change, jobs = SETTINGS[case]
    project.configure(change)
    assert project.jobs() == jobs


def test_without_the_params_trigger_changed_settings_go_unseen_and_a_line_warns(project):
    """The control of the settings, with a profile as users write them."""
    for case, (change, _) in SETTINGS.items():
        # Other folds, models or held-out rows are other inputs, too.
        if not re.search("folds|model|held-out", case):
            project.configure(change)
    profile = project.folder / "mine"
    profile.mkdir()
    (profile / "profile.yaml").write_text("rerun-triggers: [mtime, input]\nmax-checksum-file-size: 1000000000\n")
    done = project.snakemake("--dry-run", "--workflow-profile", "mine")
    assert "Nothing to be done" in done.stderr + done.stdout
    assert len(re.findall(r"rerun-triggers lacks params: .* profile", done.stderr + done.stdout)) == 1


def test_nothing_is_said_of_triggers_where_none_is_missing(project):
    for arguments in ([], ["--workflow-profile", "none"]):
        done = project.snakemake("--dry-run", *arguments)
        assert "lacks" not in done.stderr + done.stdout


def test_a_model_of_ones_own_leaves_the_others_alone(project):
    add_an_architecture(project)

    def add(config):
        config["models"].append("shallow")
        config["definitions"] = {"shallow": {"architecture": "shallow", "epochs": 2}}

    project.configure(add)
    assert project.jobs() == {"summarize_architecture": 1, "train_fold": 3} | OF_FC


def test_a_removed_models_files_stay(project):
    project.configure(lambda config: config["models"].remove("fc"))
    project.snakemake()
    assert (project.folder / "results/rebuilt/fc/summary.csv").exists()
    assert project.jobs() == {}


# Data.


def first_row(project):
    """Label and first two pixels of the csv's first row."""
    row = (project.folder / "faces.csv").read_text(encoding="utf-8").splitlines()[1].split(" ", 2)
    return " ".join(row[:2])


def change_a_pixel(project):
    """Change the second pixel of the first row."""
    label_and_pixel, second = first_row(project).split(" ")
    project.edit("faces.csv", rf"\n{label_and_pixel} \d+ ", rf"\n{label_and_pixel} {(int(second) + 1) % 256} ")


def put_an_older_file_in_place(project):
    """Replace the csv by an older file. Unzipping or moving a file, or copying it with its times, does the same."""
    change_a_pixel(project)
    os.utime(project.folder / "faces.csv", (1e9, 1e9))


@pytest.mark.parametrize("change", [change_a_pixel, put_an_older_file_in_place], ids=lambda change: change.__name__)
def test_one_changed_pixel_reruns_everything_from_the_data_on(project, change):
    change(project)
    assert project.jobs() == EVERYTHING


def test_a_list_of_samples_retrains_the_model_that_leaves_them_out_whenever_its_content_changes(project):
    path = project.folder / "doubtful.csv"
    path.write_text("sample\nrow 3\n", encoding="utf-8")
    definitions = {"fc": {"exclude_from_training": "./doubtful.csv"}}
    project.configure(lambda config: config.update(definitions=definitions))
    assert project.jobs() == {"train_fold": 3} | OF_FC
    project.snakemake("--touch")
    assert project.jobs() == {}
    path.write_text("sample\nrow 3\n", encoding="utf-8")
    assert project.jobs() == {}
    path.write_text("sample\nrow 4\n", encoding="utf-8")
    os.utime(path, (1e9, 1e9))
    assert project.jobs() == {"train_fold": 3} | OF_FC


def test_without_the_digest_of_the_data_an_older_file_goes_unseen(blind):
    put_an_older_file_in_place(blind)
    assert blind.jobs() == {}


def test_without_checksums_the_same_content_counts_as_new(dated):
    without = ("--max-checksum-file-size", "0")
    os.utime(dated.folder / "results/rebuilt/data/images.npy")
    assert dated.jobs() == {}
    assert dated.jobs(*without) == {"plot_samples": 1, "plot_misclassified": 2, "plot_label_issues": 1} | AUDIT | PAGE


def test_after_a_rerun_new_times_rerun_nothing(project):
    """Snakemake must have recorded what the rerun read, not what was there before."""
    change_a_pixel(project)
    project.snakemake("data")
    assert project.jobs("data") == {}
    touch_the_results_too(project)
    assert project.jobs("data") == {}
    change_a_pixel(project)
    assert project.jobs("data") == DATA


# What fails and is corrected.


def spoil_the_last_row(project):
    """Make a mistake in the data that only their reader can see."""
    project.edit("faces.csv", r"\d+,(\w+)\n$", r"x,\1\n")


def ask_for_too_many_folds(project):
    project.configure(lambda config: config["folds"].update(number=50))


@pytest.mark.parametrize("mistake", [spoil_the_last_row, ask_for_too_many_folds], ids=lambda mistake: mistake.__name__)
def test_a_mistake_that_is_corrected_costs_nothing(project, mistake):
    files = {name: (project.folder / name).read_bytes() for name in ("faces.csv", "experiment.yaml")}
    mistake(project)
    for _ in range(2):
        done = project.snakemake("data", check=False)
        assert done.returncode == 1 and "Building DAG" in done.stderr
    for name, content in files.items():
        (project.folder / name).write_bytes(content)
    assert project.jobs() == {}


def test_without_the_kept_copies_the_same_mistake_retrains_everything(project):
    """The control."""
    content = (project.folder / "faces.csv").read_bytes()
    spoil_the_last_row(project)
    project.snakemake("data", check=False)
    shutil.rmtree(project.folder / ".snakemake/fer-crossval/rebuilt")
    (project.folder / "faces.csv").write_bytes(content)
    assert project.jobs()["train_fold"] == 6


def test_data_made_again_with_the_same_outcome_retrain_nothing(project):
    assert project.jobs("--forcerun", "prepare_dataset") == DATA | OF_SAMPLES
    assert project.jobs("--forcerun", "assign_folds") == {"assign_folds": 1} | AUDIT | OF_GROUPS | PAGE
    project.snakemake("--forcerun", "prepare_dataset")
    assert project.jobs() == {}
    # A setting that is changed at the same time still counts.
    project.configure(lambda config: definition("fc")(config).update(learning_rate=0.01))
    assert project.jobs("--forcerun", "prepare_dataset") == DATA | {"train_fold": 3} | OF_FC | OF_SAMPLES


@pytest.mark.parametrize("name", ["images.npy", "samples.csv", "folds.csv", "groups.csv"])
def test_data_changed_by_hand_are_refused_and_come_back_when_they_are_deleted(project, name):
    path = project.folder / "results/rebuilt/data" / name
    content = path.read_bytes()
    path.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    os.utime(path, (1e9, 1e9))
    refused = project.snakemake("--dry-run", check=False)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith(f"results/rebuilt/data/{name} was changed by hand: ")
    path.unlink()
    assert project.jobs() == {}
    assert path.read_bytes() == content


def test_deleted_results_are_not_put_back(project):
    shutil.rmtree(project.folder / "results")
    assert project.jobs() == EVERYTHING | {"summarize_architecture": 2}


class Source:
    """The same faces as a csv.gz, a zip or a folder, and the changes that the tests make to them.

    The names hold what Snakemake would take for a wildcard or for one of its own path variables.
    """

    def __init__(self, kind, folder, faces):
        self.kind, self.folder = kind, folder
        self.path = folder / {"csv.gz": "<logs>.csv.gz", "zip": "{x}.zip", "folder": "<logs> {x}"}[kind]
        self.images = folder / "<logs> {x}"
        if kind == "csv.gz":
            self.csv = (folder / "faces.csv").read_bytes()
        else:
            for number, (image, label) in enumerate(zip(faces.images, faces.labels, strict=True)):
                path = self.images / CLASSES[label] / f"<results> {{{number}}}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(path)
        self.write()

    def write(self):
        if self.kind == "csv.gz":
            self.path.write_bytes(gzip.compress(self.csv, mtime=0))
        elif self.kind == "zip":
            with zipfile.ZipFile(self.path, "w") as archive:
                for path in sorted(self.images.rglob("*.png")):
                    archive.writestr(zipfile.ZipInfo(str(path.relative_to(self.images))), path.read_bytes())
        else:
            for path in self.images.rglob("*.png"):
                path.write_bytes(path.read_bytes())

    def change_a_pixel(self):
        if self.kind == "csv.gz":
            before, pixels = self.csv.split(b"\n", 2)[1].split(b" ", 2)[:2], self.csv
            changed = b"1" if before[1] != b"1" else b"2"
            self.csv = pixels.replace(b" ".join(before), before[0] + b" " + changed, 1)
        else:
            path = self.first()
            image = np.asarray(Image.open(path)).copy()
            image[0, 0] ^= 1
            Image.fromarray(image).save(path)
        if self.kind != "folder":
            self.write()

    def first(self):
        return sorted((self.images / "happy").iterdir())[0]

    def age(self):
        os.utime(self.first() if self.kind == "folder" else self.path, (1e9, 1e9))


@pytest.fixture(scope="session", params=["csv.gz", "zip", "folder"])
def other_completed(request, completed, faces, tmp_path_factory):
    """The repository with the same faces in another form, and the data stage done."""
    project = copy_project(completed.folder, tmp_path_factory.mktemp("other") / "project")
    shutil.rmtree(project.folder / "results")
    source = Source(request.param, project.folder, faces)
    with_test_set = request.param == "csv.gz"
    project.configure(lambda config: config["data"].update(source=source.path.name, held_out=with_test_set))
    project.snakemake("data")
    return project, source


@pytest.fixture
def other(other_completed, tmp_path):
    original, source = other_completed
    project = copy_project(original.folder, tmp_path / "project")
    moved = Source.__new__(Source)
    moved.__dict__ |= source.__dict__ | {
        "folder": project.folder,
        "path": project.folder / source.path.name,
        "images": project.folder / source.images.name,
    }
    return project, moved


def test_other_sources_rewritten_with_the_same_content_rerun_nothing(other):
    project, source = other
    assert project.jobs("data") == {}
    source.write()
    assert project.jobs("data") == {}


@pytest.mark.parametrize("aged", [False, True], ids=["new", "old"])
def test_one_changed_pixel_of_other_sources_reruns_the_data(other, aged):
    project, source = other
    source.change_a_pixel()
    if aged:
        source.age()
    assert project.jobs("data") == DATA


def test_a_file_more_or_less_in_a_folder_reruns_the_data(other):
    project, source = other
    if source.kind != "folder":
        pytest.skip("for folders only")
    first = source.first()
    added = first.with_name("added.png")
    shutil.copy(first, added)
    os.utime(added, (1e9, 1e9))
    assert project.jobs("data") == DATA
    added.unlink()
    assert project.jobs("data") == {}
    first.unlink()
    assert project.jobs("data") == DATA


# Results.


def test_a_deleted_model_is_trained_again_only_when_it_is_needed(project):
    model = "results/rebuilt/cnn/folds/00/model.keras"
    (project.folder / model).unlink()
    assert project.jobs() == {}
    assert project.jobs(model) == {"train_fold": 1}
    (project.folder / "results/rebuilt/cnn/saliency.png").unlink()
    assert project.jobs() == {"plot_saliency": 1} | PAGE
    (project.folder / "results/rebuilt/cnn/saliency.npz").unlink()
    assert project.jobs("results/rebuilt/cnn/saliency.png") == {
        "train_fold": 1, "compute_saliency": 1, "plot_saliency": 1
    }  # fmt: skip
    assert project.jobs() == {"train_fold": 1} | OF_CNN


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damaged", "lost"),
    [
        ("fc/folds/01/predictions.csv", ["fc/confusion_matrix.csv", "fc/misclassified.csv"]),
        ("fc/folds/00/model.keras", ["fc/saliency.npz"]),
        ("cnn/folds/00/model.keras", ["cnn/saliency.npz", "cnn/filters_conv2_pool.npz"]),
    ],
)
def test_a_damaged_file_that_is_deleted_as_the_message_says_is_made_again_with_all_that_was_lost(
    project, damaged, lost
):
    results = project.folder / "results/rebuilt"
    content = (results / damaged).read_bytes()
    (results / damaged).write_text("x")
    targets = [f"results/rebuilt/{name}" for name in lost]
    told = project.snakemake(*targets, "--keep-going", "--forcerun", *targets, check=False)
    assert told.returncode == 1 and "delete it" in told.stderr.splitlines()[-1]
    assert not any((results / name).exists() for name in lost)
    (results / damaged).unlink()
    project.snakemake()
    assert (results / damaged).read_bytes() == content
    assert all((results / name).exists() for name in lost)
    assert project.jobs() == {}


@pytest.mark.parametrize("notes", ["", "[]", '{"a": 5}', '{"results/rebuilt/data/images.npy": {}}'])
def test_broken_notes_of_the_kept_files_stop_nothing(project, notes):
    (project.folder / ".snakemake/fer-crossval/rebuilt/notes.json").write_text(notes, encoding="utf-8")
    assert project.jobs() == {}


def test_edited_predictions_rerun_the_pooled_results_and_are_told(project):
    name = "results/rebuilt/fc/folds/01/predictions.csv"
    project.edit(name, r"\n(\d+),(\d),", lambda row: f"\n{row[1]},{(int(row[2]) + 1) % 7},")
    assert project.jobs() == SCORES
    said = project.snakemake("results/rebuilt/fc/summary.csv").stderr
    assert f"{name} is not the file that its fold wrote" in said
    # docs/rebuilding.md has a command for a file that was edited and kept its time.
    page = (REPOSITORY / "docs" / "rebuilding.md").read_text(encoding="utf-8")
    command = re.search(r"\n    (for fold in .*)\n", page)[1]
    command = command.replace("results/demo", "results/rebuilt")
    told = subprocess.run(command, shell=True, cwd=project.folder, capture_output=True, text=True, check=False)
    assert told.stdout.splitlines() == ["results/rebuilt/fc/folds/01/predictions.csv was edited"]


def test_folds_of_different_software_are_told(project):
    path = "results/rebuilt/fc/folds/00/metrics.json"
    project.edit(path, r'"keras": "[^"]*"', '"keras": "3.14.0"')
    said = project.snakemake("results/rebuilt/fc/summary.csv").stderr
    assert re.search(r"fc: the folds were not all trained with the same software .*keras 3\.14\.0, .*: folds 00", said)


# The cluster profile, and single files.


def test_it_holds_with_the_slurm_profile_as_well(project):
    slurm = ("--profile", "profiles/slurm")
    touch_everything(project)
    assert project.jobs(*slurm) == {}
    edit_code(project, "saliency")
    assert project.jobs(*slurm) == SALIENCY
    put_an_older_file_in_place(project)
    assert project.jobs(*slurm) == EVERYTHING


@pytest.mark.parametrize(
    ("target", "jobs"),
    [
        (
            "cnn/accuracy.png",
            [
                "cnn 00",
                "cnn 01",
                "cnn 02",
                "Pool the confusion matrix of cnn over the folds",
                "Score cnn on each fold, over the folds and on all predictions together",
                "Draw the accuracy of cnn over the epochs",
            ],
        ),
        pytest.param("fc/folds/01/history.csv", ["fc 01"], marks=pytest.mark.slow),
        ("cnn/saliency.png", ["cnn 00", "cnn 01", "cnn 02", "Compute what cnn looks at", "Draw what cnn looks at"]),
    ],
)
def test_one_file_is_made_by_the_jobs_that_it_needs_and_no_other(project, target, jobs):
    data = ["Prepare images and samples", "Assign every training sample to a fold"]
    expected = data + [re.sub(r"^(\w+) (\d\d)$", r"Train \1 on all folds but \2", job) for job in jobs]
    shutil.rmtree(project.folder / "results")
    planned = job_messages(project.snakemake(f"results/rebuilt/{target}", "--dry-run"))
    assert sorted(planned) == sorted(expected)
    if target == "fc/folds/01/history.csv":
        done = job_messages(project.snakemake(f"results/rebuilt/{target}"))
        assert sorted(done) == sorted(expected)
        made = {path.relative_to(project.folder / "results/rebuilt").parts[0] for path in project.results()}
        assert made == {"data", "fc"}
