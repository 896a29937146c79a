"""Photos blurred by discs of several sizes."""

from dataclasses import replace
from typing import ClassVar, final

from recon.evidence.interface import Evidence, Need, Provider
from recon.focus_stack import focus_stack
from recon.types import View


@final
class StackProvider(Provider):
    """The training photo itself, blurred."""

    gives: ClassVar[Need] = Need.STACK

    def add(self, evidence: Evidence, view: View) -> Evidence:
        """Return the evidence with the view's photo under all blurs."""
        return replace(evidence, stack=focus_stack(view.photo.pixels()))
