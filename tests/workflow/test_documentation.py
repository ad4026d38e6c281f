"""The pages: every command runs, every example works, every link leads somewhere.

HANDLERS says how the commands of each program are checked. A command that would take minutes is run dry. If HANDLERS
does not know a program, the test fails: somebody must decide how its commands are checked.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import PIL.Image
import pytest
import yaml
from helpers import REPOSITORY, copy_repository, job_counts
from packaging.requirements import Requirement
from pages import PAGES, PLACEHOLDERS, SLURM, blocks, commands, spans, tokens
from snakemake.utils import update_config
from warm import run_snakemake

from fercv.data.faces import CLASSES
from fercv.data.tables import METRICS
from fercv.workflow.start import BACKENDS

MODELS = ("cnn", "fc", "fc_dropout")
# Variables of the libraries that the backends compute with.
KERNELS = {
    "TF_ENABLE_ONEDNN_OPTS",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
    "ATEN_CPU_CAPABILITY",
    "MKL_ENABLE_INSTRUCTIONS",
}


def run(command, folder: Path, codes=(0,)) -> str:
    """Run a command in a folder; return its output."""
    if command[0] == "snakemake":
        done = run_snakemake(command[1:], folder)
    else:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, shell=isinstance(command, str))
    said = done.stdout + done.stderr
    assert done.returncode in codes, said[-4000:]
    return said


class Copies(NamedTuple):
    """Two copies of the repository, in both of which a reader has followed the README, see `follow_readme`.

    fresh: nothing has been run.
    finished: there are results, see `write_results`.
    """

    fresh: Path
    finished: Path


# How commands are checked: functions of the command's words, its line, and copies of the repository.


def check_snakemake(words, line, copies):
    """A command that would run jobs is run dry, and there must be some jobs."""
    if {"--report", "--lint", "--unlock", "--list-target-rules"} & set(words):
        run(words, copies.finished)
    else:
        assert job_counts(run(["snakemake", "--dry-run", "--quiet", "rules", *words[1:]], copies.fresh))


def check_python(words, line, copies):
    """The script exists and knows the options."""
    if words[1:] == ["-m", "venv", ".venv"]:
        return
    script = REPOSITORY / words[1]
    if script.parent.name == "benchmarks":
        takes_options = "argparse" in script.read_text(encoding="utf-8")
        shown = run([sys.executable, script, "--help"], copies.fresh) if takes_options else ""
        assert [word for word in words if word.startswith("--") and word not in shown] == []
    else:
        run([sys.executable, script, *words[2:]], copies.finished)


def check_pip(words, line, copies):
    """It installs packages, or the packages that files of requirements name."""
    assert words[1] == "install"
    files = [words[place + 1] for place, word in enumerate(words) if word == "-r"]
    assert all(map(requirements, files)) if files else list(map(Requirement, words[2:]))


def requirements(file) -> list[Requirement]:
    """The packages that a file of requirements and the files it includes name."""
    text = (REPOSITORY / file).read_text(encoding="utf-8").replace("\\\n", "")
    lines = [re.sub(r"(^|\s)#.*|\s--hash=\S+", "", line).strip() for line in text.splitlines()]
    included = [match[1] for line in lines if (match := re.match(r"-[rc] *(\S+)", line))]
    found = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return found + [requirement for other in included for requirement in requirements(other)]


def check_pytest(words, line, copies):
    """The tests that it names exist, and pytest knows the options and the markers."""
    assert [word for word in words[1:] if "/" in word and not (REPOSITORY / word).exists()] == []
    said = run([sys.executable, "-m", "pytest", *words[1:], "--markers"], REPOSITORY)
    markers = [words[place + 1] for place, word in enumerate(words) if word == "-m"]
    assert [marker for marker in markers if f"@pytest.mark.{marker}:" not in said] == []


def check_style(words, line, copies):
    """The tool takes the arguments, whether or not it finds a fault."""
    run([Path(sys.executable).with_name(words[0]), *words[1:]], REPOSITORY, codes=(0, 1))


def check_pre_commit(words, line, copies):
    """Each hook is a check of .ci/run."""
    configuration = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    entries = [f".venv/bin/{hook['entry']}" for repository in configuration["repos"] for hook in repository["hooks"]]
    checks = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert entries
    assert set(entries) <= set(checks)


def check_shell_script(words, line, copies):
    """Bash can parse it, and it is executable."""
    assert os.access(REPOSITORY / words[0], os.X_OK)
    run(["bash", "-n", words[0]], REPOSITORY)


def check_search(words, line, copies):
    """It finds one line in the results, see `write_results`."""
    assert len(run(line, copies.finished).splitlines()) == 1


def check_slurm(words, line, copies):
    """Without a cluster only what `sbatch` wraps can run. tests/slurm/test_pages.py runs the others."""
    if "--wrap" in words:
        wrapped = words[words.index("--wrap") + 1]
        check_snakemake(shlex.split(wrapped), wrapped, copies)


def check_export(words, line, copies):
    """The variables choose a backend of Keras that the program knows, or kernels."""
    values = dict(word.split("=") for word in words[1:])
    assert set(values) <= {"KERAS_BACKEND"} | KERNELS
    assert values.get("KERAS_BACKEND", "tensorflow") in BACKENDS


def check_nothing(words, line, copies):
    """Nothing in this project can make it outdated."""


HANDLERS = {
    "snakemake": check_snakemake,
    "python": check_python,
    "python3": check_python,
    "pip": check_pip,
    "pytest": check_pytest,
    "ruff": check_style,
    "snakefmt": check_style,
    "pre-commit": check_pre_commit,
    ".ci/run": check_shell_script,
    ".ci/lock": check_shell_script,
    ".ci/mutate": check_shell_script,
    "tests/slurm/cluster.sh": check_shell_script,
    "grep": check_search,
    "for": check_search,
    "export": check_export,
    **dict.fromkeys(SLURM, check_slurm),
    **dict.fromkeys(("git", "cd", "source", "module", "kill", "tensorboard"), check_nothing),
}


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """The folders in which the commands of the pages are run."""
    folder = tmp_path_factory.mktemp("pages")
    copies = Copies(folder / "fresh", folder / "finished")
    copy_repository(copies.fresh)
    follow_readme(copies.fresh)
    shutil.copytree(copies.fresh, copies.finished)
    for experiment in ("demo", "fer2013"):
        write_results(copies.finished / "results" / experiment)
    return copies


def follow_readme(folder: Path) -> None:
    """Write the README's own experiment and architecture, and data. Images are empty, as dry runs look at names."""
    experiment = {}
    for block in blocks("README.md", "yaml"):
        update_config(experiment, yaml.safe_load(block))
    (folder / "experiments" / "mine.yaml").write_text(yaml.safe_dump(experiment), encoding="utf-8")
    (path,) = {link for link in links("README.md") if link.endswith("architectures.py")}
    with (folder / path).open("a", encoding="utf-8") as architectures:
        architectures.writelines(f"\n\n{block}" for block in blocks("README.md", "python"))
    for name in [f"mine/{label}/{number}.png" for label in ("calm", "angry") for number in range(5)]:
        (folder / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "data" / name).touch()
    rows = [f"{label},{'0 ' * 48 * 48},Training" for label in range(7)]
    (folder / "photos").mkdir()
    (folder / "photos" / "1.png").touch()
    (folder / "data/fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]), encoding="utf-8")
    with zipfile.ZipFile(folder / "data/fer2013-images.zip", "w") as archive:
        for label in CLASSES:
            for number in range(20):
                archive.writestr(f"train/{label}/{number}.png", "")
            archive.writestr(f"test/{label}/0.png", "")


PICTURES = (  # of every model
    "accuracy", "confusion_matrix", "misclassified", "calibration", "held_out", "saliency", "saliency_methods",
    "saliency_means", "saliency_checks",
)  # fmt: skip
TABLES = ("metrics", "per_class", "calibration", "misclassified", "label_issues")  # that only Snakemake's report takes


def write_results(results: Path) -> None:
    """Write what commands of the pages read: pictures, tables, the log of a fold, and two folds, one of them edited."""
    pictures = ["data/samples.png", "data/audit.png", "comparison.png", "ensembles.png", "label_issues.png"]
    pictures += [f"{model}/{name}.png" for model in MODELS for name in PICTURES]
    pictures += [f"cnn/{name}.png" for name in ("filters_conv2_pool", "filters_block4_pool", "feature_maps_conv2_pool")]
    pictures += [f"cnn/{name}.png" for name in ("filter_checks", "feature_map_checks")]
    for name in [
        *pictures,
        "report.html",
        "data/audit.csv",
        *(f"{model}/{name}.csv" for model in MODELS for name in TABLES),
    ]:
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / "docs" / "images" / "samples.png", results / name)
    for model in MODELS:
        pd.DataFrame({"measure": ["balanced_accuracy"], "mean": [1.0]}).to_csv(results / model / "summary.csv")
        gains = {"predictions": "difference", "measure": ["accuracy", "log_loss"], "value": [0.1, -0.1]}
        pd.DataFrame(gains).to_csv(results / model / "held_out_metrics.csv")
        pd.DataFrame({"true": ["sad"], "sad": [1]}).to_csv(results / model / "confusion_matrix.csv", index=False)
        pooled = {"measure": ["calibration_error"], "high": [0.05]}
        pd.DataFrame(pooled).to_csv(results / model / "pooled_metrics.csv", index=False)
    pair = {"model": ["cnn"], "versus": ["fc"], "mean": [0.2], "p_adjusted": [0.001]}
    pd.DataFrame(pair).to_csv(results / "comparison.csv", index=False)
    # Four images, of which the first has a wrong label. The cnn finds it.
    pd.DataFrame({"label": [0] * 4}).to_csv(results / "data" / "samples.csv")
    pd.DataFrame({"index": range(4)}).to_csv(results / "data" / "folds.csv")
    np.savez(results / "data" / "truth.npz", true_labels=[1, 0, 0, 0])
    for name in ("cnn/label_issues.csv", "label_issues.csv"):
        pd.DataFrame({"index": [0], "sample": ["face 0"]}).to_csv(results / name, index=False)
    log = results / "logs" / "train_fold" / "cnn_00.log"
    log.parent.mkdir(parents=True)
    log.write_text("...\ncnn fold 00: tensorflow on GPU:0, 1 thread, in float32, as ...\n", encoding="utf-8")
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # of an empty file
    for fold, predictions in [("00", ""), ("01", "edited")]:
        folder = results / "cnn" / "folds" / fold
        folder.mkdir(parents=True)
        (folder / "predictions.csv").write_text(predictions, encoding="utf-8")
        (folder / "metrics.json").write_text(json.dumps({"predictions_sha256": digest}), encoding="utf-8")


