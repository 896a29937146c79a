"""Running a program of another environment, with all it says in a file."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from recon.errors import ResourceError
from recon.files import as_resource_error

LAST_LINES = 3
"""Of the log, in the message of a failure."""


def found(program: str | Path) -> str | None:
    """Return the path of a program given by its name, looked for on PATH, or by its path."""
    return shutil.which(str(program))


def environment() -> dict[str, str]:
    """Return our environment without what would make another Python look for modules as ours."""
    ours = ("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH")
    return {name: value for name, value in os.environ.items() if name not in ours}


def run_program(command: Sequence[str], log: Path) -> None:
    """Run a program to its end, in the log's folder.

    Raises:
        ResourceError: it cannot be started, or does not end well.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as file:
            file.write(f"$ {shlex.join(command)}\n")
            file.flush()
            done = subprocess.run(
                command,
                cwd=log.parent,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
            )
    except OSError as why:
        raise as_resource_error(why, log) from why
    if done.returncode != 0:
        last = " / ".join(log.read_text(errors="replace").splitlines()[1:][-LAST_LINES:])
        raise ResourceError(
            f"{command[0]} ended with {done.returncode}: {last or 'it said nothing'}. All it said "
            f"is in {log}."
        )
