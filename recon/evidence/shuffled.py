"""Evidence of the wrong photo, as a control: what does a term gain that knows nothing true?"""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, final

from recon.errors import UsageError
from recon.evidence.interface import Evidence, Need, Provider
from recon.types import View


@final
class Shuffled(Provider):
    """Each photo gets the depth prior of another one, half of the capture away."""

    gives: ClassVar[Need] = Need.PRIOR

    def __init__(self, provider: Provider, views: Sequence[View]) -> None:
        """Wrap a provider of priors.

        Args:
            provider: knows the priors of the views.
            views: those that learn; two or more.

        Raises:
            UsageError: there is but one view.
        """
        if len(views) < 2:
            raise UsageError("--prior.shuffled: needs two training photos or more.")
        others = (*views[len(views) // 2 :], *views[: len(views) // 2])
        self._provider = provider
        self._other = {view.name: other for view, other in zip(views, others, strict=True)}

    def add(self, evidence: Evidence, view: View) -> Evidence:
        """Return the evidence with the other photo's prior, at this photo's size."""
        found = self._provider.add(Evidence(), self._other[view.name]).prior
        if found is None:
            return evidence
        camera = view.camera
        return replace(evidence, prior=found.resized(camera.width, camera.height))
