"""Evidence for the steps of a fit: gathered when a view is first seen, and kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from recon.evidence.blurred_photos import StackProvider
from recon.evidence.depth_files import DepthFileProvider
from recon.evidence.interface import Evidence, Need, Provider
from recon.evidence.lidar import LidarProvider
from recon.evidence.sky_masks import SkyProvider
from recon.types import Capture, View


@dataclass(frozen=True)
class PriorSettings:
    """Which depth prior the photos get."""

    model: Literal["none", "file"] = "none"
    """file takes the metric depth that came with the training photos."""


def providers_for(
    needs: frozenset[Need], capture: Capture, prior: PriorSettings
) -> tuple[Provider, ...]:
    """Return who can tell what is needed; nobody for what the capture does not bring.

    Args:
        needs: of the terms in use.
        capture: what is fitted.
        prior: the user's choice.
    """
    known: list[Provider] = []
    if Need.LIDAR in needs and capture.training_sweeps:
        known.append(LidarProvider(capture))
    if Need.SKY in needs and capture.lidar:
        known.append(SkyProvider())
    if Need.PRIOR in needs and prior.model == "file":
        known.append(DepthFileProvider())
    if Need.STACK in needs and prior.model != "none":
        known.append(StackProvider())
    return tuple(known)


class EvidenceCache:
    """What is known of each view, at the sizes that a fit asks for."""

    def __init__(self, providers: Sequence[Provider], device: torch.device) -> None:
        self._providers, self._device = tuple(providers), device
        self._whole: dict[str, Evidence] = {}
        self._kept: dict[tuple[str, int, int], Evidence] = {}

    def load(self, view: View, width: int, height: int) -> Evidence:
        """Return what is known of a view, for its photo at a size.

        Args:
            view: of the capture, at its own size.
            width: of the photo as it is used now.
            height: likewise.

        Raises:
            DataError: a file cannot be read.
        """
        key = (view.name, width, height)
        if key not in self._kept:
            if view.name not in self._whole:
                evidence = Evidence()
                for provider in self._providers:
                    evidence = provider.add(evidence, view)
                self._whole[view.name] = evidence
            resized = self._whole[view.name].resized(view, width, height)
            self._kept[key] = resized.to(self._device)
        return self._kept[key]
