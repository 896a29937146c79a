"""Depth images become a mesh: fusion of truncated signed distances, by Open3D.

Curless and Levoy, A Volumetric Method for Building Complex Models from Range Images (1996), on the
voxel blocks of Dong et al., ASH (2022). Only here is Open3D imported: it takes a second, and comes
with the extra `mesh` alone.
"""

from typing import Any, final

import numpy as np
from jaxtyping import Float32, Int32

from recon.errors import ResourceError, UsageError, first_line
from recon.export.surface import Grain, SurfaceImage
from recon.memory import available_memory_bytes

BLOCK = 8
"""Voxels along a block's edge: small ones leave less of them empty."""
BLOCK_BYTES = BLOCK**3 * (4 + 2 + 3 * 2)
"""Of a block's distances, weights and colours."""
BLOCKS = 20_000
"""Blocks to make room for; there may be more."""
BAND = 4.0
"""Voxels before and behind a surface in which its distance is kept."""
LEAST_WEIGHT = 2.0
"""Images that have to show a voxel before it is part of the mesh."""


@final
class Fusion:
    """A volume of signed distances that grows where surfaces are seen."""

    def __init__(self, grain: Grain) -> None:
        """Prepare.

        Raises:
            UsageError: Open3D is not installed.
        """
        self._open3d = load_open3d()
        self._grain = grain
        core = self._open3d.core
        self._grid = self._open3d.t.geometry.VoxelBlockGrid(
            attr_names=("tsdf", "weight", "color"),
            attr_dtypes=(core.float32, core.uint16, core.uint16),
            attr_channels=((1), (1), (3)),
            voxel_size=grain.voxel,
            block_resolution=BLOCK,
            block_count=BLOCKS,
            device=core.Device("CPU:0"),
        )

    def add(self, image: SurfaceImage) -> None:
        """Fuse one image.

        Raises:
            ResourceError: the volume has become too large.
        """
        if not bool((image.depth > 0).any()):
            return
        geometry, core = self._open3d.t.geometry, self._open3d.core
        camera = image.camera
        matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])
        # Open3D counts pixels from their centres.
        matrix[:2, 2] -= 0.5
        intrinsic = core.Tensor(matrix)
        extrinsic = core.Tensor(camera.world_to_camera.double().numpy())
        depth = geometry.Image(core.Tensor(np.ascontiguousarray(image.depth.float().numpy())))
        color = geometry.Image(core.Tensor(np.ascontiguousarray(image.color.float().numpy())))
        reach = (1.0, self._grain.farthest, BAND)
        try:
            blocks = self._grid.compute_unique_block_coordinates(
                depth, intrinsic, extrinsic, *reach
            )
            self._check_room(len(blocks))
            self._grid.integrate(blocks, depth, color, intrinsic, extrinsic, *reach)
        except (RuntimeError, MemoryError) as why:
            raise self._no_room(first_line(why)) from why

    def _check_room(self, more: int) -> None:
        """Stop before the machine does: a full volume is copied into one of twice the size."""
        needed = 3 * BLOCK_BYTES * (self._grid.hashmap().size() + more)
        free = available_memory_bytes()
        if needed > free:
            raise self._no_room(f"{needed / 2**30:.1f} GiB wanted, {free / 2**30:.1f} free")

    def _no_room(self, why: str) -> ResourceError:
        return ResourceError(
            f"no room for voxels of {self._grain.voxel:.3g} ({why}); give larger ones with "
            "--voxel, or take less with --farthest"
        )

    def mesh(
        self,
    ) -> tuple[Float32[np.ndarray, "v 3"], Float32[np.ndarray, "v 3"], Int32[np.ndarray, "f 3"]]:
        """Return positions, sRGB colours in [0, 1], and triangles, counter-clockwise from outside.

        Nothing where no voxel has been seen often enough.
        """
        if self._grid.hashmap().size() == 0:
            nothing = np.zeros((0, 3), np.float32)
            return nothing, nothing, np.zeros((0, 3), np.int32)
        mesh = self._grid.extract_triangle_mesh(weight_threshold=LEAST_WEIGHT)
        if "indices" not in mesh.triangle:
            nothing = np.zeros((0, 3), np.float32)
            return nothing, nothing, np.zeros((0, 3), np.int32)
        positions = mesh.vertex.positions.numpy().astype(np.float32)
        colors = mesh.vertex.colors.numpy().astype(np.float32)
        return positions, colors, mesh.triangle.indices.numpy().astype(np.int32)


def load_open3d() -> Any:
    """Import Open3D.

    Raises:
        UsageError: it is not installed, or does not work here.
    """
    try:
        import open3d
    except (ImportError, OSError) as why:
        raise UsageError(
            f"a mesh needs Open3D ({first_line(why)}); install it with: pip install "
            "'defocus-recon[mesh]', or export points (--to points)"
        ) from why
    return open3d
