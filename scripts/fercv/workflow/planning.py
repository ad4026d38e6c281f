"""What a job on a cluster must know of the Snakemake process that planned it.

On a cluster each job starts a Snakemake of its own, which reads the workflow again, perhaps days after the job was
planned. For the outputs it records what it reads then. So results of old code could be recorded as results of new
code. To prevent this, the first Snakemake writes the digests that it planned with into the environment, which the
scheduler hands on to every job.
"""

import contextlib
import hashlib
import json
import os
from pathlib import Path

VARIABLE = "FERCV_PLANNED"
PROGRAM = "files of the program"  # the name of `program_digest` in the environment
SCRIPTS = Path(__file__).parents[2]


def as_planned(name: str, value: str, on_cluster: bool) -> str:
    """A value as it was when Snakemake planned its jobs.

    Args:
        name: what the value is called in the environment, e.g. "configuration".
        value: what it is now.
        on_cluster: whether this process runs one job on a cluster. If not, it is the one that plans: `value` is
            returned, and written into the environment for the jobs.

    Returns:
        The planned value. `value` itself where the scheduler has not handed on the environment.
    """
    planned = all_planned()
    if on_cluster:
        return planned.get(name, value)
    os.environ[VARIABLE] = json.dumps(planned | {name: value})
    return value


def all_planned() -> dict[str, str]:
    """What the Snakemake process that planned has written into the environment; nothing where it was not handed on."""
    with contextlib.suppress(ValueError, TypeError):  # a variable of that name that is empty, or somebody else's
        return dict(json.loads(os.environ.get(VARIABLE, "{}")))
    return {}


def config_digest(config: dict) -> str:
    """SHA-256 of a complete configuration, 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def program_digest() -> str:
    """SHA-256 of all Python files below `scripts/`, their names included, 64 hexadecimal digits."""
    files = {path.relative_to(SCRIPTS).as_posix(): path for path in SCRIPTS.rglob("*.py") if path.is_file()}
    digest = hashlib.sha256()
    for name, path in sorted(files.items()):
        content = path.read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()
