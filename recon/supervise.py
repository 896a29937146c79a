"""The one interface of supervision: a term turns what was rendered into a penalty."""

import abc
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from recon.errors import NumericError
from recon.evidence.interface import Evidence, Need
from recon.gaussians import Gaussians
from recon.glance import Neighbour
from recon.raster.interface import Render
from recon.types import ThinLens, View


@dataclass(frozen=True, eq=False)
class Sample:
    """One step's view, as photographed and as rendered."""

    step: int
    view: View
    photo: UInt8[Tensor, "h w 3"]
    valid: Bool[Tensor, "h w"] | None
    """The photo's pixels to use; None where all are."""
    render: Render
    gaussians: Gaussians
    scene_scale: float
    """How far the scene is away, in the capture's unit."""
    evidence: Evidence = field(default_factory=Evidence)
    """What is known of the view beside its photo, at the photo's size."""
    progress: float = 0.0
    """Share of the fit that is done."""
    neighbour: Neighbour | None = None
    """A view beside this one, if a term asks for it and one was rendered before."""
    lens: ThinLens | None = None
    """Through which it was rendered; None where it was rendered sharp."""


class Term(abc.ABC):
    """One kind of supervision: its frozen dataclass is settings, help text and behaviour."""

    weight: float
    """Multiplier of the penalty; 0 leaves the term out."""
    needs: ClassVar[frozenset[Need]] = frozenset()
    """The evidence without which it has nothing to say; its penalty is 0 where there is none."""

    @property
    def name(self) -> str:
        """The name under which its penalty is reported."""
        return type(self).__name__.lower()

    @abc.abstractmethod
    def penalty(self, sample: Sample) -> Float[Tensor, ""]:
        """Return a mean over pixels or Gaussians, 0 for a perfect scene, before the weight."""


@dataclass(frozen=True, eq=False)
class Penalties:
    """What the terms in use say of one sample."""

    total: Float[Tensor, ""]
    """The sum of the weighted."""
    weighted: Mapping[str, Float[Tensor, ""]]
    """Each times its weight, by name."""
    parts: dict[str, float]
    """Each as it is, by name."""


class Objective:
    """The weighted sum of the terms in use."""

    def __init__(self, terms: Sequence[Term]) -> None:
        self.terms = tuple(term for term in terms if term.weight != 0)

    @property
    def needs(self) -> frozenset[Need]:
        """The evidence that any of the terms asks for."""
        return frozenset().union(*(term.needs for term in self.terms))

    def __call__(self, sample: Sample) -> Penalties:
        """Return the terms' penalties and their weighted sum.

        Raises:
            NumericError: a penalty is not finite; the message names term, step and view.
        """
        penalties = {term.name: term.penalty(sample) for term in self.terms}
        parts = {name: float(penalty.detach()) for name, penalty in penalties.items()}
        for name, value in parts.items():
            if not math.isfinite(value):
                raise NumericError(
                    f"the {name} term is {value} at step {sample.step}, view "
                    f"{sample.view.name}. The last checkpoint is intact; continue from it with a "
                    "lower learning rate (--learning-rates.means), or look at that photo and its "
                    "pose with `recon inspect`."
                )
        weighted = {term.name: term.weight * penalties[term.name] for term in self.terms}
        return Penalties(torch.stack([*weighted.values()]).sum(), weighted, parts)
