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

VARIABLE = "FERCV_PLANNED"


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
    planned = {}
    with contextlib.suppress(ValueError, TypeError):  # a variable of that name that is empty, or somebody else's
        planned = dict(json.loads(os.environ.get(VARIABLE, "{}")))
    if on_cluster:
        return planned.get(name, value)
    os.environ[VARIABLE] = json.dumps(planned | {name: value})
    return value


def config_digest(config: dict) -> str:
    """SHA-256 of a complete configuration, 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
