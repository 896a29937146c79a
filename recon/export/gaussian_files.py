"""Gaussians for other viewers: the plain layout of 3DGS, and two that gsplat packs."""

import abc
from pathlib import Path
from typing import ClassVar, Literal, final

import torch
from gsplat import export_splats

from recon.counter import Counter
from recon.export.interface import Exporter, Subject, check_visible
from recon.files import replacing
from recon.gaussians import Gaussians
from recon.scene_file import frame_comments, write_ply
from recon.transform import transformed


@final
class Ply(Exporter):
    """Everything, in float32, for SuperSplat, Spark, gsplat and most others."""

    file_name = "scene.ply"

    def write(self, subject: Subject, path: Path, counter: Counter) -> str:
        """Write the file; see `Exporter.write`."""
        check_visible(subject.gaussians, path)
        write_ply(path, subject.gaussians, subject.to_source, metric=subject.metric)
        return ""


class Packed(Exporter):
    """What gsplat encodes; it wants all of the file in memory."""

    encoding: ClassVar[Literal["splat", "ply_compressed"]]

    def write(self, subject: Subject, path: Path, counter: Counter) -> str:
        """Write the file; see `Exporter.write`."""
        check_visible(subject.gaussians, path)
        encoded = self._encoded(transformed(subject.gaussians, subject.to_source))
        content = self.finished(encoded, subject.metric)
        with replacing(path) as temporary:
            temporary.write_bytes(content)
        return ""

    @abc.abstractmethod
    def finished(self, encoded: bytes, metric: bool) -> bytes:
        """Add to what gsplat wrote what there is room for."""

    def _encoded(self, gaussians: Gaussians) -> bytes:
        g = gaussians.to(torch.device("cpu")).to(torch.float32)
        encoded: bytes = export_splats(
            means=g.means,
            scales=g.log_scales,
            quats=g.quaternions,
            opacities=g.opacity_logits,
            sh0=g.sh_base,
            shN=g.sh_rest,
            format=self.encoding,
        )
        return encoded


@final
class Splat(Packed):
    """antimatter15's format, 32 bytes a Gaussian: no harmonics, colours and rotations in 8 bits."""

    file_name = "scene.splat"
    encoding = "splat"

    def finished(self, encoded: bytes, metric: bool) -> bytes:
        """Return it: the format has no header."""
        return encoded


@final
class CompressedPly(Packed):
    """SuperSplat's format, 61 bytes a Gaussian.

    Positions, sizes and colours take 8 to 11 bits between the bounds of 256 neighbours, harmonics
    8 bits between -4 and 4; Gaussians of an opacity below 1/255 are left out.
    """

    file_name = "scene.compressed.ply"
    encoding = "ply_compressed"

    def finished(self, encoded: bytes, metric: bool) -> bytes:
        """Say in the header which frame and units it is in."""
        comments = "".join(f"\n{line}" for line in frame_comments("Gaussian splats", metric))
        return encoded.replace(b"\nelement", f"{comments}\nelement".encode("ascii"), 1)
