"""The densifier's interface, and its settings."""

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from recon.model import Model
from recon.raster.interface import ScreenFootprint


@dataclass(frozen=True)
class Densify:
    """How the number of Gaussians grows."""

    strategy: Literal["gradient", "defocus", "mcmc", "fixed"] = "gradient"
    """gradient: duplicate and split where the image pulls (3DGS, gsplat's DefaultStrategy).
    defocus: where the defocus term pulls too, and prune where nothing does (arXiv 2511.10316).
    mcmc: a growing budget, faded Gaussians move to where opacity is (arXiv 2404.09591).
    fixed: the initial Gaussians only."""
    begin: float = 0.03
    """Share of the fit before anything is added or moved."""
    full: float = 0.5
    """mcmc: share of the fit at which the budget is reached."""
    end: float = 0.8
    """Share of the fit after which nothing is added or moved."""
    every: int = 100
    """Steps from one change to the next."""
    dead_opacity: float = 0.005
    """mcmc moves, and gradient and defocus prune, Gaussians fainter than this."""
    noise: float = 5e5
    """mcmc: strength of the noise on faint Gaussians' centres, in units of the means' rate."""
    opacity_weight: float = 0.01
    """mcmc: weight of the mean opacity, which lets Gaussians that do not pay fade."""
    scale_weight: float = 0.01
    """mcmc: weight of the mean scale over the scene's scale."""
    gradient_threshold: float = 2e-4
    """gradient, defocus: mean pull on a Gaussian's projected centre above which it is multiplied,
    in units of half the image size."""
    reset_every: int = 3000
    """gradient, defocus: steps between resets of opacity."""
    keep: float = 0.2
    """defocus: share of the Gaussians, those that the defocus term pulls most, that are never
    pruned for being pulled too little."""
    least_gradient: float = 2e-5
    """defocus: mean pull, in the units of the gradient threshold, below which the others are."""


class Densifier(abc.ABC):
    """Changes the set of Gaussians between the backward pass and the next step."""

    @abc.abstractmethod
    def before_gradients(
        self,
        penalties: Mapping[str, Float[Tensor, ""]],
        footprint: ScreenFootprint,
        progress: float,
    ) -> None:
        """Look at a step's penalties while their gradients can still be told apart.

        Args:
            penalties: of the terms in use, by name, with their weights.
            footprint: of the view just rendered.
            progress: share of the fit done, 0 to 1.
        """

    @abc.abstractmethod
    def after_step(
        self,
        model: Model,
        footprint: ScreenFootprint,
        size: tuple[int, int],
        step: int,
        progress: float,
    ) -> None:
        """Look at one rendered view, and add, move or drop Gaussians where it is time.

        Args:
            model: changed in place.
            footprint: of the view just rendered, its offsets holding their gradient.
            size: width and height of the view, px.
            step: counted from 0.
            progress: share of the fit done, 0 to 1.
        """

    @abc.abstractmethod
    def state(self) -> dict[str, Tensor]:
        """Return what a resumed fit needs, as named tensors."""

    @abc.abstractmethod
    def restore(self, state: dict[str, Tensor]) -> None:
        """Put back what `state` gave."""


class FixedDensifier(Densifier):
    """Leaves the Gaussians as they are."""

    def before_gradients(
        self,
        penalties: Mapping[str, Float[Tensor, ""]],
        footprint: ScreenFootprint,
        progress: float,
    ) -> None:
        """Do nothing."""

    def after_step(
        self,
        model: Model,
        footprint: ScreenFootprint,
        size: tuple[int, int],
        step: int,
        progress: float,
    ) -> None:
        """Do nothing."""

    def state(self) -> dict[str, Tensor]:
        """Return nothing: there is no state."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Do nothing."""
