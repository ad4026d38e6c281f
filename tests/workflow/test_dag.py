"""Which jobs a request needs, and what is refused before any job."""

import importlib.util
import re
import subprocess

import pytest
from helpers import REPOSITORY, job_counts
from PIL import Image

from fercv.workflow.codedigest import LOOKED_UP, used_code
from fercv.workflow.settings import FOLDERS

ALL = {
    "all": 1,
    "prepare_dataset": 1,
    "plot_samples": 1,
    "assign_folds": 1,
    "audit_data": 1,
    "plot_audit": 1,
    "summarize_architecture": 3,
    "train_fold": 60,
    "plot_accuracy": 3,
    "pool_confusion": 3,
    "plot_confusion": 3,
    "score_model": 3,
    "plot_calibration": 3,
    "list_misclassified": 3,
    "plot_misclassified": 3,
    "find_label_issues": 3,
    "rank_label_issues": 1,
    "plot_label_issues": 1,
    "compare_models": 1,
    "plot_comparison": 1,
    "compare_ensembles": 1,
    "predict_held_out": 3,
    "score_held_out": 3,
    "plot_held_out": 3,
    "compute_saliency": 3,
    "plot_saliency": 3,
    "ascend_filters": 2,
    "plot_filters": 2,
    "compute_feature_maps": 1,
    "plot_feature_maps": 1,
    "make_report": 1,
    "check_layers": 1,
    "plot_layer_checks": 1,
}
# These are made only for an experiment that trains a model on random folds, too.
OF_LEAKAGE = {"assign_random_folds", "measure_leakage", "plot_leakage"}
OF_FACTORS = {"compare_factors", "plot_factors"}
OF_FINAL = {"train_final", "export_onnx", "write_model_card", "pack_model"}
OF_NEW_IMAGES = {"prepare_new_images", "predict_new_images", "plot_new_images"}
DATA = {"prepare_dataset": 1, "assign_folds": 1}


def test_the_demo_trains_twenty_folds_of_each_model(workflow):
    assert workflow.jobs(configfile=None) == ALL
    output = workflow.run("--dry-run", configfile=None).stdout
    trained = re.findall(r"Train (\w+) on all folds but (\d+)", output)
    assert sorted(trained) == sorted(
        (model, f"{fold:02d}") for model in ("cnn", "fc", "fc_dropout") for fold in range(20)
    )


@pytest.mark.parametrize(
    ("target", "jobs"),
    [
        ("cnn/confusion_matrix.png", DATA | {"train_fold": 20, "pool_confusion": 1, "plot_confusion": 1}),
        ("cnn/accuracy.png", DATA | {"train_fold": 20, "pool_confusion": 1, "score_model": 1, "plot_accuracy": 1}),
        ("cnn/misclassified.png", DATA | {"train_fold": 20, "list_misclassified": 1, "plot_misclassified": 1}),
        ("fc/label_issues.csv", DATA | {"train_fold": 20, "find_label_issues": 1}),
        ("label_issues.csv", DATA | {"train_fold": 60, "find_label_issues": 3, "rank_label_issues": 1}),
        ("fc/folds/07/history.csv", DATA | {"train_fold": 1}),
        ("cnn/saliency.png", DATA | {"train_fold": 20, "compute_saliency": 1, "plot_saliency": 1}),
        ("cnn/filters_block4_pool.png", DATA | {"train_fold": 1, "ascend_filters": 1, "plot_filters": 1}),
        ("cnn/filter_checks.png", DATA | {"train_fold": 2, "check_layers": 1, "plot_layer_checks": 1}),
        (
            "comparison.png",
            DATA | {"train_fold": 60, "pool_confusion": 3, "score_model": 3, "compare_models": 1, "plot_comparison": 1},
        ),
        ("fc/held_out_metrics.csv", DATA | {"train_fold": 20, "predict_held_out": 1, "score_held_out": 1}),
        ("data/audit.png", DATA | {"audit_data": 1, "plot_audit": 1}),
        ("data/samples.png", {"prepare_dataset": 1, "plot_samples": 1}),
        ("report.html", {rule: count for rule, count in ALL.items() if rule != "all"}),
        ("fc/architecture.txt", {"summarize_architecture": 1}),
    ],
)
def test_one_file_needs_only_its_own_jobs(workflow, target, jobs):
    assert workflow.jobs(f"results/demo/{target}", configfile=None) == jobs


