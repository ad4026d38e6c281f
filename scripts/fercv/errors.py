"""The one exception that a user's mistake raises, and a hint that its message may give."""

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """Bad input: a message of one line that names the place, what was found, what was expected and the mending.

    Scripts print the message without a traceback and exit non-zero, see `fercv.jobs.run`.
    """


def did_you_mean(name: object, known: Iterable) -> str:
    """`; did you mean 'x'?` where one of the known names is close, whatever its case; else nothing."""
    names = {str(value).casefold(): str(value) for value in known}
    close = difflib.get_close_matches(str(name).casefold(), names, n=1)
    return f"; did you mean {names[close[0]]!r}?" if close else ""
