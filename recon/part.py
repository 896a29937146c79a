"""Something that a fit learns beside the Gaussians."""

import abc
from collections.abc import Mapping

import torch
from torch import Tensor


class Part(abc.ABC):
    """Named tensors, each with a rate: a sky, the photos' exposure, corrections of poses."""

    @abc.abstractmethod
    def tensors(self) -> Mapping[str, Tensor]:
        """Return the leaf tensors that are learned, by name; changed in place by the optimizer."""

    @abc.abstractmethod
    def rates(self) -> Mapping[str, float]:
        """Return Adam's rate for each tensor at the start of a fit."""

    @abc.abstractmethod
    def relax(self) -> None:
        """Draw back, after a step, what the photos do not hold."""

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """Put back values that `tensors` gave.

        Raises:
            ValueError: they are those of another part.
        """
        mine = self.tensors()
        if mine.keys() != saved.keys():
            raise ValueError(f"holds {sorted(saved)} where {sorted(mine)} are expected")
        with torch.no_grad():
            for name, tensor in mine.items():
                if tensor.shape != saved[name].shape:
                    raise ValueError(
                        f"{name} is {tuple(saved[name].shape)}, expected {tuple(tensor.shape)}"
                    )
                tensor.copy_(saved[name])


class Fixed(Part):
    """A part that learns nothing, so that the loop need not ask."""

    def tensors(self) -> Mapping[str, Tensor]:
        """Return none."""
        return {}

    def rates(self) -> Mapping[str, float]:
        """Return none."""
        return {}

    def relax(self) -> None:
        """Leave everything."""
        return
