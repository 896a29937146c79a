"""What viser's types do not say of its controls."""

from typing import Any

import viser

Event = viser.GuiEvent[Any]
"""A change of a control; its `client` is None where the program made it, and no person."""


def put(control: Any, value: object) -> None:
    """Let a control show a value; who listens to it is only called where it showed another.

    viser declares `value` read only, and takes it all the same.
    """
    control.value = value
