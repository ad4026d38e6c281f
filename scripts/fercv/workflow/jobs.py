"""What the scripts of all rules share: the log, and the end on an error."""

import logging
import os
import signal
import sys
import time
import traceback
from pathlib import Path

from fercv.workflow.errors import InputError
from fercv.workflow.keeping import keep, note_params
from fercv.workflow.planning import PROGRAM, all_planned, program_digest

# When this module was imported, which scripts do first, in seconds on the clock of `time.monotonic`.
STARTED = time.monotonic()

IS_SCRIPT = hasattr(sys.modules["__main__"], "snakemake")

# In a script of a rule Ctrl-C ends the process at once, even within an import or a long training step. Python's own
# handler would wait for the end of the step, and print a traceback. A fold goes on from its checkpoint.
if IS_SCRIPT and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(main, snakemake) -> None:
    """Call a script's `main(snakemake)`, write its log, and turn an exception into a message and an exit status.

    Everything that is logged goes to the rule's log file; see `is_for_the_terminal` for what is also shown at once.

    - InputError, the user's mistake: its one line, exit status 1.
    - OSError, what the system refuses, such as a full disk: one line, exit status 1.
    - Any other exception is a defect of the program: its traceback, exit status 1.
    """
    terminal = logging.StreamHandler()
    terminal.addFilter(is_for_the_terminal)
    terminal.setFormatter(TerminalFormatter())
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
        keep_what_counts(snakemake)
        leave()
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
    except Exception:
        log.error("%s: unexpected error\n%s", snakemake.rule, traceback.format_exc())
        sys.exit(1)


def leave() -> None:
    """End the process of a script with status 0, without the clean-up at which Python takes everything apart.

    With TensorFlow that takes 0.1 s of processor time. The system frees the memory all the same.
    """
    if IS_SCRIPT:
        logging.shutdown()
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        os._exit(0)


def keep_what_counts(snakemake) -> None:
    """Keep the files of the data and the params of a job, on which finished folds rest, see `workflow.keeping`."""
    place = snakemake.config["directory"], snakemake.config["experiment"]
    params = dict(snakemake.params.items())
    if "digest" in params:
        keep(*place, params["digest"], snakemake.output)
    if "made_from" in params:
        note_params(*place, job_name(snakemake), params)


class TerminalFormatter(logging.Formatter):
    """A message in one line; a warning is marked as such."""

    def format(self, record: logging.LogRecord) -> str:
        """The text of a message."""
        return ("WARNING: " if record.levelno == logging.WARNING else "") + record.getMessage()


def is_for_the_terminal(record: logging.LogRecord) -> bool:
    """Whether a message is shown while the job runs: a warning, or what is marked with `on_terminal`.

    Errors are not: Snakemake's main process says them at the end, see `fercv.workflow.ending`.
    """
    return record.levelno == logging.WARNING or getattr(record, "on_terminal", False)


def check_code(snakemake) -> None:
    """Refuse a job whose code has changed since Snakemake planned it: results would be recorded for the old code."""
    # The code takes 0.1 s to read. If all files are as they were, so is the code.
    if all_planned().get(PROGRAM) == program_digest():
        return
    from fercv.workflow.codedigest import code_digest

    planned = snakemake.params.code
    if code_digest(snakemake.rule, planned["lookups"]) != planned["digest"]:
        raise InputError(
            f"{snakemake.rule}: its code under scripts/ has changed since Snakemake planned this job; start Snakemake "
            "again, and leave the code alone while it runs"
        )


def job_name(snakemake) -> str:
    """What to call a job in messages, e.g. "ascend_filters cnn conv2_pool"."""
    return " ".join([snakemake.rule, *snakemake.wildcards])
