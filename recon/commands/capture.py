"""From the words on the command line to a capture and a rasterizer."""

from pathlib import Path

import recon
from recon.config import FitSettings
from recon.datasets.reader import read_capture
from recon.types import Capture

DEMO = Path(recon.__file__).parent / "demo" / "street"


def resolve(data: Path) -> Path:
    """Return the folder meant; `demo` is the street that comes with recon."""
    return DEMO if str(data) == "demo" and not data.exists() else data


def capture_of(settings: FitSettings) -> Capture:
    """Read the capture that a fit's settings name.

    Raises:
        DataError: it cannot be read.
    """
    return read_capture(resolve(settings.data), settings.read)