@pytest.mark.parametrize(
    ("target", "jobs"),
    [
        ("saliency", DATA | {"train_fold": 60, "compute_saliency": 3, "plot_saliency": 3}),
        ("confusion", DATA | {"train_fold": 60, "pool_confusion": 3, "plot_confusion": 3}),
        ("filters", DATA | {"train_fold": 1, "ascend_filters": 2, "plot_filters": 2}),
    ],
)
def test_a_kind_of_picture_may_be_asked_for(workflow, target, jobs):
    assert workflow.jobs(target, configfile=None) == jobs | {target: 1}


def test_a_model_may_be_asked_for_unless_its_name_is_taken(workflow):
    jobs = workflow.jobs("fc", configfile=None)
    assert jobs["train_fold"] == 20
    of_model = set(ALL) - {"all", "ascend_filters", "plot_filters", "compute_feature_maps", "plot_feature_maps"}
    of_model -= {"plot_samples", "audit_data", "plot_audit", "compare_models", "plot_comparison", "compare_ensembles"}
    of_model -= {"rank_label_issues", "plot_label_issues", "make_report", "check_layers", "plot_layer_checks"}
    assert set(jobs) == of_model | {"fc"}
    overlay = {"models": ["saliency"], "definitions": {"saliency": {"architecture": "fc"}}}
    assert workflow.jobs("saliency", configfile=None, overlay=overlay)["saliency"] == 1


WITH_ONNX = all(map(importlib.util.find_spec, ["tensorflow", "tf2onnx"]))


def test_final_models_are_made_on_demand_with_what_their_cards_state(workflow):
    jobs = DATA | {"train_fold": 60, "pool_confusion": 3, "score_model": 3, "predict_held_out": 3, "score_held_out": 3}
    jobs |= {"final": 1, "train_final": 3, "write_model_card": 3, "pack_model": 3}
    jobs |= {"export_onnx": 3} if WITH_ONNX else {}
    assert workflow.jobs("final", configfile=None) == jobs
    assert not OF_FINAL & set(workflow.jobs(configfile=None))
    assert workflow.jobs("results/demo/fc/final/model.keras", configfile=None) == DATA | {"train_final": 1}
    planned = workflow.run("--dry-run", "results/demo/fc/final/demo-fc.zip", configfile=None).stdout
    assert "Train fc on all folds\n" in planned and "final cnn" not in planned
    no_test = workflow.jobs("final", configfile=None, overlay={"data": {"held_out": False}})
    assert no_test == {rule: count for rule, count in jobs.items() if not rule.endswith("_held_out")}


