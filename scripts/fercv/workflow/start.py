"""What the Snakefile does before it comes to its rules."""

import contextlib
import os
import sys
from pathlib import Path

from fercv.data.check import check_source
from fercv.data.sources import source_files
from fercv.workflow.errors import InputError
from fercv.workflow.keeping import restore
from fercv.workflow.planning import as_planned, config_digest
from fercv.workflow.settings import check_syntax, complete_config


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
        # Snakemake has read these files already. It reads them only once if they are pipes.
        for file in filter(Path.is_file, map(Path, workflow.overwrite_configfiles)):
            check_syntax(file)
        config = complete_config(config, [*workflow.configfiles, *map(str, workflow.overwrite_configfiles)])
        source = config["data"]["source"]
        files = [] if source == "synthetic" else source_files(source)
        if files:
            check_source(files, config["data"], config["folds"]["number"])
        digest = config_digest(config)
        if as_planned("configuration", digest, workflow.remote_exec) != digest:
            raise InputError(
                "a setting has changed since Snakemake planned this job; start Snakemake again when its jobs have ended"
            )
    put_scripts_first(workflow.basedir)
    # Older versions of Snakemake know no other way than files.
    backend = str(getattr(workflow.workflow_settings, "persistence_backend", "file"))
    marks_are_files = as_planned("persistence backend", backend, workflow.remote_exec) == "file"
    return config | {"directory": str(Path.cwd()), "marks_are_files": marks_are_files}, files


def put_scripts_first(folder: str | Path) -> None:
    """See to it that jobs import this program's modules, and not those of another copy on the user's PYTHONPATH.

    Args:
        folder: of the Snakefile.
    """
    paths = [str(Path(folder, "scripts")), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))


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
