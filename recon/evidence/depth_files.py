"""The depth that came with the photos, as a prior."""

from dataclasses import replace
from typing import ClassVar, final

from recon.evidence.interface import DenseDepth, Evidence, Need, Provider
from recon.types import DepthKind, View


@final
class DepthFileProvider(Provider):
    """Metric depth of the photo's own file, believed wherever it is known."""

    gives: ClassVar[Need] = Need.PRIOR

    def add(self, evidence: Evidence, view: View) -> Evidence:
        """Return the evidence with the photo's depth, if it has any in the capture's unit."""
        found = view.photo.depth()
        if found is None or found.kind is not DepthKind.METRIC:
            return evidence
        return replace(evidence, prior=DenseDepth(found.z, found.valid.float()))
