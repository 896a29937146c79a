"""Many points become one in each voxel: their weighted mean."""

import numpy as np
from jaxtyping import Float64, Int64

REACH = 2**20
"""Voxels from the origin to either side; what lies farther is left out."""
WAITING = 2_000_000
"""Points that wait before they are added up, so that sorting costs little."""


class VoxelMeans:
    """Weighted means of rows of numbers, by the voxel in which their points lie."""

    def __init__(self, voxel: float, columns: int) -> None:
        """Prepare.

        Args:
            voxel: edge of a voxel.
            columns: how many numbers belong to a point, its position first.
        """
        self._voxel = voxel
        self._keys = np.zeros(0, np.int64)
        self._sums = np.zeros((0, columns + 1))
        self._waiting: list[tuple[Int64[np.ndarray, " n"], Float64[np.ndarray, "n c"]]] = []

    def add(self, rows: Float64[np.ndarray, "n c"], weights: Float64[np.ndarray, " n"]) -> None:
        """Add points, each with a weight of more than 0."""
        cells = np.floor(rows[:, :3] / self._voxel)
        near = (np.abs(cells) < REACH).all(axis=1)
        x, y, z = (cells[near].astype(np.int64) + REACH).T
        weighted = np.concatenate([rows[near], np.ones((int(near.sum()), 1))], axis=1)
        weighted *= weights[near, None]
        self._waiting.append(((x * 2 * REACH + y) * 2 * REACH + z, weighted))
        if sum(len(keys) for keys, _ in self._waiting) > WAITING:
            self._add_up()

    def means(self) -> tuple[Float64[np.ndarray, "m c"], Float64[np.ndarray, " m"]]:
        """Return one row for each voxel that holds points, and the sum of its weights."""
        self._add_up()
        weights = self._sums[:, -1]
        return self._sums[:, :-1] / weights[:, None], weights

    def _add_up(self) -> None:
        keys = np.concatenate([self._keys, *(keys for keys, _ in self._waiting)])
        rows = np.concatenate([self._sums, *(rows for _, rows in self._waiting)])
        self._waiting = []
        if len(keys) == 0:
            return
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        self._keys, self._sums = keys[first], np.add.reduceat(rows[order], first, axis=0)
