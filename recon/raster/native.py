"""The rasterizer that runs on any processor: the C++ kernels of `core/`, seen from autograd."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from recon import _core
from recon.gaussians import Gaussians
from recon.raster.interface import Rasterizer, Render, ScreenFootprint
from recon.types import Camera, ThinLens


@dataclass(frozen=True)
class _View:
    """What of a render is not a tensor."""

    intrinsics: tuple[float, float, float, float]
    width: int
    height: int
    sh_degree: int
    background: tuple[float, float, float]
    median: bool


class _Lease:
    """A workspace of the pool, until given back or forgotten.

    A render needs some hundred bytes per Gaussian until its gradients are taken. Fresh memory
    costs more than what is done in it, so workspaces go round.
    """

    def __init__(self, pool: list[_core.RasterWorkspace]) -> None:
        self._pool = pool
        self.workspace = pool.pop() if pool else _core.RasterWorkspace()

    def __del__(self) -> None:
        self._pool.append(self.workspace)


class _Draw(torch.autograd.Function):
    """Gaussians, pose and lens to images; `offsets` only takes the gradient of the 2D means."""

    @staticmethod
    def forward(
        ctx: Any,
        pool: list[_core.RasterWorkspace],
        view: _View,
        offsets: Tensor,
        pose: Tensor,
        strength: Tensor | None,
        inverse_focus: Tensor | None,
        *parameters: Tensor,
    ) -> tuple[Tensor | None, ...]:
        lease = _Lease(pool)
        images, radii = _draw(lease.workspace, view, pose, strength, inverse_focus, parameters)
        ctx.mark_non_differentiable(radii)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(pose, strength, inverse_focus, *parameters, *images)
        ctx.pool, ctx.view, ctx.lease = pool, view, lease
        return *images, radii

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *image_gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        view: _View = ctx.view
        pose, strength, inverse_focus, *saved = ctx.saved_tensors
        parameters, images = tuple(saved[:6]), tuple(saved[6:])
        lease, ctx.lease = ctx.lease, None
        if lease is None:
            # Backward once more, after the workspace was given back: draw it again.
            lease = _Lease(ctx.pool)
            _draw(lease.workspace, view, pose, strength, inverse_focus, parameters)

        wanted = list(ctx.needs_input_grad[6:])
        wanted[5] &= view.sh_degree > 0
        pairs = zip(parameters, wanted, strict=True)
        gradients = [_empty(values.shape) if want else None for values, want in pairs]
        offsets = _empty((len(parameters[0]), 2)) if ctx.needs_input_grad[2] else None
        pose_gradient, (d_strength, d_focus) = _core.raster_backward(
            lease.workspace,
            parameters,
            images,
            [None if g is None else g.contiguous() for g in image_gradients[:4]],
            gradients,
            offsets,
        )
        lens = [
            None if t is None else t.new_tensor(g)
            for t, g in ((strength, d_strength), (inverse_focus, d_focus))
        ]
        return None, None, offsets, pose.new_tensor(pose_gradient).view(4, 4), *lens, *gradients


def _empty(shape: tuple[int, ...]) -> Tensor:
    # What is small malloc keeps by itself, at less cost.
    return _core.recycled(shape) if math.prod(shape) > 1 << 18 else torch.empty(shape)


def _draw(
    workspace: _core.RasterWorkspace,
    view: _View,
    pose: Tensor,
    strength: Tensor | None,
    inverse_focus: Tensor | None,
    parameters: tuple[Tensor, ...],
) -> tuple[list[Tensor | None], Tensor]:
    """Return color, alpha, expected depth and median depth or None; and the radii."""
    size = view.height, view.width
    images = [pose.new_empty(*size, 3), pose.new_empty(size), pose.new_empty(size)]
    radii = torch.empty(len(parameters[0]), dtype=torch.int32)
    lens = None
    if strength is not None and inverse_focus is not None:
        lens = strength.item(), inverse_focus.item()
    outputs = [*images, pose.new_empty(size) if view.median else None]
    _core.raster_forward(
        workspace,
        parameters,
        pose,
        view.intrinsics,
        (view.width, view.height),
        view.sh_degree,
        view.background,
        lens,
        outputs,
        radii,
    )
    return outputs, radii


@final
class NativeRasterizer(Rasterizer):
    """Draws on the CPU, with as many threads as `_core.threads()` says.

    The same input gives the same bytes, forward and backward, for any number of threads. A
    Gaussian with a parameter that is not finite is not drawn and has zero gradients.
    """

    name: ClassVar[str] = "native"

    def __init__(self) -> None:
        self._pool: list[_core.RasterWorkspace] = []

    @property
    def device(self) -> torch.device:
        """The CPU."""
        return torch.device("cpu")

    def render(
        self,
        gaussians: Gaussians,
        camera: Camera,
        *,
        sh_degree: int = 3,
        background: Float[Tensor, "3"] | None = None,
        lens: ThinLens | None = None,
        median: bool = False,
    ) -> Render:
        """Draw one view; see `Rasterizer.render`.

        At `sh_degree` 0, `sh_rest` gets no gradient at all, instead of zeros.

        Raises:
            TypeError: a tensor of the Gaussians is not float32 on the CPU.
            ValueError: the camera or the degree makes no sense.
        """
        parameters = gaussians.named()
        _check(parameters, camera, sh_degree)
        pose = camera.world_to_camera.float().contiguous()
        strength, inverse_focus = None, None
        if lens is not None:
            strength, inverse_focus = lens.strength.float(), lens.inverse_focus.float()
        inputs = [*parameters.values(), pose, strength, inverse_focus]
        differentiable = torch.is_grad_enabled() and any(
            tensor is not None and tensor.requires_grad for tensor in inputs
        )
        offsets = torch.zeros(len(gaussians), 2, requires_grad=differentiable)
        red, green, blue = (0.0, 0.0, 0.0) if background is None else background.tolist()
        view = _View(
            (camera.fx, camera.fy, camera.cx, camera.cy),
            camera.width,
            camera.height,
            sh_degree,
            (red, green, blue),
            median,
        )
        color, alpha, expected, middle, radii = _Draw.apply(  # type: ignore[no-untyped-call]
            self._pool,
            view,
            offsets,
            pose,
            strength,
            inverse_focus,
            *(p.contiguous() for p in parameters.values()),
        )
        return Render(color, alpha, expected, middle, ScreenFootprint(offsets, radii))


def _check(tensors: dict[str, Tensor], camera: Camera, sh_degree: int) -> None:
    for name, tensor in tensors.items():
        if tensor.dtype != torch.float32 or tensor.device.type != "cpu":
            raise TypeError(
                f"the native rasterizer takes float32 on the CPU; {name} is {tensor.dtype} on "
                f"{tensor.device}"
            )
    if not 0 <= sh_degree <= 3:
        raise ValueError(f"sh_degree is {sh_degree}; spherical harmonics go from 0 to 3")
    if camera.width < 1 or camera.height < 1:
        raise ValueError(f"cannot draw an image of {camera.width} x {camera.height} pixels")
    if not (0 < camera.fx < math.inf and 0 < camera.fy < math.inf):
        raise ValueError(f"focal lengths must be positive, not {camera.fx} and {camera.fy}")
