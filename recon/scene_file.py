"""`scene.ply`: Gaussians in the layout of the original 3DGS code, which every viewer reads.

Per Gaussian: x y z, nx ny nz (zero), f_dc_0..2, f_rest_0..44 (all of red, then green, then blue),
opacity (a logit), scale_0..2 (logarithms), rot_0..3 (w x y z); float32, little endian.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from recon.errors import DataError
from recon.files import replacing
from recon.gaussians import Gaussians
from recon.ply import read_vertices
from recon.transform import transformed
from recon.types import Similarity

_BEFORE_REST = ("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2")
_REST = tuple(f"f_rest_{i}" for i in range(45))
_AFTER_REST = ("opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3")
PROPERTIES = _BEFORE_REST + _REST + _AFTER_REST
"""In the order of the file."""


def write_ply(path: Path, gaussians: Gaussians, to_source: Similarity, *, metric: bool) -> None:
    """Write a scene in the input's own coordinates; the file appears whole or not at all.

    Args:
        path: what stood there is replaced.
        gaussians: in the working frame.
        to_source: from the working frame to the input's.
        metric: whether the input's lengths are metres; said in a comment of the file.

    Raises:
        ResourceError: the disk is full, or the folder cannot be written to.
    """
    table = _table(transformed(gaussians, to_source))
    header = [
        "ply",
        "format binary_little_endian 1.0",
        *frame_comments("Gaussian splats", metric),
        f"element vertex {len(table)}",
        *(f"property float {name}" for name in PROPERTIES),
        "end_header\n",
    ]
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write("\n".join(header).encode("ascii"))
        # `table.tofile` would lose the reason of a failure, such as a full disk.
        file.write(table.data)


def frame_comments(what: str, metric: bool) -> list[str]:
    """Return the lines of a PLY header that say what it holds, in which units and frame."""
    return [
        f"comment {what} by recon {version('defocus-recon')}",
        f"comment units: {'metres' if metric else 'those of the input, not known to be metres'}",
        "comment frame: that of the input",
    ]


def read_ply(path: Path) -> Gaussians:
    """Read a scene, in the coordinates of the file; `transformed` leads to another frame.

    Harmonics may go to any degree up to 3; what is missing is zero. Properties beyond the layout
    are ignored.

    Raises:
        DataError: not a binary PLY of Gaussians, damaged, or with values that are not finite.
    """
    rows = read_vertices(path)
    rest = _harmonic_names(path, rows)
    _check_names(path, rows)
    gaussians = Gaussians(
        means=_columns(rows, "x", "y", "z"),
        quaternions=_columns(rows, "rot_0", "rot_1", "rot_2", "rot_3"),
        log_scales=_columns(rows, "scale_0", "scale_1", "scale_2"),
        opacity_logits=_columns(rows, "opacity")[:, 0],
        sh_base=_columns(rows, "f_dc_0", "f_dc_1", "f_dc_2")[:, None],
        sh_rest=_rest_harmonics(rows, rest),
    )
    _check_values(path, gaussians)
    return gaussians


def _table(gaussians: Gaussians) -> NDArray[np.float32]:
    count = len(gaussians)
    columns = torch.cat(
        [
            gaussians.means,
            torch.zeros_like(gaussians.means),
            gaussians.sh_base[:, 0],
            gaussians.sh_rest.transpose(1, 2).reshape(count, 45),
            gaussians.opacity_logits[:, None],
            gaussians.log_scales,
            gaussians.quaternions,
        ],
        dim=1,
    )
    return columns.cpu().numpy().astype("<f4")


def _harmonic_names(path: Path, rows: NDArray[Any]) -> list[str]:
    names = {name for name in rows.dtype.names or () if name.startswith("f_rest_")}
    expected = [f"f_rest_{i}" for i in range(len(names))]
    if len(names) not in (0, 9, 24, 45) or names != set(expected):
        raise DataError(
            f"{path}: has {len(names)} properties f_rest_*; expected f_rest_0 onwards, 0, 9, 24 or "
            "45 of them for spherical harmonics of degree 0 to 3, export it again"
        )
    return expected


def _check_names(path: Path, rows: NDArray[Any]) -> None:
    present = rows.dtype.names or ()
    if "packed_position" in present:
        raise DataError(
            f"{path}: is a compressed PLY; expected the plain layout, convert it with SuperSplat "
            "or splat-transform"
        )
    needed = [n for n in _BEFORE_REST + _AFTER_REST if n not in ("nx", "ny", "nz")]
    missing = [name for name in needed if name not in present]
    if missing:
        raise DataError(
            f"{path}: its vertices lack {', '.join(missing)}; expected a scene of Gaussians, as "
            "written by 'recon fit' or any 3DGS trainer"
        )
    if not len(rows):
        raise DataError(f"{path}: holds no Gaussians; expected at least one, export it again")


def _columns(rows: NDArray[Any], *names: str) -> Float[Tensor, "n columns"]:
    table = np.empty((len(rows), len(names)), np.float32)
    for i, name in enumerate(names):
        table[:, i] = rows[name]
    return torch.from_numpy(table)


def _rest_harmonics(rows: NDArray[Any], names: list[str]) -> Float[Tensor, "n 15 3"]:
    harmonics = torch.zeros(len(rows), 15, 3)
    used = len(names) // 3
    harmonics[:, :used] = _columns(rows, *names).reshape(len(rows), 3, used).transpose(1, 2)
    return harmonics


def _check_values(path: Path, gaussians: Gaussians) -> None:
    broken = gaussians.quaternions.norm(dim=1) == 0
    for values in gaussians.named().values():
        broken |= ~values.reshape(len(gaussians), -1).isfinite().all(dim=1)
    if broken.any():
        first = int(broken.nonzero()[0])
        raise DataError(
            f"{path}: {int(broken.sum())} of {len(gaussians)} Gaussians hold values that are not "
            f"finite, or a rotation of length 0 (the first is row {first}); expected none, remove "
            "them in SuperSplat or export the scene again"
        )
