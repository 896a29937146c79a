"""Where photos show nothing but sky."""

from dataclasses import replace
from typing import ClassVar, final

from recon.evidence.interface import Evidence, Need, Provider
from recon.types import View


@final
class SkyProvider(Provider):
    """The sky masks that came with the photos."""

    gives: ClassVar[Need] = Need.SKY

    def add(self, evidence: Evidence, view: View) -> Evidence:
        """Return the evidence with the photo's own mask."""
        return replace(evidence, sky=view.photo.sky())