# Code in a sentence is checked only if its first word is a known program. It may be a setting, for example.
CHECKED = [command for command in commands() if command.in_block or command.program in HANDLERS]


@pytest.mark.parametrize("command", CHECKED, ids=lambda command: f"{command.page}: {command.text}")
def test_a_command_of_a_page_works(command, copies):
    shown = f"{command.page} shows `{command.text}`"
    assert command.program in HANDLERS, f"{shown}; say in HANDLERS how a command of {command.program} is checked"
    assert not re.search(r"<\w[^<>]*>", command.line), f"{shown}; PLACEHOLDERS must fill in what stands in <...>"
    HANDLERS[command.program]([command.program, *shlex.split(command.line)[1:]], command.line, copies)


def test_commands_are_found_in_all_pages_and_in_sentences():
    texts = {command.text for command in CHECKED}
    assert {command.page for command in CHECKED} >= set(PAGES) - {"docs/data.md"}
    assert ".venv/bin/snakemake --cores all" in texts
    assert "snakemake --cores all --configfile experiments/mine.yaml" in texts


def test_every_placeholder_is_used():
    shown = "".join(command.text for command in CHECKED)
    assert [placeholder for placeholder in PLACEHOLDERS if placeholder not in shown] == []


def test_every_block_is_of_a_kind_that_is_checked():
    for page in PAGES:
        kinds = {token.info or "shell" for token in tokens(page) if token.type in ("fence", "code_block")}
        assert kinds <= {"shell", "yaml", "python", "text"}, page