# Python imports this when it starts. A package then is as if it were not installed.
HIDE = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "{package}" else find(name, *more)
"""


def test_onnx_files_are_left_out_where_tf2onnx_is_not_installed(workflow):
    (workflow.folder / "sitecustomize.py").write_text(HIDE.format(package="tf2onnx"), encoding="utf-8")
    without = {"PYTHONPATH": str(workflow.folder), "configfile": None}
    assert workflow.jobs("final", **without).keys() & OF_FINAL == OF_FINAL - {"export_onnx"}
    done = workflow.run("results/demo/fc/final/model.onnx", "--dry-run", check=False, **without)
    assert done.returncode == 1
    assert re.match(r"model.onnx is written by .* `pip install -r requirements-onnx.txt`", done.stderr.splitlines()[-1])


def test_every_target_is_described(workflow):
    said = workflow.run("--list-target-rules", configfile=None).stdout
    for target in ("all", "data", "train", "evaluate", "visualize", "report", "final", "new_images", "accuracy", "cnn"):
        assert re.search(rf"^{target} \(.+\)$", said, re.MULTILINE), target


def test_the_layers_of_which_there_are_pictures_are_checked_and_the_other_model_is_that_of_the_next_fold(workflow):
    for overlay, folds in (({"layer_checks": {"fold": 19}}, {"19", "00"}), ({"filters": {"layers": []}}, {"00", "01"})):
        output = workflow.run("results/demo/cnn/filter_checks.csv", "-n", configfile=None, overlay=overlay).stdout
        assert set(re.findall(r"Train cnn on all folds but (\d+)", output)) == folds
    none = {"filters": {"layers": []}, "feature_maps": {"layers": []}}
    assert "check_layers" not in workflow.jobs(configfile=None, overlay=none)


@pytest.mark.parametrize("target", ["all", "evaluate", "visualize", "new_images", "cnn", "saliency", "filters"])
def test_each_picture_is_a_vector_graphic_too_if_the_setting_says_so(workflow, target):
    (workflow.folder / "photos").mkdir()
    Image.new("L", (48, 48), 7).save(workflow.folder / "photos" / "one.png")
    overlay = {"vector_figures": "pdf", "new_images": "photos"}
    planned = workflow.run(target, "--dry-run", configfile=None, overlay=overlay).stdout
    asked_for = re.search(rf"rule {target}:\n    input: (.*)\n", planned)[1].split(", ")
    pictures = {path.removesuffix(".png") for path in asked_for if path.endswith(".png")}
    assert pictures and {path.removesuffix(".pdf") for path in asked_for if path.endswith(".pdf")} == pictures


def test_vector_graphics_are_drawn_when_they_are_asked_for_and_nothing_is_drawn_when_they_are_no_longer(workflow):
    workflow.run("data")
    overlay = {"vector_figures": "svg"}
    assert workflow.jobs("data", overlay=overlay) == {"data": 1, "plot_samples": 1, "plot_audit": 1}
    workflow.run("data", overlay=overlay)
    folder = workflow.folder / "results/demo-tiny/data"
    assert sorted(path.stem for path in folder.glob("*.svg")) == ["audit", "samples"]
    assert workflow.jobs("data", overlay=overlay) == workflow.jobs("data") == {}
    (folder / "audit.svg").unlink()
    assert workflow.jobs("data", overlay=overlay) == {"data": 1, "plot_audit": 1}


def test_factors_need_the_histories_alone(workflow):
    overlay = {"factors": {"rate": "learning_rate"}}
    jobs = workflow.jobs("results/demo/factors.png", configfile=None, overlay=overlay)
    assert jobs == DATA | {"train_fold": 60, "compare_factors": 1, "plot_factors": 1}
    assert workflow.jobs(configfile=None, overlay=overlay) == ALL | {"compare_factors": 1, "plot_factors": 1}


RANDOM = {"definitions": {"fc_random": {"architecture": "fc", "folds": "random"}, "fc_same": {"architecture": "fc"}}}


def test_a_model_on_random_folds_takes_them_and_is_compared_with_the_same_model_on_grouped_folds(workflow):
    overlay = RANDOM | {"models": ["fc_same", "fc_random"]}
    jobs = workflow.jobs("evaluate", configfile=None, overlay=overlay)
    assert {rule: jobs[rule] for rule in OF_LEAKAGE} == dict.fromkeys(OF_LEAKAGE, 1)
    assert (jobs["train_fold"], jobs["compare_models"]) == (40, 1)
    target = "results/demo/fc_random/saliency.npz"
    jobs = workflow.jobs(target, configfile=None, overlay=overlay)
    assert jobs == {"prepare_dataset": 1, "assign_random_folds": 1, "train_fold": 20, "compute_saliency": 1}
    jobs = workflow.jobs("results/demo/fc_random/final/model.keras", configfile=None, overlay=overlay)
    assert jobs == {"prepare_dataset": 1, "assign_random_folds": 1, "train_final": 1}


def test_what_leaks_are_worth_is_not_asked_of_models_that_differ_otherwise(workflow):
    overlay = RANDOM | {"models": ["fc", "fc_random"]}
    assert "measure_leakage" not in workflow.jobs("evaluate", configfile=None, overlay=overlay)
    done = workflow.run("results/demo/leakage.csv", "--dry-run", configfile=None, overlay=overlay, check=False)
    assert done.returncode == 1
    assert re.match(r"leakage.csv compares models that differ in nothing but their folds", done.stderr.splitlines()[-1])


def test_no_held_out_rows_no_prediction_of_them(workflow):
    jobs = workflow.jobs(configfile=None, overlay={"data": {"held_out": False}})
    assert jobs == {rule: count for rule, count in ALL.items() if not rule.endswith("_held_out")}


def test_the_truth_is_known_of_the_built_in_faces_alone(workflow):
    assert workflow.jobs("results/demo/data/truth.npz", configfile=None) == {"prepare_dataset": 1}
    (workflow.folder / "faces.csv").write_text(f"label,feature\n0,{' '.join(['7'] * 48 * 48)}\n", encoding="utf-8")
    mine = {"experiment": "mine", "scale": "full", "data": {"source": "faces.csv"}}
    planned = workflow.run("--dry-run", "results/mine/data/folds.csv", configfile=None, overlay=mine)
    assert "results/mine/data/samples.csv" in planned.stdout and "truth.npz" not in planned.stdout + planned.stderr


@pytest.mark.parametrize(
    "target",
    [
        "results/demo/cnn/acuracy.png",
        "results/demo/cmn/accuracy.png",
        "results/demo/cnn/folds/20/history.csv",
        "results/demo/cnn/folds/7/history.csv",
        "results/demo/cnn/filters_conv9_pool.png",
        "results/demo/fc/filters_conv2_pool.png",
        "results/demo/fc/filter_checks.png",
        "results/dmeo/cnn/accuracy.png",
        "results/demo/cnn/final/demo-fc.zip",
    ],
)
def test_a_mistyped_target_is_refused_before_any_job(workflow, target):
    done = workflow.run(target, configfile=None, check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert not (workflow.folder / "results").exists()


@pytest.mark.parametrize(
    ("overlay", "line"),
    [
        ({"seed": -1}, r"^\S+overlay.yaml: seed is -1, expected .*4294967295"),
        ({"folds": {"nubmer": 5}}, r"folds.nubmer is unknown; did you mean 'number'"),
        ({"models": ["cmn"]}, r"models is 'cmn'.*did you mean 'cnn'"),
        ({"data": {"source": "mine"}}, r"^\S+overlay.yaml, which leaves it to config.yaml: experiment is 'demo', but"),
        ({"experiment": "mine", "scale": "full", "data": {"source": "nowhere.csv"}}, r"'nowhere.csv'"),
        ({"definitions": {"cnn": {"exclude_from_training": "nowhere.csv"}}}, r"^nowhere.csv: no such file under"),
        (
            {"definitions": {"cnn": {"exclude_from_training": "results/demo/cnn/label_issues.csv"}}},
            r"^definitions.cnn.exclude_from_training is \S+, which this experiment writes anew",
        ),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line(workflow, overlay, line):
    done = workflow.run(configfile=None, overlay=overlay, check=False)
    assert done.returncode != 0
    # What Snakemake itself says of profiles and config files comes before.
    said = [
        text for text in done.stderr.splitlines() if text and not text.startswith(("Using workflow", "Config file"))
    ]
    assert len(said) == 1, done.stderr
    assert re.search(line, said[0])
    assert not (workflow.folder / "results").exists()


def test_an_own_definition_wins_over_a_scale_that_the_command_does_not_choose(workflow):
    overlay = {"definitions": {"fc": {"epochs": 1, "schedule": {"warmup": 2}}}}
    refused = workflow.run("-n", configfile=None, overlay=overlay, check=False)
    assert "overlay.yaml: definitions.fc.schedule.warmup is 2.0, but the model trains for 1 epoch" in refused.stderr
    workflow.run("-n", "--config", "scale=demo", configfile=None, overlay=overlay)


@pytest.mark.parametrize(
    "text", ["experiment: [a\n  b: }", "experiment: !!python/object/apply:os.mknod [{mark}]\n"], ids=["no YAML", "code"]
)
def test_a_config_file_that_is_no_plain_yaml_is_refused_and_runs_nothing(workflow, text):
    mark = workflow.folder / "mark"
    file = workflow.folder / "bad.yaml"
    file.write_text(text.replace("{mark}", str(mark)), encoding="utf-8")
    done = workflow.run("--dry-run", configfile=file, check=False)
    assert done.returncode != 0
    said = done.stderr + done.stdout
    assert "Config file is not valid" in said
    assert "Traceback" not in said
    assert not mark.exists()


def test_a_config_file_that_runs_code_is_refused(workflow):
    """Its code has run by then: Snakemake runs it before it reads the Snakefile."""
    file = workflow.folder / "code.yaml"
    file.write_text("__use_yte__: true\nseed: ?1 + 2\n", encoding="utf-8")
    done = workflow.run("--dry-run", configfile=file, check=False)
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].startswith(f"{file}: __use_yte__")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "FileNotFoundError: [Errno 2] No such file or directory:"),
        ("folder", "IsADirectoryError: [Errno 21] Is a directory:"),
        (b"# caf\xe9\nseed: 3\n", "UnicodeDecodeError: 'utf-8' codec can't decode byte"),
        (b"\x89PNG", "UnicodeDecodeError: 'utf-8' codec can't decode byte"),
        (b"# seed: 3\n", "Config file must be given as JSON or YAML with keys at top level."),
        (b"- seed\n", "Config file must be given as JSON or YAML with keys at top level."),
        (b"seed: 3\n\tscale: demo\n", "Config file is not valid JSON or YAML."),
        (b"seed: 3\nmodels: [cnn\n", "Config file is not valid JSON or YAML."),
        (b"seed: !!python/object:os.system {}\n", "Config file is not valid JSON or YAML."),
        (b"experiment: 2024-13-01\n", "ValueError: month must be in 1..12"),
    ],
    ids=["missing", "folder", "Latin-1", "picture", "empty", "list", "tab", "bracket", "tag", "date"],
)
def test_the_pages_explain_what_snakemake_says_of_a_config_file(workflow, content, message):
    file = workflow.folder / "mine.yaml"
    if content == "folder":
        file.mkdir()
    elif content is not None:
        file.write_bytes(content)
    done = workflow.run("--dry-run", configfile=file, check=False)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert f"`{message}`" in (REPOSITORY / "docs" / "trouble.md").read_text(encoding="utf-8")


def test_a_config_may_come_through_a_pipe(workflow):
    command = [*workflow.command("--dry-run", "--quiet", "rules", configfile=None), "--configfile", "/dev/stdin"]
    done = subprocess.run(command, input='{"models": ["fc"]}', capture_output=True, text=True, cwd=REPOSITORY)
    assert job_counts(done.stdout + done.stderr)["train_fold"] == 20


@pytest.mark.parametrize("target", ["all", "results/demo/fc/architecture.txt", "results/demo/data/samples.png"])
def test_missing_triggers_are_told_once_whatever_is_asked_for(workflow, target):
    done = workflow.run(target, "--dry-run", "--rerun-triggers", "mtime", "input", configfile=None)
    assert (done.stdout + done.stderr).count("rerun-triggers lacks params:") == 1


def test_no_model_can_be_called_like_a_folder_of_the_results():
    text = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "rules").glob("*.smk"))
    assert set(re.findall(r"\{RESULTS\}/([\w-]+)/", text)) | {"checkpoints", "tensorboard"} == set(FOLDERS)


@pytest.mark.parametrize(
    ("backend", "line"),
    [
        ("tensroflow", "the variable KERAS_BACKEND is 'tensroflow', .*; did you mean 'tensorflow'\\?"),
        ("jax", "the backend jax of Keras is not installed .* `pip install -r requirements-jax.txt`.*"),
        ("torch", "the backend torch of Keras is not installed .* `pip install -r requirements-torch.txt`.*"),
    ],
)
def test_a_backend_that_cannot_be_used_is_refused_before_any_job(workflow, backend, line):
    if importlib.util.find_spec(backend):
        pytest.skip(f"{backend} is installed")
    done = workflow.run("--dry-run", check=False, KERAS_BACKEND=backend)
    assert done.returncode == 1
    assert re.fullmatch(line, done.stderr.splitlines()[-1])


def test_files_for_tensorboard_are_refused_before_any_job_where_it_is_not_installed(workflow):
    (workflow.folder / "sitecustomize.py").write_text(HIDE.format(package="tensorboard"), encoding="utf-8")
    without = {"PYTHONPATH": str(workflow.folder), "overlay": {"tensorboard": True}}
    done = workflow.run("--dry-run", check=False, **without)
    assert done.returncode == 1
    assert re.fullmatch(
        "tensorboard is true, .* not installed .* `pip install tensorboard`.*", done.stderr.splitlines()[-1]
    )


def test_a_hostile_environment_does_not_matter(workflow):
    target = "results/demo-tiny/data/samples.png"
    workflow.run(target, KERAS_BACKEND="", MPLBACKEND="nonsense", FERCV_PLANNED="")
    assert (workflow.folder / target).exists()


def rule_blocks():
    """Rules with outputs as {name: text}, and the names of the rules that only name targets."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / "rules").glob("*.smk")))
    blocks = {re.match(r"rule (\w+):", block)[1]: block for block in re.split(r"\n(?=rule )", text)[1:]}
    making = {name: block for name, block in blocks.items() if "    output:" in block}
    return making, blocks.keys() - making.keys()


