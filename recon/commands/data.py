"""`recon data`: making captures, and saying which can be read."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from tyro.conf import subcommand

from recon.datasets.reader import READERS
from recon.datasets.synthetic.capture import synthesize
from recon.datasets.synthetic.settings import StreetSettings


@dataclass(frozen=True)
class Formats:
    """List the formats that --data takes, in the order in which they are tried."""

    def __call__(self) -> None:
        """Print them."""
        for reader in READERS:
            print(f"{reader.name}: {reader.needs}")


@dataclass(frozen=True)
class Synthesize:
    """Make a drive along a street, with exact depth, and with a thin lens; the demo is one."""

    output: Path
    """A new or empty folder."""
    settings: Annotated[StreetSettings, tyro.conf.arg(name="")] = field(
        default_factory=StreetSettings
    )

    def __call__(self) -> None:
        """Render it, and print where it is."""
        with Console(stderr=True).status("") as status:

            def tell(what: str, done: int, total: int) -> None:
                status.update(f"{what} {done}/{total}")

            synthesize(self.settings, self.output, tell)
        print(self.output)


@dataclass(frozen=True)
class Data:
    """Make captures, and say which can be read."""

    action: Annotated[
        Annotated[Synthesize, subcommand("synthesize", prefix_name=False)]
        | Annotated[Formats, subcommand("formats", prefix_name=False)],
        tyro.conf.arg(name=""),
    ]

    def __call__(self) -> None:
        """Do it."""
        self.action()