def test_the_model_of_the_readme_is_built_and_would_be_trained(copies):
    arguments = ["--cores", "2", "--configfile", "experiments/mine.yaml"]
    planned = run(["snakemake", "--dry-run", *arguments], copies.finished)
    assert "Train shallow on all folds but 04" in planned
    run(["snakemake", "results/mine/shallow/architecture.txt", *arguments], copies.finished)
    text = (copies.finished / "results/mine/shallow/architecture.txt").read_text(encoding="utf-8")
    assert "(None, 46, 46, 16)" in text
    assert "Draw the filters of pool of shallow" in planned


def test_the_measure_of_contributing_measures_what_it_says():
    predictions = pd.DataFrame({"index": [4, 7], "label": [0, 1], "a": [0.3, 0.5], "b": [0.2, 0.1], "c": [0.5, 0.4]})
    function, line = blocks("CONTRIBUTING.md", "python")
    names = {"predictions": predictions, "measures": {}}
    exec(function + line, names)
    assert names["measures"] == {"top_2_accuracy": 0.5}


def test_the_example_of_results_predicts_with_the_models_of_all_folds(copies):
    (example,) = blocks("docs/results.md", "python")
    PIL.Image.new("RGB", (90, 120), "red").save(copies.finished / "face.png")
    lines = ["from fercv.nets.models import build_model, save_model"]
    for fold in ("00", "01"):
        lines.append("model = build_model('fc', (48, 48, 1), 7, {'width': 0.01})")
        lines.append(f"save_model(model, 'results/demo/cnn/folds/{fold}/model.keras')")
    made = "\n".join(["import sys", "sys.path.insert(0, 'scripts')", *lines, ""])
    said = run([sys.executable, "-c", made + example + "print(len(models), probabilities.sum())"], copies.finished)
    models, total = said.split()[-2:]
    assert models == "2"
    assert float(total) == pytest.approx(1)


