"""What is rebuilt after which change: dry runs on a finished experiment in a copy of the repository.

The experiment reads a csv of drawn faces. Each test works on its own copy of everything, results and .snakemake
included, with new modification times, as after `git clone` and `cp -r`.
"""

import gzip
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from helpers import REPOSITORY, job_counts
from PIL import Image

from fercv.synthetic import CLASSES, draw_faces

EXPERIMENT = {
    "experiment": "rebuilt",
    "models": ["cnn", "fc"],
    "scale": "tiny",
    "data": {"source": "faces.csv"},
    "folds": {"number": 2},
    "filters": {"steps": 2},
    "scales": {
        "tiny": {
            "filters": 2,
            "definitions": {
                "cnn": {"settings": {"width": 0.0625}, "batch_size": 32, "epochs": 1},
                "fc": {"settings": {"width": 0.0625}, "batch_size": 32, "epochs": 1},
                "fc_dropout": {"settings": {"width": 0.0625}, "batch_size": 32, "epochs": 1},
            },
        }
    },
}
PLOTS = {"plot_accuracy": 2, "plot_confusion": 2, "plot_saliency": 2, "plot_filters": 2, "plot_feature_maps": 1}
PLOTS |= {"plot_samples": 1, "plot_comparison": 1}
# What depends on the folds of the cnn alone, and what depends on all folds.
OF_CNN = {
    "plot_accuracy": 1, "pool_confusion": 1, "plot_confusion": 1, "score_model": 1, "predict_held_out": 1,
    "compute_saliency": 1, "plot_saliency": 1, "ascend_filters": 2, "plot_filters": 2, "compute_feature_maps": 1,
    "plot_feature_maps": 1, "compare_models": 1, "plot_comparison": 1,
}  # fmt: skip
OF_FC = {
    "plot_accuracy": 1, "pool_confusion": 1, "plot_confusion": 1, "score_model": 1, "predict_held_out": 1,
    "compute_saliency": 1, "plot_saliency": 1, "compare_models": 1, "plot_comparison": 1,
}  # fmt: skip
OF_BOTH = {rule: count + OF_FC.get(rule, 0) for rule, count in OF_CNN.items()}
OF_BOTH |= {"compare_models": 1, "plot_comparison": 1}
AFTER_DATA = {"plot_samples": 1, "assign_folds": 1, "train_fold": 4} | OF_BOTH


class Project:
    """A copy of the repository with an experiment in it."""

    def __init__(self, folder: Path):
        self.folder = folder

    def snakemake(self, *arguments, check=True):
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments, "--configfile", "experiment.yaml"]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        if check:
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done

    def jobs(self, *arguments):
        """The jobs of a dry run as {rule: number}, without the target `all`."""
        done = self.snakemake(*arguments, "--dry-run", "--quiet", "rules")
        counts = job_counts(done.stdout + done.stderr)
        counts.pop("all", None)
        return counts

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


