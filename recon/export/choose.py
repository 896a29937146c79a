"""Which exporter writes what was asked for."""

from typing import Literal, get_args

from recon.errors import UsageError
from recon.export.gaussian_files import CompressedPly, Ply, Splat
from recon.export.html import Html
from recon.export.interface import Exporter
from recon.export.mesh import Mesh
from recon.export.points import Points
from recon.export.surface import SurfaceSettings

ExportFormat = Literal["ply", "splat", "compressed-ply", "points", "mesh", "html"]
FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)


def exporter_for(to: ExportFormat, surface: SurfaceSettings | None = None) -> Exporter:
    """Return the exporter of a format.

    Args:
        to: the format.
        surface: how fine and how far surfaces are taken; what suits the scene where None.

    Raises:
        UsageError: this format takes no surface, and something was said of it.
    """
    surface = surface or SurfaceSettings()
    match to:
        case "points":
            return Points(surface)
        case "mesh":
            return Mesh(surface)
        case _ if surface != SurfaceSettings():
            raise UsageError(
                f"--voxel and --farthest are of surfaces, and --to {to} writes Gaussians; leave "
                "them out, or choose --to points or --to mesh."
            )
        case "ply":
            return Ply()
        case "splat":
            return Splat()
        case "compressed-ply":
            return CompressedPly()
        case "html":
            return Html()
