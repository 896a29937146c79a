"""Keeping libraries that print from printing."""

from collections.abc import Iterator
from contextlib import contextmanager

import rich


@contextmanager
def silent_console() -> Iterator[None]:
    """Keep what others say through rich's console off the terminal."""
    console = rich.get_console()
    before, console.quiet = console.quiet, True
    try:
        yield
    finally:
        console.quiet = before
