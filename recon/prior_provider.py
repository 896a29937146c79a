"""A depth prior's view of the training photos, in the scale of the capture."""

import io
import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor

from recon.camera import inside, project
from recon.errors import DataError
from recon.evidence.alignment import FORMS, align
from recon.evidence.confidence import combined, trust_by_points, trust_by_views
from recon.evidence.interface import DenseDepth, Evidence, Need, Provider, SparseDepth
from recon.evidence.store import Store, digest
from recon.occlusion import in_front
from recon.optics import stated_lens
from recon.priors.interface import DepthPrior, Frame, PriorDepth
from recon.types import Capture, DepthKind, DepthMap, PointCloud, View

ENOUGH = 30
"""Points seen by a photo from which its prior's scale is taken."""


KEPT = 32
"""Views whose priors in scale are kept at hand for their neighbours."""


@final
class PriorProvider(Provider):
    """A prior's depth, predicted once for each photo and kept, and fitted to the capture's points.

    Where points lie nearby, it is believed as far as it agrees with them.

    Without points to fit to, only a metric prior on a capture in metres is taken, as it is.
    """

    gives: ClassVar[Need] = Need.PRIOR

    def __init__(
        self,
        prior: DepthPrior,
        capture: Capture,
        store: Store,
        own_scale: bool = False,
        neighbours: int = 0,
    ) -> None:
        """Prepare; nothing is predicted until a view is asked for.

        Args:
            prior: predicts.
            capture: its training views' photos are asked for, and its points give the scale.
            store: keeps predictions between fits.
            own_scale: take the prior's own metres instead.
            neighbours: training views whose priors must agree.
        """
        self._prior, self._capture, self._store = prior, capture, store
        self._own_scale, self._neighbours = own_scale, neighbours
        self._kept_in_scale: OrderedDict[str, tuple[DepthMap, Tensor]] = OrderedDict()

    def add(self, evidence: Evidence, view: View) -> Evidence:
        """Return the evidence with the prior's depth for the view's photo."""
        depth, confidence = self._in_scale(view, evidence.lidar)
        if beside := nearest_views(view, self._capture.train, self._neighbours):
            others = [(other.camera, self._in_scale(other, None)[0]) for other in beside]
            confidence = combined([confidence, trust_by_views(view.camera, depth, others)])
        z = torch.where(confidence > 0, depth.z, 0.0)
        return replace(evidence, prior=DenseDepth(z, confidence))

    def _in_scale(self, view: View, lidar: SparseDepth | None) -> tuple[DepthMap, Tensor]:
        """Return the prior in the capture's unit, and how far it and the points agree."""
        if view.name in self._kept_in_scale:
            return self._kept_in_scale[view.name]
        lens = stated_lens(view.exif, view.camera) if self._capture.metric else None
        found = self._kept(Frame(view.name, view.photo.pixels(), view.camera, lidar, lens))
        points = self._capture.points
        sparse = None if points is None else points_in(view, points)
        if sparse is not None and len(sparse.depth) < ENOUGH:
            sparse = None
        if sparse is None or self._own_scale:
            depth = self._as_it_is(view, found.depth)
        else:
            aligned = align(view.name, found.depth, sparse, FORMS[found.depth.kind])
            depth = aligned.apply(found.depth)
        trusted = [depth.valid.float() if sparse is None else trust_by_points(depth, sparse)]
        if found.confidence is not None:
            trusted.append(found.confidence)
        if len(self._kept_in_scale) == KEPT:
            self._kept_in_scale.popitem(last=False)
        result = depth, combined(trusted) * depth.valid
        self._kept_in_scale[view.name] = result
        return result

    def _as_it_is(self, view: View, depth: DepthMap) -> DepthMap:
        """Return a prior's depth in its own scale, where that is the capture's."""
        if depth.kind is DepthKind.METRIC and self._capture.metric:
            return depth
        if self._own_scale:
            raise DataError(
                f"{view.name}: --prior.scale own takes the metres of a metric prior for a capture "
                f"in metres; {self._prior.name} or {self._capture.path} is not known to be in "
                "metres. Give --metric if the capture is, or leave --prior.scale at points."
            )
        raise DataError(
            f"{view.name}: the scale of the prior {self._prior.name} cannot be found, as fewer "
            f"than {ENOUGH} points of {self._capture.path} lie in this photo. Bring points, from "
            "COLMAP or LiDAR, or take a metric prior for a capture in metres (--metric)."
        )

    def _kept(self, frame: Frame) -> PriorDepth:
        """Return what was predicted before for the same photo, or predict."""
        key = digest(self._prior.identity(), frame.key())
        content = self._store.read("prior", key)
        if content is not None:
            return _decoded(content)
        predicted = self._prior.predict(frame)
        self._store.write("prior", key, _encoded(predicted))
        return predicted


def nearest_views(view: View, views: Sequence[View], count: int) -> list[View]:
    """Return the views of the same look that were taken nearest, without the view itself.

    A camera that looks more than 45 degrees elsewhere is no neighbour, nor is one at the same
    place, which cannot tell depth.
    """
    axis, place = view.camera.world_to_camera[2, :3], view.camera.position
    found = []
    for index, other in enumerate(views):
        distance = float((other.camera.position - place).norm())
        same_look = float(axis @ other.camera.world_to_camera[2, :3]) > math.cos(math.pi / 4)
        if other.name != view.name and same_look and distance > 0:
            found.append((distance, index))
    return [views[index] for _, index in sorted(found)[:count]]


def points_in(view: View, cloud: PointCloud) -> SparseDepth:
    """Return a capture's points as depths in a view, without those that others hide."""
    pixels, depth = project(view.camera, cloud.positions.float())
    shown = inside(view.camera, pixels, depth)
    pixels, depth = pixels[shown], depth[shown]
    seen = in_front(pixels, depth, view.camera.width)
    return SparseDepth(pixels[seen], depth[seen], torch.ones(int(seen.sum())))


def _encoded(found: PriorDepth) -> bytes:
    arrays = {"z": found.depth.z.numpy(), "valid": found.depth.valid.numpy()}
    if found.confidence is not None:
        arrays["confidence"] = found.confidence.numpy()
    file = io.BytesIO()
    np.savez(file, kind=np.array(found.depth.kind.value), **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def _decoded(content: bytes) -> PriorDepth:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        kind = DepthKind(str(file["kind"]))
        depth = DepthMap(torch.from_numpy(file["z"]), torch.from_numpy(file["valid"]), kind)
        confidence = torch.from_numpy(file["confidence"]) if "confidence" in file else None
    return PriorDepth(depth, confidence)
