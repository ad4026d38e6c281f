"""The one exception that a user's mistake raises."""


class InputError(Exception):
    """A user's mistake. Its message is one line: the place, what was found there, what is expected, and what to do.

    `fercv.workflow.jobs.run` and `fercv.workflow.start` print the message without a traceback and end the process.
    """
