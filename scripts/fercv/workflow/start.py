"""What the Snakefile does before it comes to its rules."""

import contextlib
import importlib.util
import os
import sys
from pathlib import Path

from fercv.data.check import check_source
from fercv.data.exclusions import read_exclusions
from fercv.data.groups import check_groups
from fercv.data.sources import source_files
from fercv.workflow.errors import InputError
from fercv.workflow.keeping import restore
from fercv.workflow.messages import did_you_mean
from fercv.workflow.planning import as_planned, config_digest
from fercv.workflow.settings import check_syntax, complete_config

# The backends of Keras that fercv.engine knows, and what installs each. The first one is the default.
BACKENDS = {"tensorflow": "requirements.txt", "jax": "requirements-jax.txt", "torch": "requirements-torch.txt"}
# What writes ONNX files.
ONNX = ("tensorflow", "tf2onnx")


def check_config_file(path: str) -> None:
    """End Snakemake with one line if a config file is not YAML; see `settings.check_syntax`."""
    with exit_on_input_error():
        check_syntax(path)


def prepare(config: dict, workflow) -> tuple[dict, list[str]]:
    """Check and complete the configuration, and find the files of the data.

    An InputError ends Snakemake with its one line, and so does a configuration that has changed since Snakemake planned
    the job that this process runs.

    Args:
        config: the merged content of the config files.
        workflow: Snakemake's own object of that name.

    Returns:
        The complete configuration, see `settings.complete_config`, and the paths of the data's files, none for the
        built-in faces. Two entries are added to the configuration for the scripts alone; they are neither settings nor
        params of a rule. `directory` is where Snakemake runs. `marks_are_files` says whether Snakemake marks with files
        which outputs it has begun. With `--persistence-backend db` it keeps the marks in a database.
    """
    with exit_on_input_error():
        settle_environment(workflow.basedir)
        if not workflow.deployment_settings.deployment_method:
            check_backend()
        # Snakemake has read these files already. It reads them only once if they are pipes.
        for file in filter(Path.is_file, map(Path, workflow.overwrite_configfiles)):
            check_syntax(file)
        given, own_files = workflow.config_settings, list(map(str, workflow.overwrite_configfiles))
        config = complete_config(
            config,
            # Snakemake lists the user's own files first, and lays them over config.yaml nevertheless.
            [*(file for file in map(str, workflow.configfiles) if file not in own_files), *own_files],
            # A scale that the command line chooses is meant for the definitions of the files, too.
            own={} if "scale" in given.config else given.overwrite_config,
        )
        if config["tensorboard"] and workflow.is_main_process:
            check_tensorboard()
        source = config["data"]["source"]
        files = [] if source == "synthetic" else source_files(source)
        if files:
            # With folds of the user's own, a fold may have no image of a class.
            check_source(files, config["data"], 2 if config["folds"]["file"] else config["folds"]["number"])
        check_groups(config["folds"], source)
        for model in config["models"]:
            if excluded := config["definitions"][model]["exclude_from_training"]:
                refuse_own_list(model, excluded, config["experiment"])
                read_exclusions(excluded)
        digest = config_digest(config)
        if as_planned("configuration", digest, workflow.remote_exec) != digest:
            raise InputError(
                "a setting has changed since Snakemake planned this job; start Snakemake again when its jobs have ended"
            )
    # Older versions of Snakemake know no other way than files.
    backend = str(getattr(workflow.workflow_settings, "persistence_backend", "file"))
    marks_are_files = as_planned("persistence backend", backend, workflow.remote_exec) == "file"
    return config | {"directory": str(Path.cwd()), "marks_are_files": marks_are_files}, files


def settle_environment(folder: str | Path) -> None:
    """See to it that a user's environment does not break the jobs, which inherit it.

    Jobs import this program's modules, and not those of another copy on the PYTHONPATH. Matplotlib cannot be imported
    if MPLBACKEND names no backend of its own.

    Args:
        folder: of the Snakefile.

    Raises:
        InputError: KERAS_BACKEND names no backend of Keras that this program knows.
    """
    paths = [str(Path(folder, "scripts")), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    os.environ["MPLBACKEND"] = "agg"
    backend = os.environ.get("KERAS_BACKEND") or next(iter(BACKENDS))
    if backend not in BACKENDS:
        raise InputError(
            f"the variable KERAS_BACKEND is {backend!r}, expected {', '.join(BACKENDS)}, or not set"
            f"{did_you_mean(backend, BACKENDS)}"
        )
    os.environ["KERAS_BACKEND"] = backend


def check_backend() -> None:
    """Refuse a backend of Keras that is not installed. Where Snakemake makes the environments, it cannot be known."""
    backend = os.environ["KERAS_BACKEND"]
    if importlib.util.find_spec(backend) is None:
        raise InputError(
            f"the backend {backend} of Keras is not installed where Snakemake is; install it, for instance by "
            f"`pip install -r {BACKENDS[backend]}`, or set the variable KERAS_BACKEND to another one"
        )


def refuse_own_list(model: str, path: str, experiment: str) -> None:
    """Refuse to leave out images that a list names which the same experiment makes from the models: it has no end."""
    if Path(path).resolve().is_relative_to(Path("results", experiment).resolve()):
        raise InputError(
            f"definitions.{model}.exclude_from_training is {path}, which this experiment writes anew after each "
            "training; copy the list to another folder, or write an experiment of another name"
        )


def check_tensorboard() -> None:
    """Refuse to write files for TensorBoard if the package is missing, which is optional."""
    if importlib.util.find_spec("tensorboard") is None:
        raise InputError(
            "tensorboard is true, but the package tensorboard is not installed where Snakemake is; install it by "
            "`pip install tensorboard`, or set tensorboard: false"
        )


def can_export_onnx() -> bool:
    """Whether final models can be written as ONNX files: by TensorFlow and tf2onnx, which need not be installed."""
    return os.environ["KERAS_BACKEND"] == "tensorflow" and all(map(importlib.util.find_spec, ONNX))


def restore_data(config: dict, digests: list[str]) -> None:
    """Put back images, samples and folds that a failed job has lost; end Snakemake if somebody has changed them.

    Args:
        config: what `prepare` returned.
        digests: see `keeping.restore`.
    """
    with exit_on_input_error():
        restore(config["directory"], config["experiment"], digests)


@contextlib.contextmanager
def exit_on_input_error():
    """End the process with the one line of an InputError: Snakemake would add a traceback of the Snakefile."""
    try:
        yield
    except InputError as error:
        sys.exit(str(error))
