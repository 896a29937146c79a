"""LiDAR returns as depth in the photos that show them."""

from dataclasses import replace
from typing import ClassVar, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from recon.camera import inside, project
from recon.drive_types import Returns, Sweep
from recon.evidence.interface import Evidence, Need, Provider, SparseDepth
from recon.occlusion import in_front
from recon.types import Capture, View

MOST = 8_192
"""Returns that are kept of a view, evenly chosen; more cost memory and teach little."""


@final
class LidarProvider(Provider):
    """The returns of a view's own time step, of the sweeps that may be learned from."""

    gives: ClassVar[Need] = Need.LIDAR

    def __init__(self, capture: Capture) -> None:
        """Prepare; sweeps are read when a view of their time step is asked for."""
        self._sweeps = {sweep.step: sweep for sweep in capture.training_sweeps}
        self._views: dict[int, list[View]] = {}
        for view in capture.train:
            if view.step is not None:
                self._views.setdefault(view.step, []).append(view)
        self._known: dict[str, SparseDepth] = {}

    def add(self, evidence: Evidence, view: View) -> Evidence:
        """Return the evidence with the depths of up to MOST returns."""
        if view.name not in self._known and view.step in self._sweeps:
            self._read(view.step)
        found = self._known.get(view.name)
        return evidence if found is None else replace(evidence, lidar=found)

    def _read(self, step: int) -> None:
        """Read a sweep once for all cameras of its step."""
        sweep = self._sweeps[step]
        returns = sweep.shown()
        for view in self._views[step]:
            depth = lidar_depth(view, sweep, returns)
            every = -(-len(depth.depth) // MOST) or 1
            self._known[view.name] = SparseDepth(
                depth.pixels[::every].contiguous(),
                depth.depth[::every].contiguous(),
                depth.weight[::every].contiguous(),
            )


def lidar_depth(view: View, sweep: Sweep, returns: Returns) -> SparseDepth:
    """Return where a view shows the returns of a sweep, and how deep they are.

    All that are far behind others near them are left out, since the laser stands elsewhere and sees
    over what blocks the camera's sight: a fit rather learns from few returns than from wrong ones.
    """
    _, pixels, depth = on_photo(view, sweep, returns)
    seen = in_front(pixels, depth, view.camera.width)
    return SparseDepth(pixels[seen], depth[seen], torch.ones(int(seen.sum())))


def on_photo(
    view: View, sweep: Sweep, returns: Returns
) -> tuple[Int[Tensor, " n"], Float[Tensor, "n 2"], Float[Tensor, " n"]]:
    """Return which returns fall on a view's photo, where, and how deep they are.

    Places are those that were recorded with the returns, where they were: they know when each line
    was read. Depth is that from the view's pose. Returns in zones without labels are left out;
    those that others hide are not.
    """
    camera = view.camera
    projected, depth = project(camera, returns.positions)
    pixels = recorded(view, sweep, returns)
    pixels = torch.where(pixels.isfinite(), pixels, projected)
    use = inside(camera, pixels, depth) & (depth > 0.1) & ~returns.unlabeled
    index = use.nonzero()[:, 0]
    return index, pixels[index], depth[index]


def recorded(view: View, sweep: Sweep, returns: Returns) -> Float[Tensor, "n 2"]:
    """Return the recorded pixels of returns in a view; NaN where none is.

    Where the sweep has recordings for this camera, returns without one were not seen by it.
    """
    found = torch.full((len(returns), 2), torch.nan)
    if view.sensor not in sweep.sensors:
        return found
    number = sweep.sensors.index(view.sensor) + 1
    for which in (1, 0):
        here = returns.sensors[:, which] == number
        found[here] = returns.pixels[here, which]
    if bool((returns.sensors > 0).any()):
        found[(returns.sensors != number).all(dim=1)] = torch.inf
        found = torch.where(found.isinf(), -1.0, found)
    return found
