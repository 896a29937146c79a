"""A part of a scene as the bytes of a PLY file."""

import tempfile
from pathlib import Path

from recon.errors import DataError
from recon.gaussians import Gaussians
from recon.raster.interface import ALPHA_MIN
from recon.scene_file import write_ply
from recon.viewer.subject import Subject


def part_file(gaussians: Gaussians, subject: Subject) -> bytes:
    """Return the Gaussians that can be seen as a scene file, in the frame of the input.

    Raises:
        DataError: none can be seen.
        ResourceError: there is no room for the file.
    """
    seen = gaussians.opacities > ALPHA_MIN
    if not bool(seen.any()):
        raise DataError(
            "nothing is visible, so there is nothing to save; expected Gaussians in the box, move "
            "it or make it larger"
        )
    part = Gaussians(**{name: values[seen] for name, values in gaussians.named().items()})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part.ply"
        write_ply(path, part, subject.to_source, metric=subject.metric)
        return path.read_bytes()
