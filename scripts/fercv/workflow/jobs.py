"""What the scripts of all rules share: the log, and the end on an error."""

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
