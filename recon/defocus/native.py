"""The blur by the kernels of `core/`, for float32 on CPU, seen from autograd."""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from recon import _core
from recon.defocus.reference import APART, SAME
from recon.defocus.shapes import Shape
from recon.defocus.table import SPACING, table_for

_POOL: list[_core.DefocusWorkspace] = []


def blur_natively(image: Tensor, coc: Tensor, shape: Shape, encoded: bool) -> Tensor:
    """Blur by signed circles of confusion, deterministic for any number of threads.

    Args:
        image: h w 3, float32 on CPU.
        coc: h w, likewise, finite.
        shape: of the aperture.
        encoded: the image is sRGB; else linear light.
    """
    result: Tensor = _Blur.apply(image, coc, shape, encoded)  # type: ignore[no-untyped-call]
    return result


class _Lease:
    """A workspace of the pool, until given back or forgotten: fresh memory is slow."""

    def __init__(self) -> None:
        self.workspace = _POOL.pop() if _POOL else _core.DefocusWorkspace()

    def __del__(self) -> None:
        _POOL.append(self.workspace)


class _Blur(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, coc: Tensor, shape: Shape, encoded: bool) -> Tensor:
        image, coc = image.detach().contiguous(), coc.detach().contiguous()
        ctx.kernels = _kernels_up_to(shape, float(coc.abs().max()) if coc.numel() else 0.0)
        ctx.encoded, ctx.lease = encoded, _Lease()
        differentiable = any(ctx.needs_input_grad)
        blurred = _draw(ctx, image, coc, differentiable)
        if differentiable:
            ctx.save_for_backward(image, coc, blurred)
        else:
            ctx.lease = None
        return blurred

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        image, coc, blurred = ctx.saved_tensors
        if ctx.lease is None:
            # Backward once more, after the workspace was given back: draw it again.
            ctx.lease = _Lease()
            _draw(ctx, image, coc, True)
        of_image, of_coc = (
            torch.empty_like(t) if wanted else None
            for t, wanted in zip((image, coc), ctx.needs_input_grad[:2], strict=True)
        )
        _core.defocus_backward(
            ctx.lease.workspace,
            ctx.kernels,
            image,
            coc,
            ctx.encoded,
            blurred,
            gradient.contiguous(),
            of_image,
            of_coc,
        )
        ctx.lease = None
        return of_image, of_coc, None, None


def _draw(ctx: Any, image: Tensor, coc: Tensor, differentiable: bool) -> Tensor:
    blurred = torch.empty_like(image)
    _core.defocus_forward(
        ctx.lease.workspace, ctx.kernels, image, coc, ctx.encoded, differentiable, blurred
    )
    return blurred


def _kernels_up_to(shape: Shape, largest: float) -> _core.DefocusKernels:
    # By the whole pixel, so that few are made.
    return _kernels(shape, int(largest) + 1)


@lru_cache(maxsize=64)
def _kernels(shape: Shape, largest: int) -> _core.DefocusKernels:
    table = table_for(shape, largest)
    # Powers before numbers, and the support as a fourth number, constant in its interval.
    cubics = torch.zeros(len(table.cubics), 4, 4)
    cubics[:, :, :3] = table.cubics.transpose(1, 2)
    cubics[:, 0, 3] = table.supports
    radius = table.radius(shape, largest)
    margin = radius + _core.DEFOCUS_ROWS - 1
    axis = torch.arange(-margin, margin + 1, dtype=torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    gauge = shape.gauge(x, y).float().contiguous()
    bell, even, reach = shape.is_bell, shape.is_even, shape.reach
    return _core.DefocusKernels(cubics, gauge, radius, bell, even, reach, SPACING, SAME, APART)
