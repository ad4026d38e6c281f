"""What must agree between files of the project."""

import re

import pytest
import yaml
from helpers import REPOSITORY

from fercv.workflow.settings import complete_config, merge


def pins(lines):
    return dict(re.fullmatch(r"([A-Za-z0-9-]+)(?:\[[\w-]+\])?==(\S+)", line).groups() for line in lines)


def requirements(name):
    lines = (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
    return pins(line for line in lines if line and not line.startswith(("#", "-r")))


@pytest.mark.parametrize("name", ["analysis", "keras"])
def test_conda_environments_have_the_pins_of_requirements(name):
    environment = yaml.safe_load((REPOSITORY / "envs" / f"{name}.yaml").read_text(encoding="utf-8"))
    listed = pins(environment["dependencies"][-1]["pip"])
    assert listed.items() <= requirements("requirements.txt").items()
    assert ("tensorflow" in listed) == (name == "keras")


def test_the_gpu_requirements_pin_the_same_tensorflow():
    assert requirements("requirements-gpu.txt")["tensorflow"] == requirements("requirements.txt")["tensorflow"]


def test_profiles_share_no_key():
    default, slurm = (
        yaml.safe_load((REPOSITORY / "profiles" / name / "profile.yaml").read_text(encoding="utf-8"))
        for name in ("default", "slurm")
    )
    assert not set(default) & set(slurm)


@pytest.mark.parametrize("path", sorted((REPOSITORY / "experiments").glob("*.yaml")), ids=lambda path: path.stem)
def test_an_overlay_inherits_nothing_of_the_demos_smallness(base_config, path):
    overlay = yaml.safe_load(path.read_text(encoding="utf-8"))
    config = complete_config(merge(base_config, overlay), [])
    demo = base_config["scales"]["demo"]
    own = overlay.get("scales", {}).get(overlay["scale"], {})
    assert config["experiment"] == path.stem
    assert config["data"]["images"] == own.get("images")
    assert config["filters"]["count"] == own.get("filters", base_config["filters"]["count"])
    for name, definition in config["definitions"].items():
        expected = merge(base_config["definitions"][name], own.get("definitions", {}).get(name, {}))
        for key in demo["definitions"][name]:
            if key in expected:
                assert definition[key] == expected[key]


def test_the_full_experiment_is_of_full_width():
    base = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
    overlay = yaml.safe_load((REPOSITORY / "experiments" / "fer2013.yaml").read_text(encoding="utf-8"))
    config = complete_config(merge(base, overlay), [])
    assert {definition["settings"]["width"] for definition in config["definitions"].values()} == {1.0}
    assert config["folds"]["number"] == 20


def test_dropout_is_all_that_tells_the_two_fully_connected_nets_apart(base_config):
    for path in [None, *sorted((REPOSITORY / "experiments").glob("*.yaml"))]:
        overlay = {} if path is None else yaml.safe_load(path.read_text(encoding="utf-8"))
        definitions = complete_config(merge(base_config, overlay), [])["definitions"]
        plain, dropping = (dict(definitions[name]) for name in ("fc", "fc_dropout"))
        assert plain.pop("settings")["width"] == dropping.pop("settings")["width"]
        assert plain == dropping
