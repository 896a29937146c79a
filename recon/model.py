"""The Gaussians and the optimizers that move them, kept in step while Gaussians come and go."""

import math
from dataclasses import dataclass, fields

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import Parameter

from recon.gaussians import Gaussians
from recon.optimizer import Adam


@dataclass(frozen=True)
class LearningRates:
    """Adam's rate for each tensor. The means' rate is in units of the scene's scale."""

    means: float = 1e-3
    """At the start; decays exponentially."""
    means_final: float = 1e-5
    """At the end."""
    log_scales: float = 5e-3
    quaternions: float = 1e-3
    opacity_logits: float = 5e-2
    sh_base: float = 2.5e-3
    sh_rest: float = 1.25e-4

    def means_at(self, progress: float) -> float:
        """Return the means' rate at a share of the fit, 0 to 1."""
        return math.exp(
            (1 - progress) * math.log(self.means) + progress * math.log(self.means_final)
        )


class Model:
    """Gaussians under optimisation: one Adam per tensor, as gsplat's strategies expect."""

    def __init__(self, gaussians: Gaussians, rates: LearningRates, scene_scale: float) -> None:
        self.gaussians = gaussians.trainable()
        self.rates = rates
        self.scene_scale = scene_scale
        self.optimizers = {
            name: Adam([tensor], lr=getattr(rates, name), eps=1e-15)
            for name, tensor in self.gaussians.named().items()
        }
        self.schedule(0.0)

    def schedule(self, progress: float) -> None:
        """Set the means' learning rate for a share of the fit, 0 to 1."""
        rate = self.rates.means_at(progress) * self.scene_scale
        self.optimizers["means"].param_groups[0]["lr"] = rate

    @property
    def means_rate(self) -> float:
        """The means' learning rate now, in the capture's unit."""
        return float(self.optimizers["means"].param_groups[0]["lr"])

    def step(self) -> None:
        """Move every tensor along its gradient, and forget the gradients."""
        for optimizer in self.optimizers.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def append(self, source: Int[Tensor, " m"]) -> None:
        """Add copies of the named Gaussians at the end, without momentum."""
        for name, tensor in self.gaussians.named().items():
            optimizer = self.optimizers[name]
            state = optimizer.state.pop(tensor, None)
            grown = Parameter(torch.cat([tensor.detach(), tensor.detach()[source]]))
            optimizer.param_groups[0]["params"] = [grown]
            if state:
                for key in ("exp_avg", "exp_avg_sq"):
                    still = torch.zeros_like(state[key][source])
                    state[key] = torch.cat([state[key], still])
                optimizer.state[grown] = state
            setattr(self.gaussians, name, grown)

    def forget(self, chosen: Int[Tensor, " m"]) -> None:
        """Set the momentum of the named Gaussians to zero."""
        for optimizer in self.optimizers.values():
            # A tensor that has had no gradient yet has no momentum.
            for state in filter(None, optimizer.state.values()):
                state["exp_avg"][chosen] = 0
                state["exp_avg_sq"][chosen] = 0

    def adopt(self, tensors: dict[str, Tensor]) -> None:
        """Take over tensors that a gsplat strategy has replaced, with its optimizers' state."""
        for name, tensor in tensors.items():
            setattr(self.gaussians, name, tensor)

    def momenta(self) -> dict[str, Tensor]:
        """Return the optimizers' state as named tensors, for a checkpoint."""
        state: dict[str, Tensor] = {}
        for name, optimizer in self.optimizers.items():
            for key, value in optimizer.state.get(getattr(self.gaussians, name), {}).items():
                state[f"{name}.{key}"] = torch.as_tensor(value)
        return state

    def restore_momenta(self, state: dict[str, Tensor]) -> None:
        """Put back what `momenta` gave."""
        for field in fields(self.gaussians):
            mine = {
                key.removeprefix(f"{field.name}."): value
                for key, value in state.items()
                if key.startswith(f"{field.name}.")
            }
            if mine:
                parameter = getattr(self.gaussians, field.name)
                self.optimizers[field.name].state[parameter] = mine
