"""What the jobs on a cluster must know of the Snakemake that planned them.

There Snakemake reads the workflow again for each job, perhaps days later, and records for its outputs what it planned
with. A job that took its code and settings as it finds them then would pass for one of the old code. So the digests of
both go along in the environment, which jobs inherit, by way of the scheduler as well.
"""

import hashlib
import json
import os

VARIABLE = "FERCV_PLANNED"


def planned_digest(name: str, digest: str, on_cluster: bool) -> str:
    """The digest of something as it was when the jobs were planned.

    Args:
        name: of what the digest is of.
        digest: as it is now.
        on_cluster: whether this is a job on a cluster, so that `digest` counts only where the environment has none,
            because a scheduler is set up to pass none on; else it goes into the environment of jobs to come.
    """
    known = json.loads(os.environ.get(VARIABLE, "{}"))
    if on_cluster:
        return known.get(name, digest)
    os.environ[VARIABLE] = json.dumps(known | {name: digest})
    return digest


def settings_digest(config: dict) -> str:
    """Digest of a complete configuration, 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
