"""A depth prior's view of the training photos, in the scale of the capture."""

import io
from dataclasses import replace
from typing import ClassVar, final

import numpy as np
import torch

from recon.camera import inside, project
from recon.errors import DataError
from recon.evidence.alignment import FORMS, align
from recon.evidence.confidence import combined, trust_by_points
from recon.evidence.interface import DenseDepth, Evidence, Need, Provider, SparseDepth
from recon.evidence.lidar import CELL, unhidden
from recon.evidence.store import Store, digest
from recon.priors.interface import DepthPrior, Frame, PriorDepth
from recon.types import Capture, DepthKind, DepthMap, PointCloud, View

ENOUGH = 30
"""Points seen by a photo from which its prior's scale is taken."""


@final
class PriorProvider(Provider):
    """A prior's depth, predicted once for each photo and kept, and fitted to the capture's points.

    Where points lie nearby, it is believed as far as it agrees with them.

    Without points to fit to, only a metric prior on a capture in metres is taken, as it is.
    """

    gives: ClassVar[Need] = Need.PRIOR

    def __init__(self, prior: DepthPrior, capture: Capture, store: Store) -> None:
        """Prepare; nothing is predicted until a view is asked for."""
        self._prior, self._capture, self._store = prior, capture, store

    def add(self, evidence: Evidence, view: View) -> Evidence:
        """Return the evidence with the prior's depth for the view's photo."""
        frame = Frame(view.name, view.photo.pixels(), view.camera, evidence.lidar)
        found = self._kept(frame)
        points = self._capture.points
        sparse = None if points is None else points_in(view, points)
        if sparse is None or len(sparse.depth) < ENOUGH:
            depth = self._as_it_is(view, found.depth)
            trusted = [depth.valid.float()]
        else:
            depth = align(view.name, found.depth, sparse, FORMS[found.depth.kind]).apply(
                found.depth
            )
            trusted = [trust_by_points(depth, sparse)]
        if found.confidence is not None:
            trusted.append(found.confidence)
        confidence = combined(trusted) * depth.valid
        z = torch.where(confidence > 0, depth.z, 0.0)
        return replace(evidence, prior=DenseDepth(z, confidence))

    def _as_it_is(self, view: View, depth: DepthMap) -> DepthMap:
        """Return a prior's depth in its own scale, where that is the capture's."""
        if depth.kind is DepthKind.METRIC and self._capture.metric:
            return depth
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


def points_in(view: View, cloud: PointCloud) -> SparseDepth:
    """Return a capture's points as depths in a view, without those that others hide."""
    pixels, depth = project(view.camera, cloud.positions.float())
    shown = inside(view.camera, pixels, depth)
    pixels, depth = pixels[shown], depth[shown]
    seen = unhidden(pixels, depth, CELL * view.camera.width)
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
