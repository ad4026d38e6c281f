"""The layout of the library: a package for each stage, and imports that run in one direction."""

import ast
from graphlib import TopologicalSorter

import pytest
from helpers import REPOSITORY

SCRIPTS = REPOSITORY / "scripts"
STAGES = {"data", "train", "evaluate", "visualize", "predict", "report", "final"}
MODULES = {
    ".".join(path.relative_to(SCRIPTS).with_suffix("").parts): path
    for path in SCRIPTS.rglob("*.py")
    if path.name != "__init__.py"
}


def imports(path):
    """The modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                found.add(inside if inside in MODULES else node.module)
    return found


def wing(module):
    return module.split(".")[1]


def test_each_stage_bears_one_name_in_rules_library_figures_and_tests():
    assert {path.stem for path in (REPOSITORY / "rules").glob("*.smk")} == STAGES | {"common"}
    wings = {path.name for path in (SCRIPTS / "fercv").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert wings >= STAGES
    tests = {path.name for path in (REPOSITORY / "tests" / "unit").iterdir() if path.is_dir()} - {"__pycache__"}
    assert tests == wings


def test_each_rule_with_a_script_has_its_name():
    rules = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "rules").glob("*.smk"))
    for path in SCRIPTS.glob("*.py"):
        assert f"rule {path.stem}:" in rules or path.stem == "watch", path.name  # the user starts this one


def test_no_module_imports_itself_through_others():
    TopologicalSorter({name: imports(path) & MODULES.keys() for name, path in MODULES.items()}).prepare()


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("data", {"engine", "nets", "train", "evaluate", "visualize", "predict", "figures", "report", "final"}),
        ("nets", {"train", "evaluate", "visualize", "predict", "figures", "report", "final"}),
        ("evaluate", {"engine", "nets", "train", "visualize", "predict", "figures", "report", "final"}),
        ("train", {"visualize", "predict", "figures", "report", "final"}),
        ("visualize", {"train", "evaluate", "predict", "figures", "report", "final"}),
        ("predict", {"engine", "nets", "train", "evaluate", "visualize", "figures", "report", "final"}),
        ("figures", {"data", "engine", "nets", "train", "evaluate", "visualize", "predict", "report", "final"}),
        ("engine", {"data", "nets", "train", "evaluate", "visualize", "predict", "figures", "report", "final"}),
        ("report", {"engine", "nets", "train", "evaluate", "predict", "figures", "final"}),
        ("final", {"nets", "train", "evaluate", "visualize", "predict", "figures"}),
    ],
)
def test_arrows_run_one_way(lower, higher):
    for name, path in MODULES.items():
        if name.startswith(f"fercv.{lower}."):
            assert not {wing(found) for found in imports(path) & MODULES.keys()} & higher, name


@pytest.mark.parametrize("name", ["errors", "hashing", "messages", "locks", "jobs", "resources", "codedigest"])
def test_what_all_use_of_the_workflow_knows_no_stage(name):
    found = imports(MODULES[f"fercv.workflow.{name}"]) & MODULES.keys()
    assert {wing(module) for module in found} <= {"workflow"}


def test_the_engine_alone_touches_keras_and_its_backends():
    for name, path in MODULES.items():
        packages = {found.split(".")[0] for found in imports(path)}
        if not name.startswith("fercv.engine."):
            assert not packages & {"keras", "tensorflow", "jax", "torch"}, name


def test_the_library_knows_no_snakemake_and_no_script():
    for name, path in MODULES.items():
        if name.startswith("fercv."):
            found = imports(path)
            assert not found & {script for script in MODULES if "." not in script}, name
            assert not any(module.split(".")[0] == "snakemake" for module in found), name