def write_csv(path, images, labels, usages):
    lines = ["emotion,pixels,Usage"]
    for image, label, usage in zip(images, labels, usages, strict=True):
        lines.append(f"{label},{' '.join(map(str, image.ravel()))},{usage}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def copy_project(source, target):
    """Copy without modification times, results included, as a clone with results copied in has new ones."""
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    return Project(target)


@pytest.fixture(scope="session")
def completed(tmp_path_factory):
    """The experiment, run to the end once in a copy of the repository's files; copied for each test."""
    folder = tmp_path_factory.mktemp("rebuild") / "project"
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if (REPOSITORY / name).is_file() and not name.startswith(("tests/", "docs/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, folder / name)
    faces = draw_faces(280, seed=5)
    write_csv(folder / "faces.csv", faces.images, faces.labels, faces.usages)
    (folder / "experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT), encoding="utf-8")
    project = Project(folder)
    project.snakemake()
    return project


@pytest.fixture
def project(completed, tmp_path):
    return copy_project(completed.folder, tmp_path / "project")


def test_a_copy_with_new_times_everywhere_needs_nothing(project):
    assert project.jobs() == {}


def test_touching_everything_needs_nothing(project):
    for path in sorted(project.folder.rglob("*")):
        if path.is_file() and ".snakemake" not in path.parts and "results" not in path.parts:
            os.utime(path)
    assert project.jobs() == {}


def test_git_stash_and_back_needs_nothing(project):
    def git(*arguments):
        identity = ["-c", "user.name=Someone", "-c", "user.email=someone@example.org"]
        subprocess.run(["git", *identity, *arguments], cwd=project.folder, check=True, capture_output=True)

    git("init")
    git("add", "-A")
    git("commit", "-m", "All")
    project.edit("scripts/fercv/training.py", r"steps = len\(training\)", "steps = 1 + len(training)")
    assert project.jobs() != {}
    git("stash")
    assert project.jobs() == {}
    git("stash", "pop")
    assert project.jobs() != {}


def test_comments_docstrings_and_formatting_need_nothing(project):
    project.edit("scripts/train_fold.py", r'^"""', '"""Other words. ')
    project.edit("scripts/fercv/training.py", r"\n    steps = ", "\n\n    # A comment.\n    steps =   ")
    project.edit("scripts/fercv/figures.py", r"\nWIDTH = 9.0", "\nWIDTH  =  9.0  # inches")
    assert project.jobs() == {}


@pytest.mark.parametrize(
    ("module", "pattern", "replacement", "jobs"),
    [
        ("saliency", r"np\.abs\(", "np.absolute(", {"compute_saliency": 2, "plot_saliency": 2}),
        ("figures", r"WIDTH = 9\.0", "WIDTH = 8.0", PLOTS),
        ("ascent", r"step_size \* _scale", "2 * step_size * _scale", {"ascend_filters": 2, "plot_filters": 2}),
        ("architectures", r'"leaky_relu"', '"relu"', {"summarize_architecture": 2, "train_fold": 4} | OF_BOTH),
        (
            "metrics",
            r"CONFIDENCE = 0\.95",
            "CONFIDENCE = 0.90",
            # Every module is judged as a whole, and training takes its measures from this one.
            {"train_fold": 4} | OF_BOTH,
        ),
    ],
)
def test_changed_code_of_a_module_reruns_what_uses_it(project, module, pattern, replacement, jobs):
    project.edit(f"scripts/fercv/{module}.py", pattern, replacement)
    assert project.jobs() == jobs


@pytest.mark.parametrize(
    ("change", "jobs"),
    [
        (lambda c: c["scales"]["tiny"]["definitions"]["fc"].update(learning_rate=0.01), {"train_fold": 2} | OF_FC),
        (lambda c: c["scales"]["tiny"]["definitions"]["cnn"].update(epochs=2), {"train_fold": 2} | OF_CNN),
        (lambda c: c.update(saliency={"threshold": 0.4}), {"compute_saliency": 2, "plot_saliency": 2}),
        (lambda c: c["filters"].update(step_size=0.2), {"ascend_filters": 2, "plot_filters": 2}),
        (lambda c: c.update(samples={"per_class": 5}), {"plot_samples": 1}),
        (lambda c: c["folds"].update(number=3), {"assign_folds": 1, "train_fold": 6} | OF_BOTH),
        (
            lambda c: c["models"].append("fc_dropout"),
            {"summarize_architecture": 1, "train_fold": 2} | OF_FC,
        ),
        (lambda c: c["models"].remove("fc"), {"compare_models": 1, "plot_comparison": 1}),
    ],
    ids=["learning rate", "epochs", "threshold", "ascent", "plot", "folds", "model added", "model removed"],
)
def test_a_changed_setting_reruns_what_takes_it(project, change, jobs):
    project.configure(change)
    assert project.jobs() == jobs


def test_a_removed_models_files_stay(project):
    project.configure(lambda config: config["models"].remove("fc"))
    project.snakemake()
    assert (project.folder / "results/rebuilt/fc/summary.csv").exists()
    assert project.jobs() == {}


def test_rewriting_the_csv_with_the_same_content_needs_nothing(project):
    path = project.folder / "faces.csv"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    assert project.jobs() == {}


def test_one_pixel_of_the_csv_reruns_everything_from_the_data_on(project):
    project.edit("faces.csv", r"\n(\d),(\d+) ", r"\n\1,0 7")
    assert project.jobs() == {"prepare_dataset": 1} | AFTER_DATA


def test_threads_memory_and_run_time_rerun_nothing(project):
    project.edit("rules/common.smk", r"return 4 if", "return 2 if")
    project.edit("rules/common.smk", r"2000 \+ 8000", "3000 + 9000")
    assert project.jobs() == {}
    assert project.jobs("--set-threads", "train_fold=1", "--set-resources", "train_fold:mem_mb=1") == {}


def test_a_deleted_model_is_trained_again_only_when_it_is_needed(project):
    folds = project.folder / "results/rebuilt/cnn/folds"
    (folds / "00/model.keras").unlink()
    assert project.jobs() == {}
    assert project.jobs("results/rebuilt/cnn/folds/00/model.keras") == {"train_fold": 1}
    (project.folder / "results/rebuilt/cnn/saliency.npz").unlink()
    (project.folder / "results/rebuilt/cnn/saliency.png").unlink()
    assert project.jobs("results/rebuilt/cnn/saliency.png") == {
        "train_fold": 1, "compute_saliency": 1, "plot_saliency": 1
    }  # fmt: skip


def test_edited_predictions_rerun_the_pooled_results_and_are_told(project):
    project.edit("results/rebuilt/fc/folds/01/predictions.csv", r"\n(\d+),(\d),", r"\n\1,6,")
    pooled = {"pool_confusion": 1, "plot_confusion": 1, "score_model": 1, "compare_models": 1, "plot_comparison": 1}
    assert project.jobs() == pooled
    said = project.snakemake("results/rebuilt/fc/summary.csv").stderr
    assert "fc/folds/01/predictions.csv is not the file that its fold wrote" in said


def test_it_holds_with_the_slurm_profile_as_well(project):
    assert project.jobs("--profile", "profiles/slurm") == {}
    project.edit("scripts/fercv/saliency.py", r"np\.abs\(", "np.absolute(")
    assert project.jobs("--profile", "profiles/slurm") == {"compute_saliency": 2, "plot_saliency": 2}


def test_other_triggers_mean_more_reruns_or_a_warning(project):
    project.edit("scripts/fercv/saliency.py", r"np\.abs\(", "np.absolute(")
    everything = project.jobs("--rerun-triggers", "code", "input", "mtime", "params", "software-env")
    assert everything["compute_saliency"] == 2
    assert everything["train_fold"] == 4
    done = project.snakemake("--dry-run", "--rerun-triggers", "mtime")
    assert len([line for line in done.stderr.splitlines() if "rerun-triggers lacks `params`" in line]) == 1
    assert "lacks" not in project.snakemake("--dry-run").stderr


def test_without_the_digest_a_changed_module_goes_unseen(project):
    """The negative control: a digest that says nothing, and the same change as above."""
    project.edit("scripts/fercv/codedigest.py", r"return hashlib.*", 'return ""')
    project.snakemake("--touch")
    for path in (project.folder / ".snakemake" / "metadata").iterdir():
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"'[0-9a-f]{32}'", "''", text), encoding="utf-8")
    project.edit("scripts/fercv/saliency.py", r"np\.abs\(", "np.absolute(")
    assert project.jobs() == {}


@pytest.fixture(params=["folder", "zip", "csv.gz"])
def other_source(request, completed, tmp_path):
    """The repository with the same faces in another form, and the data stage done."""
    project = copy_project(completed.folder, tmp_path / "project")
    shutil.rmtree(project.folder / "results")
    faces = draw_faces(280, seed=5)
    if request.param == "csv.gz":
        source = "faces.csv.gz"
        (project.folder / source).write_bytes(gzip.compress((project.folder / "faces.csv").read_bytes()))
    else:
        source = "faces"
        for number, (image, label) in enumerate(zip(faces.images, faces.labels, strict=True)):
            path = project.folder / source / CLASSES[label] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
        if request.param == "zip":
            source = pack(project.folder / source)
    project.configure(lambda config: config["data"].update(source=source, held_out=request.param == "csv.gz"))
    project.snakemake("data")
    return project, request.param


def pack(folder):
    with zipfile.ZipFile(f"{folder}.zip", "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.writestr(zipfile.ZipInfo(str(path.relative_to(folder))), path.read_bytes())
    return f"{folder.name}.zip"


def test_other_sources_are_judged_by_content_too(other_source):
    project, kind = other_source
    data = {"prepare_dataset": 1, "assign_folds": 1, "plot_samples": 1}

    def jobs():
        counts = project.jobs("data")
        counts.pop("data", None)
        return counts

    assert jobs() == {}
    if kind == "csv.gz":
        path = project.folder / "faces.csv.gz"
        content = gzip.decompress(path.read_bytes())
        path.write_bytes(path.read_bytes())
        assert jobs() == {}
        path.write_bytes(gzip.compress(re.sub(rb"\n(\d),(\d+) ", rb"\n\1,0 7", content, count=1)))
        assert jobs() == data
        return
    one = next((project.folder / "faces" / "happy").iterdir())
    one.write_bytes(one.read_bytes())
    if kind == "zip":
        pack(project.folder / "faces")
    assert jobs() == {}
    image = np.asarray(Image.open(one)).copy()
    image[0, 0] ^= 1
    Image.fromarray(image).save(one)
    if kind == "zip":
        pack(project.folder / "faces")
        assert jobs() == data
        return
    assert jobs() == data
    project.snakemake("data")
    Image.fromarray(image).save(one.with_name("added.png"))
    assert jobs() == data
    project.snakemake("data")
    one.with_name("added.png").unlink()
    assert jobs() == data
