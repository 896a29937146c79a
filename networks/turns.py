"""How scenes of Gaussians and the network take turns in teaching each other."""

import math
from dataclasses import dataclass

from recon.errors import UsageError


@dataclass(frozen=True)
class Turns:
    """How scenes and network take turns.

    The first turn is the scenes' alone and the longest, so that neither learns from nothing: a
    network that sees no blur and a scene that is as blurred as the photos would agree.
    """

    first: int = 600
    """Steps of each scene before the network's first, without the network."""
    scene: int = 150
    """Steps of each scene before every other turn of the network."""
    network: int = 50
    """Steps of the network in a turn."""
    coc: float = 0.01
    """Weight with which a scene is held to what the network sees; 0 leaves the scenes alone."""
    max_gaussians: int = 20_000
    """Cap of each scene."""

    def check(self) -> None:
        """Refuse what cannot be done.

        Raises:
            UsageError: a number is out of its range.
        """
        for name in ("first", "scene", "network", "max_gaussians"):
            if getattr(self, name) < 1:
                option = name.replace("_", "-")
                raise UsageError(f"--turns.{option} {getattr(self, name)}: expected 1 or more.")
        if not (math.isfinite(self.coc) and self.coc >= 0):
            raise UsageError(f"--turns.coc {self.coc}: expected 0 or more.")

    def scene_steps(self, step: int) -> int:
        """Return how many steps every scene has done when the network takes this step of its."""
        return self.first + step // self.network * self.scene
