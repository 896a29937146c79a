"""The scene: Gaussians as the optimizer sees them, before their activations."""

from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import Parameter

HARMONIC_BAND_0 = 0.28209479177387814
"""The constant spherical harmonic, 1 / (2 sqrt(pi))."""


@dataclass(eq=False)
class Gaussians:
    """3D Gaussians with view-dependent colour (Kerbl et al. 2023, arXiv 2308.04079).

    A Gaussian's covariance is R S Sᵀ Rᵀ with S = diag(exp(log_scales)) and R the rotation of the
    normalised quaternion. Its colour along the unit direction d, from camera to Gaussian, is
    max(0, 0.5 + sum_k harmonics_k(d) * coefficient_k); coefficient 0 is `sh_base`, 1 to 15 are
    `sh_rest` in the order of the original 3DGS files.
    """

    means: Float[Tensor, "n 3"]
    """Centres in the working frame."""
    quaternions: Float[Tensor, "n 4"]
    """(w, x, y, z), of any length but 0."""
    log_scales: Float[Tensor, "n 3"]
    opacity_logits: Float[Tensor, " n"]
    sh_base: Float[Tensor, "n 1 3"]
    sh_rest: Float[Tensor, "n 15 3"]

    def __len__(self) -> int:
        """Count the Gaussians."""
        return len(self.means)

    @property
    def opacities(self) -> Float[Tensor, " n"]:
        """In (0, 1)."""
        return torch.sigmoid(self.opacity_logits)

    @property
    def scales(self) -> Float[Tensor, "n 3"]:
        """Standard deviations along the principal axes."""
        return torch.exp(self.log_scales)

    def named(self) -> dict[str, Tensor]:
        """Return the tensors by field name, in the order of the fields."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def trainable(self) -> "Gaussians":
        """Return a copy whose tensors are parameters."""
        return Gaussians(**{k: Parameter(v.detach().clone()) for k, v in self.named().items()})

    def painted(self, colors: Float[Tensor, "n 3"]) -> "Gaussians":
        """Return the same Gaussians in other colours, which do not change with the view."""
        base = ((colors - 0.5) / HARMONIC_BAND_0)[:, None]
        return replace(self, sh_base=base, sh_rest=torch.zeros_like(self.sh_rest))

    def detached(self) -> "Gaussians":
        """Return the same values without gradients."""
        return Gaussians(**{k: v.detach() for k, v in self.named().items()})

    def to(self, target: torch.device | torch.dtype) -> "Gaussians":
        """Return the Gaussians on another device or in another precision."""
        return Gaussians(**{k: v.detach().to(target) for k, v in self.named().items()})


def rotations(quaternions: Float[Tensor, "n 4"]) -> Float[Tensor, "n 3 3"]:
    """Turn quaternions (w, x, y, z) of any length into rotation matrices, NaN where it is 0."""
    w, x, y, z = (quaternions / quaternions.norm(dim=-1, keepdim=True)).unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, -1).reshape(-1, 3, 3)
