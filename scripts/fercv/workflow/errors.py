"""The one exception that a user's mistake raises."""


class InputError(Exception):
    """Bad input: a message of one line that names the place, what was found, what was expected and the mending.

    Scripts print the message without a traceback and exit non-zero, see `fercv.jobs.run`.
    """