def test_the_groups_of_two_labels_that_are_found_are_counted(tmp_path):
    count, _ = blocks("docs/labels.md", "python")
    (folder,) = set(re.findall(r"results/[\w-]+", count))
    (model,) = re.findall(r', "(\w+)"\n', count)
    (tmp_path / folder / "data").mkdir(parents=True)
    (tmp_path / folder / model).mkdir()
    samples = pd.DataFrame(
        # Of the groups 0 to 3, each with two labels, the first is found; of the last two, one image is not trained on.
        {
            "index": range(10),
            "label": [0, 1, 2, 3, 4, 5, 6, 0, 6, 6],
            "usage": ["Training"] * 5 + ["PublicTest"] + ["Training"] * 4,
            "duplicate_group": [0, 0, 1, 1, 2, 2, 3, 3, 4, 4],
            "excluded": [""] * 7 + ["held_out_twin"] + [""] * 2,
        }
    )
    samples.to_csv(tmp_path / folder / "data" / "samples.csv", index=False)
    for name, rows in (("label_issues", [0, 4, 6, 8]), ("misclassified", [0, 1, 2, 4, 6, 8])):
        pd.DataFrame({"index": rows}).to_csv(tmp_path / folder / model / f"{name}.csv", index=False)
    said = run([sys.executable, "-c", count], tmp_path)
    # Two mistakes in the first group, one in the second.
    assert said.strip() == f"4 of 6 mistakes; 1 of 2 groups, {1 - (2 / 6) ** 2 + 4 / 6:.1f} by chance"


def test_a_model_without_the_suspicious_labels_is_compared_with_the_one_that_has_all(copies):
    (overlay,) = blocks("docs/labels.md", "yaml")
    path = copies.finished / "experiments" / "cleaned.yaml"
    path.write_text(overlay, encoding="utf-8")
    planned = run(
        ["snakemake", "--dry-run", "--cores", "2", "--configfile", "experiments/cleaned.yaml"], copies.finished
    )
    assert "Train cnn on all folds but 19" in planned and "Train fc" not in planned
    for experiment, accuracy in (("demo", 0.5), ("demo-cleaned", 0.75)):
        folder = copies.finished / "results" / experiment / "cnn"
        folder.mkdir(parents=True, exist_ok=True)
        rows = [(f"0{fold}", accuracy + fold / 8, 0.5, 0.5, 1.0, 9) for fold in range(3)]
        pd.DataFrame(rows, columns=list(METRICS)).to_csv(folder / "metrics.csv", index=False)
    _, compare = blocks("docs/labels.md", "python")
    said = run([sys.executable, "-c", compare], copies.finished)
    assert re.search(r"cleaned +all +accuracy +0\.25", said)


def test_files_named_in_sentences_are_there(copies):
    folders = {path.name for path in REPOSITORY.iterdir() if path.is_dir()} - {"results", "data", ".venv", ".snakemake"}
    named = [(page, text.split()[0]) for page in PAGES for text in spans(page)]
    named = [(page, name) for page, name in named if name.split("/")[0] in folders and "/" in name and "<" not in name]
    assert {name for _, name in named} >= {"scripts/score_model.py", "experiments/mine.yaml"}
    missing = [pair for pair in named if not any(any(root.glob(pair[1])) for root in (REPOSITORY, copies.fresh))]
    assert missing == []


def links(page: str) -> list[str]:
    """Where a page's links and pictures lead, those to other sites left out."""
    found = [token.attrs.get("href") or token.attrs.get("src") for token in tokens(page)]
    return [link for link in found if link and not re.match(r"\w+:", link)]


def anchors(page: str) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = [content.content for token, content in pairwise(tokens(page)) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def markdown_files() -> list[str]:
    """The pages that git tracks, or would."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    return [name for name in run(command, REPOSITORY).splitlines() if (REPOSITORY / name).is_file()]


@pytest.mark.parametrize("page", markdown_files())
def test_links_lead_somewhere(page):
    for link in links(page):
        file, _, anchor = link.partition("#")
        target = (REPOSITORY / page).parent / file if file else REPOSITORY / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.resolve().relative_to(REPOSITORY).as_posix()), link


def test_every_page_of_docs_is_linked_from_the_readme():
    assert {page for page in PAGES if page != "README.md"} <= set(links("README.md"))


def test_the_readme_is_short():
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 130


def test_the_layout_in_the_readme_is_that_of_the_repository():
    (layout,) = blocks("README.md", "text")
    folders = []
    for line in layout.splitlines():
        names, indent = re.split(r"  +", line.strip())[0], len(line) - len(line.lstrip())
        folders = folders[: indent // 2]
        for name in names.split(", "):
            assert REPOSITORY.joinpath(*folders, name).exists(), line
        folders.append(names)
    wings = {path.name for path in (REPOSITORY / "scripts" / "fercv").iterdir() if (path / "__init__.py").exists()}
    assert wings <= set(re.findall(r"(\w+)/", layout))