def test_every_rule_runs_a_script_of_its_own_name_and_carries_its_code():
    making, _ = rule_blocks()
    assert set(making) == set(ALL) - {"all"} | OF_LEAKAGE | OF_FACTORS | OF_NEW_IMAGES | OF_FINAL
    for name, block in making.items():
        assert not re.search(r"^    (shell|run):", block, re.MULTILINE)
        assert f'"../scripts/{name}.py"' in block
        assert f'code=code("{name}"' in block
    assert {path.stem for path in (REPOSITORY / "scripts").glob("*.py")} == {*making, "watch"}


def test_no_error_of_a_function_of_the_wildcards_can_be_lost():
    lines = (REPOSITORY / "rules" / "common.smk").read_text(encoding="utf-8").splitlines()
    functions = [number for number, line in enumerate(lines) if re.match(r" *def \w+\(wildcards\b", line)]
    assert len(functions) > 10 and all(lines[number - 1].strip() == "@told" for number in functions)


def test_what_takes_data_files_has_the_digest_of_all_that_they_are_made_from():
    making, _ = rule_blocks()
    taking = {name: block for name, block in making.items() if "data_file(" in block or "folds_of_model(" in block}
    most = {"train_fold", "train_final", "predict_held_out", "compute_saliency", "compute_feature_maps", "check_layers"}
    assert most <= set(taking)
    for name, block in taking.items():
        digest = "digest_of_models_folds" if "folds_of_model(" in block else "data_digest"
        assert f"made_from={digest}," in block
        assert set(re.findall(r'(?:data_file\("[\w.]+", |folds_of_model\()"(\w+)"\)', block)) == {name}


