"""Which rasterizer runs here, decided by a first picture that comes out right."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from recon.core import HAS_CORE
from recon.errors import ResourceError
from recon.gaussians import Gaussians
from recon.raster.interface import Rasterizer
from recon.raster.reference import ReferenceRasterizer
from recon.types import Camera

Wish = Literal["auto", "native", "gsplat", "reference"]


@dataclass(frozen=True)
class BackendReport:
    """Whether a rasterizer works here."""

    name: str
    works: bool
    reason: str
    """Where it runs, or why it does not and what to do."""


def _gsplat() -> Rasterizer:
    from recon.raster.gsplat import GsplatRasterizer

    return GsplatRasterizer()


def _native() -> Rasterizer:
    if not HAS_CORE:
        raise ResourceError(
            "the C++ core was not built: install a C++ compiler (Debian, Ubuntu: apt install g++ "
            "python3-dev), then install recon again (in a clone: make core)"
        )
    from recon.raster.native import NativeRasterizer

    return NativeRasterizer()


FACTORIES: dict[str, Callable[[], Rasterizer]] = {
    "gsplat": _gsplat,
    "native": _native,
    "reference": ReferenceRasterizer,
}
"""Fastest first: the order in which "auto" tries them."""


def choose_rasterizer(wish: Wish = "auto") -> Rasterizer:
    """Return the rasterizer asked for, or the fastest that works here.

    Raises:
        ResourceError: the one asked for does not work; the message says why and what to do.
    """
    for name in FACTORIES if wish == "auto" else (wish,):
        try:
            return _tried(name)
        except ResourceError as error:
            if wish != "auto":
                raise ResourceError(
                    f"the {name} rasterizer does not work here: {error}; "
                    "`auto` takes the fastest that does"
                ) from error
    raise AssertionError("the reference needs nothing that torch does not have")


def probe() -> list[BackendReport]:
    """Try every rasterizer, fastest first; the first that works is what `auto` takes."""
    reports = []
    for name in FACTORIES:
        try:
            reports.append(BackendReport(name, True, f"runs on {_tried(name).device}"))
        except ResourceError as error:
            reports.append(BackendReport(name, False, str(error)))
    return reports


def _tried(name: str) -> Rasterizer:
    try:
        rasterizer = FACTORIES[name]()
        _try(rasterizer)
    except ResourceError:
        raise
    except Exception as error:  # A broken driver, compiler or build may raise anything.
        message = str(error).partition("\n")[0]
        raise ResourceError(f"{type(error).__name__}: {message}") from error
    return rasterizer


def _try(rasterizer: Rasterizer) -> None:
    """Draw three Gaussians forward and backward, and compare them with the reference."""
    device, reference = rasterizer.device, ReferenceRasterizer()
    results = []
    for drawer, place in ((rasterizer, device), (reference, reference.device)):
        gaussians = _three().to(place).trainable()
        picture = drawer.render(gaussians, _camera()).color
        (gradient,) = torch.autograd.grad(picture.square().sum(), gaussians.means)
        results.append((picture.detach().cpu(), gradient.cpu()))
    for drawn, expected in zip(*results, strict=True):
        error = (drawn - expected).norm() / expected.norm()
        if not error < 1e-3:
            raise ResourceError(f"its first picture was wrong (relative error {error:.1e})")


def _camera() -> Camera:
    return Camera(torch.eye(4), fx=20.0, fy=20.0, cx=16.0, cy=12.0, width=32, height=24)


def _three() -> Gaussians:
    return Gaussians(
        means=torch.tensor([[0.0, 0.0, 2.0], [0.3, 0.1, 3.0], [-0.5, -0.2, 4.0]]),
        quaternions=torch.tensor([[1.0, 0.0, 0.0, 0.0]]).repeat(3, 1),
        log_scales=torch.full((3, 3), math.log(0.3)),
        opacity_logits=torch.zeros(3),
        sh_base=torch.tensor([0.5, 1.0, 1.5])[:, None, None].repeat(1, 1, 3),
        sh_rest=torch.zeros(3, 15, 3),
    )
