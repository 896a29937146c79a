"""What else than the pull of all penalties says where Gaussians come and go."""

import abc
from collections.abc import Mapping
from typing import Any, final

from jaxtyping import Bool, Float
from torch import Tensor

from recon.raster.interface import ScreenFootprint


class Guide(abc.ABC):
    """Looks at each step, adds to what is gathered for growth, and names who may go.

    What it gathers of its own is kept in the strategy's state, one value for each Gaussian, since
    there it is copied and dropped together with them.
    """

    @abc.abstractmethod
    def look(self, penalties: Mapping[str, Float[Tensor, ""]], footprint: ScreenFootprint) -> None:
        """Look at one step's weighted penalties before their gradients are taken."""

    @abc.abstractmethod
    def gather(
        self, gathered: dict[str, Any], footprint: ScreenFootprint, size: tuple[int, int]
    ) -> None:
        """Add to the pull on the Gaussians seen.

        Args:
            gathered: gsplat's state, `grad2d` and `count`, that this step was added to.
            footprint: of the view just rendered.
            size: width and height of the view, px.
        """

    @abc.abstractmethod
    def idle(self, gathered: Mapping[str, Any]) -> Bool[Tensor, " n"] | None:
        """Return which Gaussians may go, whatever their opacity; None where nobody asks."""

    @abc.abstractmethod
    def forget(self, gathered: Mapping[str, Any]) -> None:
        """Begin to gather anew, as the strategy does after each change."""


@final
class Unguided(Guide):
    """The pull of all penalties alone, as 3DGS has it."""

    def look(self, penalties: Mapping[str, Float[Tensor, ""]], footprint: ScreenFootprint) -> None:
        """Do nothing."""

    def gather(
        self, gathered: dict[str, Any], footprint: ScreenFootprint, size: tuple[int, int]
    ) -> None:
        """Do nothing."""

    def idle(self, gathered: Mapping[str, Any]) -> None:
        """Return nobody."""
        return

    def forget(self, gathered: Mapping[str, Any]) -> None:
        """Do nothing."""
