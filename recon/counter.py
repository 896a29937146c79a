"""How code below the commands tells how far it is, without knowing who listens."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

Counter = Callable[[str, int], AbstractContextManager[Callable[[object], None]]]
"""Told what begins and how many steps it has, it gives what is called after each step."""


def silent(what: str, steps: int) -> AbstractContextManager[Callable[[object], None]]:
    """Count without a word."""
    return nullcontext(lambda _: None)
