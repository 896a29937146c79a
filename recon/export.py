"""A scene in the formats of other viewers."""

from pathlib import Path
from typing import Literal

import torch
from gsplat import export_splats

from recon.errors import DataError
from recon.files import replacing
from recon.gaussians import Gaussians
from recon.raster.interface import ALPHA_MIN
from recon.scene_file import frame_comments, write_ply
from recon.transform import transformed
from recon.types import Similarity

ExportFormat = Literal["ply", "splat", "compressed-ply"]


def export(
    gaussians: Gaussians,
    to_source: Similarity,
    path: Path,
    file_format: ExportFormat,
    *,
    metric: bool,
) -> None:
    """Write a scene for a viewer, in the input's own coordinates; the file appears whole or not.

    Args:
        gaussians: in the working frame.
        to_source: from the working frame to the input's.
        path: what stood there is replaced.
        file_format: `ply` keeps everything, in float32, for SuperSplat, Spark, gsplat and most
            others. `compressed-ply` is SuperSplat's, 61 bytes a Gaussian: positions, sizes and
            colours in 8 to 11 bits between the bounds of 256 neighbours, harmonics in 8 bits
            between -4 and 4, and Gaussians of an opacity below 1/255 left out. `splat` is
            antimatter15's, 32 bytes a Gaussian: no harmonics, colours and rotations in 8 bits.
        metric: whether the input's lengths are metres.

    Raises:
        DataError: the scene holds no visible Gaussian, or values that are not finite.
        ResourceError: the disk is full, or the folder cannot be written to.
    """
    _check(gaussians, path)
    if file_format == "ply":
        write_ply(path, gaussians, to_source, metric=metric)
        return
    content = _encoded(transformed(gaussians, to_source), file_format)
    if file_format == "compressed-ply":
        comments = "".join(f"\n{line}" for line in frame_comments(metric))
        content = content.replace(b"\nelement", f"{comments}\nelement".encode("ascii"), 1)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _check(gaussians: Gaussians, path: Path) -> None:
    for name, values in gaussians.named().items():
        # gsplat would leave such Gaussians out without a word.
        if not bool(values.isfinite().all()):
            raise DataError(
                f"{path}: not written, because {name} of the scene holds values that are not "
                "finite; expected none, export an earlier checkpoint"
            )
    if not bool((gaussians.opacities > ALPHA_MIN).any()):
        raise DataError(
            f"{path}: not written, because the scene holds no Gaussian that can be seen; "
            "fit it again, or export an earlier checkpoint"
        )


def _encoded(gaussians: Gaussians, file_format: ExportFormat) -> bytes:
    g = gaussians.to(torch.device("cpu")).to(torch.float32)
    encoded: bytes = export_splats(
        means=g.means,
        scales=g.log_scales,
        quats=g.quaternions,
        opacities=g.opacity_logits,
        sh0=g.sh_base,
        shN=g.sh_rest,
        format="splat" if file_format == "splat" else "ply_compressed",
    )
    return encoded
