"""What a prediction of depth is held against: the photo's own depth, or LiDAR of its time step."""

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from recon.depth_metrics import depth_edges, sparse_edges
from recon.drive_types import Boxes, Returns, Sweep
from recon.errors import DataError
from recon.evidence.lidar import on_photo
from recon.moving import in_boxes
from recon.occlusion import hidden
from recon.types import Camera, DepthKind, DepthMap, View

OWN = 1.5
"""Metres around each of a rig's cameras in which returns are from the car that carries it."""
HOOD = (1.1, 0.3, 1.4, 2.5)
"""Metres beside a camera, below it from and to, and before it, in which its car's hood may lie.
Cameras stand higher than 1.4 m above the road, as a rule."""


class TruthSource(enum.Enum):
    """Who knows the depth, for people."""

    FILES = "files"
    LIDAR = "LiDAR of the held-out steps"
    STEREO = "stereo matching"


@dataclass(frozen=True, eq=False)
class Truth:
    """The depth that a view is known to have, at its pixels that count."""

    depth: DepthMap
    source: TruthSource
    edges: Bool[Tensor, "h w"]
    """Pixels with depth near which it jumps."""

    @property
    def sparse(self) -> bool:
        """Whether only single pixels hold a depth."""
        return self.source is TruthSource.LIDAR


class Truths:
    """Finds the truth of views.

    The photo's own depth goes first where an instrument measured it, then the LiDAR returns of the
    view's own time step, then depth matched in a stereo pair. A depth known only up to a factor or
    an offset is a prior, and no truth.
    """

    def __init__(
        self,
        sweeps: Sequence[Sweep] = (),
        boxes: Sequence[Boxes] = (),
        rig: Sequence[View] = (),
    ) -> None:
        """Prepare; sweeps are read when a view of their time step is asked for.

        Args:
            sweeps: of a drive, whether they trained or not.
            boxes: of objects that move; returns in them are left out.
            rig: all views of the capture, which say where the cameras stand on the car.
        """
        self._sweeps = {sweep.step: sweep for sweep in sweeps}
        self._boxes = {frame.step: frame for frame in boxes}
        self._cameras: dict[int | None, list[Camera]] = {}
        for view in rig:
            self._cameras.setdefault(view.step, []).append(view.camera)
        self._read: tuple[int, Returns | None] | None = None
        self.problems: list[str] = []
        """Sweeps that could not be read, and why; their time steps have no truth of them."""

    def of(self, view: View, valid: Bool[Tensor, "h w"] | None) -> Truth | None:
        """Return what is known of a view's depth; None where nothing is.

        Views of one time step that follow one another share one reading of its sweep.

        Args:
            view: as it was predicted.
            valid: its photo's pixels that count, None for all; others have no truth.

        Raises:
            DataError: the photo's depth cannot be read.
        """
        own = view.photo.depth()
        if own is not None and own.kind is not DepthKind.METRIC:
            own = None
        if own is not None and own.measured:
            return _dense(own, valid, TruthSource.FILES)
        sweep = None if view.step is None else self._sweeps.get(view.step)
        returns = None if sweep is None else self._returns(sweep)
        if sweep is not None and returns is not None:
            depth = self._lidar(view, sweep, returns, valid)
            return Truth(depth, TruthSource.LIDAR, sparse_edges(depth))
        return None if own is None else _dense(own, valid, TruthSource.STEREO)

    def _lidar(
        self, view: View, sweep: Sweep, returns: Returns, valid: Bool[Tensor, "h w"] | None
    ) -> DepthMap:
        """Lay the returns that a photo shows on its pixels; the nearest one wins."""
        camera = view.camera
        index, pixels, depth = on_photo(view, sweep, returns)
        seen = ~hidden(pixels.double().numpy(), depth.double().numpy(), min(camera.fx, camera.fy))
        seen &= self._counts(view, returns.positions[index])
        x, y = pixels[seen].long().unbind(dim=-1)
        place = y.clamp(max=camera.height - 1) * camera.width + x.clamp(max=camera.width - 1)
        z = torch.full((camera.height * camera.width,), math.inf)
        z = z.scatter_reduce(0, place, depth[seen], "amin").reshape(camera.height, camera.width)
        known = z.isfinite() if valid is None else z.isfinite() & valid
        return DepthMap(torch.where(known, z, 0), known)

    def _returns(self, sweep: Sweep) -> Returns | None:
        """Read a sweep once for all cameras of its step."""
        if self._read is None or self._read[0] != sweep.step:
            try:
                self._read = (sweep.step, sweep.shown())
            except DataError as error:
                self._read = (sweep.step, None)
                self.problems.append(str(error))
        return self._read[1]

    def _counts(self, view: View, points: Float[Tensor, "n 3"]) -> Bool[np.ndarray, " n"]:
        """Return which returns are neither from the rig's own car nor from what moves."""
        cameras = self._cameras.get(view.step, [view.camera])
        apart = torch.stack([(points - camera.position).norm(dim=-1) for camera in cameras])
        counts = np.asarray((apart > OWN).all(dim=0) & ~_on_hood(view.camera, points))
        frame = None if view.step is None else self._boxes.get(view.step)
        if frame is None:
            return counts
        inside = in_boxes(points.numpy(), frame.poses.numpy(), frame.sizes.numpy())
        return np.asarray(counts & ~inside)


def _dense(own: DepthMap, valid: Bool[Tensor, "h w"] | None, source: TruthSource) -> Truth:
    known = own.valid if valid is None else own.valid & valid
    # Edges are those of all the depth there is: a mask makes none.
    return Truth(replace(own, valid=known), source, known & depth_edges(own))


def _on_hood(camera: Camera, points: Float[Tensor, "n 3"]) -> Bool[Tensor, " n"]:
    pose = camera.world_to_camera
    x, y, z = (points @ pose[:3, :3].T + pose[:3, 3]).unbind(dim=-1)
    beside, above, below, before = HOOD
    return (x.abs() < beside) & (y > above) & (y < below) & (z < before)
