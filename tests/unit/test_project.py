"""Files of the project that must agree with each other."""

import re
import tomllib

import pytest
import yaml
from helpers import REPOSITORY
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fercv.workflow.settings import complete_config, merge, read_schema, with_defaults

HASHED = ["requirements", "requirements-dev", "requirements-gpu", "requirements-jax", "requirements-onnx"]
LOCKS = [*HASHED, "requirements-torch"]
RENEW = "run .ci/lock, which renews the locks"
# A package of a lock: what pip reads as a requirement, its hashes, and the comment that says what needs it.
LOCKED = re.compile(r"(\S.*?)((?: \\\n    --hash=sha256:[0-9a-f]{64})*)\n((?:    #.*\n)+)")
# For each system, the values that the markers of a lock compare with.
SYSTEMS = [
    {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"},
    {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "aarch64"},
    {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": "arm64"},
    {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
]
MACHINES = [
    {**system, "python_version": version, "python_full_version": f"{version}.0"}
    for version in ("3.11", "3.12", "3.13")
    for system in SYSTEMS
]


def read(name):
    return (REPOSITORY / name).read_text(encoding="utf-8")


def package(line):
    """The package of a line as (requirement, name, version); the line must pin one version."""
    requirement = Requirement(line)
    (specifier,) = requirement.specifier
    assert specifier.operator == "==" and "*" not in specifier.version, line
    return requirement, canonicalize_name(requirement.name), specifier.version


def pins(lines):
    return {name: version for _, name, version in map(package, lines)}


def direct_pins(name):
    """The lines of a .in file that pin a package."""
    return [line for line in read(name).splitlines() if line and not line.startswith(("#", "-r", "-c"))]


def taken_in(name):
    """A .in file and the files that it includes with -r."""
    included = re.findall(r"^-r (\S+)$", read(name), re.MULTILINE)
    return [name, *(file for other in included for file in taken_in(other))]


def lock(name):
    """The packages of a lock as (requirement, name, version, comment)."""
    return [(*package(line), comment) for line, _, comment in LOCKED.findall(read(f"{name}.txt"))]


def installed(name, machine):
    """What pip installs from a lock on a machine, as {name: version}."""
    chosen = [(n, v) for r, n, v, _ in lock(name) if r.marker is None or r.marker.evaluate(machine)]
    assert len(dict(chosen)) == len(chosen), f"{name}.txt has two versions of one package; {RENEW}"
    return dict(chosen)


@pytest.mark.parametrize("name", ["analysis", "keras", "onnx"])
def test_conda_environments_have_the_pins_of_requirements(name):
    listed = in_environment(name)
    known = [line for file in taken_in("requirements-onnx.in") for line in direct_pins(file)]
    assert listed.items() <= pins(known).items()
    assert ("tensorflow" in listed) == (name != "analysis")
    assert ("tf2onnx" in listed) == (name == "onnx")


def in_environment(name):
    """What pip installs in a conda environment, as {name: version}."""
    return pins(yaml.safe_load(read(f"envs/{name}.yaml"))["dependencies"][-1]["pip"])


def test_the_environment_that_writes_onnx_files_has_all_that_models_need():
    assert in_environment("keras").items() <= in_environment("onnx").items()


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_the_direct_pins(name):
    """It holds each with its version and extras, for every machine. It names no other package as a direct pin."""
    for source in taken_in(f"{name}.in"):
        wanted = {n: (v, r.extras) for r, n, v in map(package, direct_pins(source))}
        locked = {n: (v, r) for r, n, v, comment in lock(name) if re.search(rf"-r {re.escape(source)}\n", comment)}
        differing = sorted(wanted.keys() ^ locked.keys())
        assert not differing, f"{source} and {name}.txt differ in {', '.join(differing)}; {RENEW}"
        for n, (version, extras) in wanted.items():
            found, requirement = locked[n]
            assert found == version, f"{source} pins {n}=={version}, {name}.txt holds {found}; {RENEW}"
            assert extras <= requirement.extras, f"{name}.txt lacks {n}[{','.join(extras)}]; {RENEW}"
            assert requirement.marker is None


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_of_a_lock_has_one_version_and_a_hash(name):
    """A lock holds nothing else: no option of pip, no address of an index. That of PyTorch has no hashes."""
    packages = re.sub(r"\A(#.*\n)+", "", read(f"{name}.txt"))
    assert lock(name)
    assert LOCKED.sub("", packages) == ""
    hashed = [bool(hashes) for _, hashes, _ in LOCKED.findall(packages)]
    assert all(hashed) if name in HASHED else not any(hashed)


def test_the_lock_of_pytorch_fits_its_builds_for_processors_and_for_any_cuda():
    names = {name for _, name, _, _ in lock("requirements-torch")}
    assert "torch" in names
    assert not [name for name in names if name.startswith(("nvidia", "cuda", "triton"))]


@pytest.mark.parametrize("name", ["requirements-jax", "requirements-torch"])
def test_the_other_engines_come_without_tensorflow(name):
    assert "tensorflow" not in {locked for _, locked, _, _ in lock(name)}


@pytest.mark.parametrize("name", LOCKS[1:])
@pytest.mark.parametrize("machine", MACHINES, ids="{sys_platform}-{platform_machine}-{python_version}".format_map)
def test_the_other_locks_hold_what_the_plain_one_holds(name, machine):
    """Those of the other engines lack TensorFlow and what only TensorFlow needs."""
    plain = installed("requirements", machine)
    other = installed(name, machine)
    other_engine = name in ("requirements-jax", "requirements-torch")
    differing = sorted(n for n, version in plain.items() if other.get(n, version if other_engine else None) != version)
    assert not differing, f"requirements.txt and {name}.txt differ in {', '.join(differing)}; {RENEW}"


@pytest.mark.parametrize("name", LOCKS)
def test_locks_are_made_for_the_pythons_that_the_snakefile_takes(name):
    oldest, newest = re.search(r"\((3, \d+)\) <= sys.version_info\[:2\] <= \((3, \d+)\)", read("Snakefile")).groups()
    oldest, newest = oldest.replace(", ", "."), newest.replace(", ", ".")
    assert f"for Python {oldest} to {newest}\n" in read(f"{name}.txt"), "change .ci/lock, and run it"
    assert f"--python-version {oldest} " in read(".ci/lock")


def test_mutation_tests_name_modules_and_tests_that_exist():
    """mutmut passes over a module that is not there without a word."""
    settings = tomllib.loads(read("pyproject.toml"))["tool"]["mutmut"]
    options = [option.partition("=") for option in settings["pytest_add_cli_args"]]
    deselected = [value for name, _, value in options if name == "--deselect"]
    for name in [*settings["only_mutate"], *settings["pytest_add_cli_args_test_selection"], *deselected]:
        file, _, function = name.partition("::")
        assert (REPOSITORY / file).is_file(), name
        assert not function or f"def {function}(" in read(file), name


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
    for name in base_config["definitions"]:
        definition = config["definitions"][name]
        expected = merge(base_config["definitions"][name], own.get("definitions", {}).get(name, {}))
        complete = with_defaults(expected, read_schema()["$defs"]["definition"])
        for key in demo["definitions"][name]:
            if key in expected:
                assert definition[key] == (expected if key == "settings" else complete)[key]


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
