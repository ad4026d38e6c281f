"""What every script of the workflow shares: its log, and how it ends on an error."""

import logging
import sys
import traceback
from pathlib import Path

from fercv.workflow.codedigest import code_digest
from fercv.workflow.errors import InputError


def run(main, snakemake) -> None:
    """Run a script's `main(snakemake)` with logging to the rule's log file and warnings also to the terminal.

    An InputError ends the process with exit status 1 and its one line, on the terminal and last in the log; so does
    what the system refuses (a full disk, missing permissions), and an interrupt, with the status 130. Any other
    exception is a defect of the program and is written to both with its traceback.
    """
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.WARNING)
    terminal.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    log = logging.getLogger("fercv")
    log.addHandler(terminal)
    log.setLevel(logging.INFO)
    logging.captureWarnings(True)
    # A log that a full disk has no room for is told on the terminal by what follows, not by a traceback for each line.
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
        # Python names the file where it couldn't be opened, and not where it couldn't be written to.
        place = "" if error.filename else f" (writing to {Path(snakemake.output[0]).parent})"
        log.error("%s: %s%s; mend that, and give the same command again", snakemake.rule, error, place)
        sys.exit(1)
    except KeyboardInterrupt:
        log.error("%s: interrupted", snakemake.rule)
        sys.exit(130)
    except Exception:
        log.error("%s: unexpected error\n%s", snakemake.rule, traceback.format_exc())
        sys.exit(1)


def check_code(snakemake) -> None:
    """Refuse code that was changed after this job was planned: its results would go down as made by the old code."""
    planned = snakemake.params.code
    if code_digest(snakemake.rule, planned["looked_up"]) != planned["digest"]:
        raise InputError(
            f"{snakemake.rule}: its code under scripts/ has changed since Snakemake planned this job; start Snakemake "
            "again, and leave the code alone while it runs"
        )


def resources(snakemake) -> dict:
    """What a job may compute on and with, as `fercv.engine.setup.set_up` takes it."""
    return {
        "name": job_name(snakemake),
        "threads": snakemake.threads,
        "jobs_per_gpu": jobs_per_gpu(snakemake),
    }


def job_name(snakemake) -> str:
    """What to call a job in messages, e.g. "ascend_filters cnn conv2_pool"."""
    return " ".join([snakemake.rule, *snakemake.wildcards])


def jobs_per_gpu(snakemake) -> int:
    """How many jobs may compute on a GPU at a time; 0 where this one asks for none, by `gpu` or by Slurm's `gres`."""
    asked = snakemake.resources.get("gpu", 0) or "gpu" in snakemake.resources.get("gres", "")
    return snakemake.config["gpus"]["jobs_per_gpu"] if asked else 0
