"""`recon data poses`: photographs without poses become a capture."""

import shlex
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from recon.commands.stop import StopRequest
from recon.datasets.structure_from_motion import Found, PoseSettings, find_poses
from recon.words import counted

LISTED = 20
"""At most as many photos without a pose are named."""
FEW = 300
"""Points seen in each photo, on average; good captures have several hundred to thousands."""


@dataclass(frozen=True)
class Poses:
    """Find the poses of photographs that have none, by structure from motion (COLMAP).

    Writes a COLMAP model, and beside it a link to the photos, which stay where they are. Needs the
    extra `sfm`.
    """

    photos: tyro.conf.Positional[Path]
    """A folder of photos, or of folders of photos, one for each camera."""
    output: Path
    """A new or empty folder."""
    how: Annotated[PoseSettings, tyro.conf.arg(name="")] = field(default_factory=PoseSettings)

    def __call__(self) -> None:
        """Find them, and say which photos have one and which do not."""
        began = time.monotonic()
        console = Console(stderr=True)
        with StopRequest() as stop, console.status("") as status:
            stages: list[str] = []

            def tell(what: str, done: int, total: int) -> None:
                # Python may lose an interrupt that comes while it collects garbage.
                if stop():
                    raise KeyboardInterrupt
                status.update(f"{what} {done:,}/{total:,}")
                if not console.is_terminal and what not in stages:
                    print(f"{what}: {total:,} to do", file=sys.stderr, flush=True)
                stages.append(what)

            found = find_poses(self.photos, self.output, self.how, tell)
        print(summary(found, time.monotonic() - began))
        print(f"next: recon fit --data {shlex.quote(str(self.output))}")


def summary(found: Found, seconds: float) -> str:
    """Say which photos have a pose, how well, and why the others have none."""
    best, without = found.registration.models[0], found.without
    photos = counted(len(best.names) + len(without), "photo")
    views = best.observations / best.points
    lines = [
        f"{len(best.names)} of {photos} have a pose, in {seconds:.0f} s: "
        f"{counted(best.points, 'point')}, each seen by {views:.1f} photos and "
        f"{best.error_px:.2f} px off on average; the unit of length is COLMAP's, not the metre"
    ]
    lines += [f"  {name}: {why}" for name, why in list(without.items())[:LISTED]]
    if len(without) > LISTED:
        lines.append(f"  and {len(without) - LISTED} more without a pose")
    seen = best.observations / len(best.names)
    if seen < FEW:
        lines.append(
            f"few points hold the poses, {seen:.0f} in each photo: they may be wrong. Look at them "
            "with recon inspect before a long fit; larger photos, or more that overlap, help"
        )
    return "\n".join(lines)
