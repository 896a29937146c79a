"""Errors that a user can act on, each with the exit code of its kind.

Every message names the file or value, what was expected, and the next act.
"""


class ReconError(Exception):
    """The user's own situation, told without a traceback."""

    exit_code = 1


class UsageError(ReconError):
    """The command line asks for something that does not exist."""

    exit_code = 2


class DataError(ReconError):
    """Input that cannot be read, or that cannot be fitted."""

    exit_code = 3


class ResourceError(ReconError):
    """Not enough disk, memory or compute."""

    exit_code = 4


class NumericError(ReconError):
    """A value that is not finite."""

    exit_code = 5


class StoppedError(ReconError):
    """The user stopped a command, which has saved what it had."""

    exit_code = 130


def first_line(error: BaseException) -> str:
    """Return what another library's error says first, or its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