def test_cheap_rules_are_local_and_those_that_compute_become_jobs_on_a_cluster():
    making, targets = rule_blocks()
    assert {name for name, block in making.items() if "    localrule: True\n" not in block} == {
        "prepare_dataset", "train_fold", "summarize_architecture", "predict_held_out", "compute_saliency",
        "ascend_filters", "compute_feature_maps", "check_layers", "prepare_new_images", "predict_new_images",
        "train_final", "export_onnx",
    }  # fmt: skip
    # These have no script, so Snakemake runs them locally.
    assert targets == {"data", "train", "evaluate", "visualize", "new_images", "report", "final"}


# {function of rules/common.smk: (the function of the code that looks up names, a name that it finds)}
LOOKUPS = {"architecture_lookup": ("fercv.nets.architectures.find_architecture", "cnn")}
LOOKUPS["source_lookup"] = ("prepare_dataset.find_source", "read_samples")


def test_a_rule_tells_what_its_code_looks_up_where_it_does():
    """Otherwise the whole module would count, and a change of one model would retrain the others."""
    common = (REPOSITORY / "rules" / "common.smk").read_text(encoding="utf-8")
    for name, block in rule_blocks()[0].items():
        told = {}
        for lookup in re.findall(r"lookups=(\w+)", block):
            function, found = LOOKUPS[lookup]
            assert f'"{function}"' in common.partition(f"def {lookup}(")[2].partition("\n\n\n")[0]
            told[function] = [found]
        looking = {place for place in used_code(name, told) if place[1].startswith(LOOKED_UP)}
        functions = {f"{module}.{place.removeprefix(LOOKED_UP)}" for module, place in looking}
        # This function looks up names of Keras, not of its own module.
        assert functions - {"fercv.engine.fused.training_layers"} == told.keys(), name
