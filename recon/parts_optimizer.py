"""The optimizers of what is learned beside the Gaussians."""

from collections.abc import Mapping

import torch
from torch import Tensor

from recon.optimizer import Adam
from recon.part import Part

FINAL = 0.1
"""Rates fall to this share of their start over a fit."""


class PartsOptimizer:
    """One Adam for the tensors of all parts, each at its own rate."""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self.parts = parts
        self._tensors = {
            f"{part}.{name}": tensor
            for part, learned in parts.items()
            for name, tensor in learned.tensors().items()
        }
        rates = {
            f"{part}.{name}": rate
            for part, learned in parts.items()
            for name, rate in learned.rates().items()
        }
        self._optimizers = {
            name: Adam([tensor], lr=rates[name]) for name, tensor in self._tensors.items()
        }
        self._rates = rates

    def schedule(self, progress: float) -> None:
        """Set the rates for a share of the fit, 0 to 1."""
        for name, optimizer in self._optimizers.items():
            optimizer.param_groups[0]["lr"] = self._rates[name] * FINAL**progress

    def step(self) -> None:
        """Move what has a gradient, forget the gradients, and let the parts relax."""
        for optimizer in self._optimizers.values():
            if optimizer.param_groups[0]["params"][0].grad is not None:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
        for part in self.parts.values():
            part.relax()

    def state(self) -> dict[str, Tensor]:
        """Return the parts' tensors and their momenta by name, for a checkpoint."""
        state = {f"value.{name}": tensor.detach() for name, tensor in self._tensors.items()}
        for name, tensor in self._tensors.items():
            moments = self._optimizers[name].state.get(tensor, {})
            for key, value in moments.items():
                state[f"{key}.{name}"] = torch.as_tensor(value)
        return state

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave.

        Raises:
            ValueError: it is that of other parts.
        """
        restore_parts(self.parts, state)
        for name, tensor in self._tensors.items():
            keys = ("step", "exp_avg", "exp_avg_sq")
            moments = {k: state[f"{k}.{name}"] for k in keys if f"{k}.{name}" in state}
            if moments:
                self._optimizers[name].state[tensor] = {
                    k: v.clone() if k == "step" else v.to(tensor.device, copy=True)
                    for k, v in moments.items()
                }


def restore_parts(parts: Mapping[str, Part], state: Mapping[str, Tensor]) -> None:
    """Put back the values alone, as a scene that is only drawn needs them.

    Raises:
        ValueError: they are those of other parts.
    """
    for name, part in parts.items():
        mine = f"value.{name}."
        part.restore({k.removeprefix(mine): v for k, v in state.items() if k.startswith(mine)})
