"""Which cameras of a drive are read, and what is said of photos that are not there."""

from collections.abc import Sequence
from pathlib import Path

from recon.datasets.folders import is_file
from recon.datasets.source import SourceView
from recon.errors import DataError


def choose_cameras(path: Path, there: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the cameras to read, in the order in which they are there.

    Raises:
        DataError: one that is asked for is not there.
    """
    for name in wanted:
        if name not in there:
            raise DataError(
                f"{path}: camera {name} has no photo; --drive.cameras can name "
                f"{', '.join(there) or 'none'}."
            )
    return tuple(name for name in there if not wanted or name in wanted)


def with_photos(
    views: Sequence[SourceView], steps: Sequence[int] | range, warnings: list[str]
) -> list[SourceView]:
    """Keep the views whose photos are there, and say once for each camera what is missing.

    Args:
        views: of all cameras, whose photos are files of their own.
        steps: the time steps that are read.
        warnings: grows by cameras that have fewer photos than there are time steps.
    """
    kept = [view for view in views if isinstance(view.image, Path) and is_file(view.image)]
    for sensor in dict.fromkeys(view.sensor for view in views):
        have = {view.step for view in kept if view.sensor == sensor}
        lost = [view.image for view in views if view.sensor == sensor and view.step not in have]
        if len(have) < len(steps):
            example = f"; {lost[0]} is not there" if lost else ""
            warnings.append(
                f"{sensor} has photos in {len(have)} of {len(steps)} time steps{example}"
            )
    return kept
