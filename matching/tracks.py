"""Tracks: one point's pixels in all the views that matches connect."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from recon.matching.pair import PairMatches


@dataclass(frozen=True, eq=False)
class Tracks:
    """Observations, sorted by track and then by view; a track has two or more, of one view each."""

    track: Int64[Tensor, " m"]
    """Which track an observation belongs to: 0, 1, ... without gaps."""
    view: Int64[Tensor, " m"]
    pixels: Float[Tensor, "m 2"]
    confidence: Float[Tensor, " m"]
    """That of the best match which led here."""

    def __len__(self) -> int:
        """Count the tracks."""
        return int(self.track[-1]) + 1 if len(self.track) else 0

    @property
    def lengths(self) -> Int64[Tensor, " t"]:
        """Count the observations of each track."""
        return torch.bincount(self.track, minlength=len(self))

    def where(self, keep: Bool[Tensor, " m"]) -> tuple["Tracks", Bool[Tensor, " t"]]:
        """Return those observations that a mask keeps, and which tracks are left by them.

        Tracks with fewer than two observations go as a whole.
        """
        left = torch.bincount(self.track[keep], minlength=len(self)) >= 2
        keep = keep & left[self.track]
        number = torch.cumsum(left, dim=0) - 1
        chosen = Tracks(
            number[self.track[keep]], self.view[keep], self.pixels[keep], self.confidence[keep]
        )
        return chosen, left


def build_tracks(pairs: Sequence[PairMatches], merge_distance: float) -> Tracks:
    """Connect the matches of all pairs.

    Where matches would give a track two pixels of one view, the most confident are taken first and
    those that contradict them are left out.

    Args:
        pairs: matches, from which outliers are best removed before.
        merge_distance: px within which pixels of one view are the same (`Matcher.merge_distance`).
    """
    pairs = [pair for pair in pairs if len(pair.matches)]
    if not pairs:
        nothing = torch.zeros(0, dtype=torch.int64)
        return Tracks(nothing, nothing, torch.zeros(0, 2), torch.zeros(0))
    sides = torch.tensor([[pair.a for pair in pairs], [pair.b for pair in pairs]])
    counts = torch.tensor([len(pair.matches) for pair in pairs])
    view = sides.repeat_interleave(counts, dim=1).flatten()
    pixels = torch.cat(
        [pair.matches.pixels_a for pair in pairs] + [pair.matches.pixels_b for pair in pairs]
    )
    confidence = torch.cat([pair.matches.confidence for pair in pairs])
    cell = (pixels.double() / max(merge_distance, 1e-6)).round().long()
    places = torch.cat([view[:, None], cell], dim=1)
    nodes, node = torch.unique(places, dim=0, return_inverse=True)
    ends = node.reshape(2, -1)
    track = _components(nodes[:, 0].numpy(), ends.numpy(), confidence.numpy())
    return _collect(torch.from_numpy(track), nodes[:, 0], node, pixels, confidence.repeat(2))


def _components(view: np.ndarray, ends: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Return each node's component, so that none holds two nodes of one view."""
    count = len(view)
    weights = np.ones(ends.shape[1], bool)
    graph = coo_matrix((weights, (ends[0], ends[1])), shape=(count, count))
    number, component = connected_components(graph, directed=False)
    _, first, times = np.unique(
        component.astype(np.int64) * (int(view.max()) + 1) + view,
        return_index=True,
        return_counts=True,
    )
    torn = np.zeros(number, bool)
    torn[component[first[times > 1]]] = True
    edges = np.flatnonzero(torn[component[ends[0]]])
    edges = edges[np.argsort(-confidence[edges], kind="stable")]
    members = np.flatnonzero(torn[component])
    parts = _unite(members, view, ends[:, edges])
    result = component.astype(np.int64)
    result[members] = number + parts
    return result


def _unite(members: np.ndarray, view: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Unite nodes along edges in their order, except where two nodes of one view would meet."""
    parent = {int(m): int(m) for m in members}
    views = {int(m): {int(view[m])} for m in members}

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, other in ends.T.tolist():
        a, b = root(one), root(other)
        if a == b or not views[a].isdisjoint(views[b]):
            continue
        if len(views[a]) < len(views[b]):
            a, b = b, a
        parent[b] = a
        views[a] |= views.pop(b)
    return np.array([root(int(m)) for m in members], np.int64)


def _collect(
    track: Tensor, view: Tensor, node: Tensor, pixels: Tensor, confidence: Tensor
) -> Tracks:
    """Put observations in order: of each node the mean pixel and the best confidence."""
    count = len(view)
    times = torch.bincount(node, minlength=count)[:, None]
    mean = torch.zeros(count, 2, dtype=torch.float64).index_add(0, node, pixels.double()) / times
    best = torch.zeros(count).scatter_reduce(0, node, confidence, "amax")
    _, track = torch.unique(track, return_inverse=True)
    order = torch.argsort(track * (int(view.max()) + 1) + view)
    tracks = Tracks(track[order], view[order], mean[order].float(), best[order])
    return tracks.where(torch.ones(count, dtype=torch.bool))[0]
