"""`recon data`: finding poses, making captures, and saying which can be read."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from tyro.conf import subcommand

from recon.commands.poses import Poses
from recon.datasets.reader import READERS
from recon.datasets.synthetic import (
    DriveSettings,
    PhotoSettings,
    StackSettings,
    StillLifeSettings,
    StreetSettings,
    synthesize_drive,
    synthesize_stack,
    synthesize_still_life,
    synthesize_street,
)
from recon.errors import UsageError
from recon.protocols import known_protocols, load_protocol


@dataclass(frozen=True)
class Formats:
    """List the formats that --data takes, in the order in which they are tried."""

    def __call__(self) -> None:
        """Print them."""
        for reader in READERS:
            print(f"{reader.name}: {reader.needs}")


@dataclass(frozen=True)
class Protocols:
    """List the protocols that --protocol takes, and their scenes."""

    def __call__(self) -> None:
        """Print them."""
        for name in known_protocols():
            protocol = load_protocol(name)
            print(f"{name}: {protocol.about}")
            for scene in protocol.scenes:
                first, last = scene.first or 0, "the last" if scene.last is None else scene.last
                print(f"  {scene.name}, time steps {first} to {last}")


@dataclass(frozen=True)
class Synthesize:
    """Make a drive along a street or photos of a still life, everything about them known exactly.

    A `street` is a nerfstudio folder with depth and the same views through a thin lens. A `drive`
    is a Waymo segment with LiDAR, boxes and a moving car, such as the demo. A `focal-stack` shows
    a still life from one place at many planes of focus, with depth and the sharp picture. A
    `still-life` shows one from many places, each photo focused elsewhere, with depth and sharp
    photos from the same places.
    """

    output: Path
    """A new or empty folder."""
    kind: Literal["street", "drive", "focal-stack", "still-life"] = "street"
    """What to make."""
    photos: Annotated[PhotoSettings, tyro.conf.arg(name="")] = field(default_factory=PhotoSettings)
    street: StreetSettings = field(default_factory=StreetSettings)
    drive: DriveSettings = field(default_factory=DriveSettings)
    stack: StackSettings = field(default_factory=StackSettings)
    still_life: StillLifeSettings = field(default_factory=StillLifeSettings)

    def __call__(self) -> None:
        """Render it, and print where it is."""
        own = {
            "street": "street",
            "drive": "drive",
            "stack": "focal-stack",
            "still_life": "still-life",
        }
        for name, kind in own.items():
            given = getattr(self, name)
            if kind != self.kind and given != type(given)():
                option = name.replace("_", "-")
                raise UsageError(f"--{option}.* belongs to --kind {kind}")
        with Console(stderr=True).status("") as status:

            def tell(what: str, done: int, total: int) -> None:
                status.update(f"{what} {done}/{total}")

            if self.kind == "street":
                synthesize_street(self.photos, self.street, self.output, tell)
            elif self.kind == "drive":
                synthesize_drive(self.photos, self.drive, self.output, tell)
            elif self.kind == "focal-stack":
                synthesize_stack(self.photos, self.stack, self.output, tell)
            else:
                synthesize_still_life(self.photos, self.still_life, self.output, tell)
        print(self.output)


@dataclass(frozen=True)
class Data:
    """Find poses, make captures, and say which can be read."""

    action: Annotated[
        Annotated[Poses, subcommand("poses", prefix_name=False)]
        | Annotated[Synthesize, subcommand("synthesize", prefix_name=False)]
        | Annotated[Formats, subcommand("formats", prefix_name=False)]
        | Annotated[Protocols, subcommand("protocols", prefix_name=False)],
        tyro.conf.arg(name=""),
    ]

    def __call__(self) -> None:
        """Do it."""
        self.action()
