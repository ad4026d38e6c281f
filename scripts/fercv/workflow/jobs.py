"""What the scripts of all rules share: the log, the end on an error, and what a job may compute with."""

import logging
import sys
import traceback
from pathlib import Path

from fercv.workflow.codedigest import code_digest
from fercv.workflow.errors import InputError


def run(main, snakemake) -> None:
    """Call a script's `main(snakemake)`, write its log, and turn an exception into a message and an exit status.

    Everything that is logged goes to the rule's log file; warnings and errors also go to the terminal.

    - InputError, the user's mistake: its one line, exit status 1.
    - OSError, what the system refuses, such as a full disk: one line, exit status 1.
    - An interrupt: one line, exit status 130.
    - Any other exception is a defect of the program: its traceback, exit status 1.
    """
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.WARNING)
    terminal.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    log = logging.getLogger("fercv")
    log.addHandler(terminal)
    log.setLevel(logging.INFO)
    logging.captureWarnings(True)
    # On a full disk each line of the log would fail with a traceback. The error below says it once.
    logging.raiseExceptions = False
    try:
        file = logging.FileHandler(snakemake.log[0], mode="w", encoding="utf-8")
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logging.getLogger().addHandler(file)
        check_code(snakemake)
        main(snakemake)
    except InputError as error:
        log.error("%s", error)
        sys.exit(1)
    except OSError as error:
        # Python names the file when it can't be opened, but not when it can't be written.
        place = error.filename or f"the outputs go to {Path(snakemake.output[0]).parent}"
        log.error(
            "%s: %s (%s); remove the cause, then give the same command again",
            snakemake.rule, error.strerror or error, place,
        )  # fmt: skip
        sys.exit(1)
    except KeyboardInterrupt:
        log.error("%s: interrupted", snakemake.rule)
        sys.exit(130)
    except Exception:
        log.error("%s: unexpected error\n%s", snakemake.rule, traceback.format_exc())
        sys.exit(1)


def check_code(snakemake) -> None:
    """Refuse a job whose code has changed since Snakemake planned it: results would be recorded for the old code."""
    planned = snakemake.params.code
    if code_digest(snakemake.rule, planned["lookups"]) != planned["digest"]:
        raise InputError(
            f"{snakemake.rule}: its code under scripts/ has changed since Snakemake planned this job; start Snakemake "
            "again, and leave the code alone while it runs"
        )


def resources(snakemake) -> dict:
    """The arguments of `fercv.engine.setup.set_up` that follow from what Snakemake tells a job.

    Returns:
        {"name": the job's, "threads": number of processor threads, "jobs_per_gpu": how many jobs may compute on a GPU
        at a time, 0 where this job asks for no GPU}.
    """
    return {
        "name": job_name(snakemake),
        "threads": snakemake.threads,
        "jobs_per_gpu": snakemake.config["gpus"]["jobs_per_gpu"] if asks_for_gpu(snakemake) else 0,
    }


def job_name(snakemake) -> str:
    """What to call a job in messages, e.g. "ascend_filters cnn conv2_pool"."""
    return " ".join([snakemake.rule, *snakemake.wildcards])


def asks_for_gpu(snakemake) -> bool:
    """Whether a job asks for a GPU, by the resource `gpu` or by Slurm's `gres`."""
    return bool(snakemake.resources.get("gpu", 0)) or "gpu" in snakemake.resources.get("gres", "")
