"""Densification by screen-space gradients (Kerbl et al. 2023, section 5), through gsplat."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from recon.densify.guide import Guide
from recon.densify.interface import Densifier, Densify
from recon.model import Model
from recon.raster.interface import ScreenFootprint

GSPLAT_NAMES = {
    "means": "means",
    "quats": "quaternions",
    "scales": "log_scales",
    "opacities": "opacity_logits",
    "sh0": "sh_base",
    "shN": "sh_rest",
}


NEVER = 2**62


class GradientDensifier(Densifier):
    """Duplicates and splits where the image pulls: gsplat's DefaultStrategy, under a cap."""

    def __init__(self, settings: Densify, cap: int, scene_scale: float, guide: Guide) -> None:
        from gsplat import DefaultStrategy

        self.settings = settings
        self.cap = cap
        self.guide = guide
        self.strategy = DefaultStrategy(
            prune_opa=settings.dead_opacity,
            grow_grad2d=settings.gradient_threshold,
            refine_stop_iter=NEVER,
            refine_every=settings.every,
            reset_every=settings.reset_every,
        )
        self.gathered: dict[str, Any] = self.strategy.initialize_state(scene_scale)

    def before_gradients(
        self,
        penalties: Mapping[str, Float[Tensor, ""]],
        footprint: ScreenFootprint,
        progress: float,
    ) -> None:
        """Let the guide look, while anything may still change."""
        if progress < self.settings.end:
            self.guide.look(penalties, footprint)

    def after_step(
        self,
        model: Model,
        footprint: ScreenFootprint,
        size: tuple[int, int],
        step: int,
        progress: float,
    ) -> None:
        """Gather gradients; every so often multiply, prune, and reset opacity."""
        settings = self.settings
        if progress >= settings.end:
            return
        tensors = {key: getattr(model.gaussians, name) for key, name in GSPLAT_NAMES.items()}
        optimizers = {key: model.optimizers[name] for key, name in GSPLAT_NAMES.items()}
        due = step % settings.every == 0 and progress >= settings.begin
        info = _gsplat_info(footprint, size)
        # Our schedule is in shares of the fit, the strategy's in steps. It gathers first and
        # grows in a second call, in which nothing is seen, because the cap's threshold depends
        # on all that was gathered.
        self.strategy.refine_start_iter = NEVER
        self.strategy.step_post_backward(tensors, optimizers, self.gathered, step, info)
        self.guide.gather(self.gathered, footprint, size)
        if due:
            self._drop_idle(tensors, optimizers)
            self.strategy.refine_start_iter = 0
            self.strategy.grow_grad2d = self._threshold(len(tensors["means"]))
            unseen = {**info, "radii": torch.zeros_like(info["radii"])}
            self.strategy.step_post_backward(tensors, optimizers, self.gathered, step, unseen)
            self.guide.forget(self.gathered)
        if due and step > 0 and step % settings.reset_every == 0:
            _reset_opacity(tensors, optimizers, 2 * settings.dead_opacity)
        model.adopt({name: tensors[key] for key, name in GSPLAT_NAMES.items()})

    def state(self) -> dict[str, Tensor]:
        """Return the gathered gradients."""
        return {k: v for k, v in self.gathered.items() if torch.is_tensor(v)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Put back the gathered gradients."""
        self.gathered.update(state)

    def _drop_idle(
        self, tensors: dict[str, Tensor], optimizers: Mapping[str, torch.optim.Optimizer]
    ) -> None:
        """Remove those that the guide lets go, before others take the room they leave."""
        idle = self.guide.idle(self.gathered)
        if idle is None or not bool(idle.any()) or bool(idle.all()):
            return
        from gsplat.strategy.ops import remove

        remove(params=tensors, optimizers=optimizers, state=self.gathered, mask=idle)

    def _threshold(self, count: int) -> float:
        """Raise the threshold so that no more are added than the cap leaves room for."""
        room = self.cap - count
        if room <= 0:
            return math.inf
        pull = self.gathered["grad2d"] / self.gathered["count"].clamp_min(1)
        if room >= len(pull):
            return self.settings.gradient_threshold
        return max(self.settings.gradient_threshold, float(pull.topk(room + 1).values[-1]))


def _gsplat_info(footprint: ScreenFootprint, size: tuple[int, int]) -> dict[str, Any]:
    """Say in gsplat's words what one view showed: batches of one camera, radii per axis."""
    means2d = torch.zeros_like(footprint.offsets)[None]
    pull = footprint.offsets.grad
    means2d.grad = None if pull is None else pull[None]
    radii = footprint.radii[None, :, None].expand(1, -1, 2)
    width, height = size
    return {
        "width": width, "height": height, "n_cameras": 1, "radii": radii,
        "gaussian_ids": None, "means2d": means2d,
    }  # fmt: skip


def _reset_opacity(
    tensors: dict[str, Tensor], optimizers: Mapping[str, torch.optim.Optimizer], value: float
) -> None:
    """Make nothing more opaque than a value.

    gsplat 1.5.3's strategy never does it itself: `step % n == 0 & step > 0` chains to False.
    """
    from gsplat.strategy.ops import reset_opa

    reset_opa(params=tensors, optimizers=optimizers, state={}, value=value)
