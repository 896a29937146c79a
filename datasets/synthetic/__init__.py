"""A street that the project makes itself: photos, exact depth, a thin lens, a laser, all known."""

from recon.datasets.synthetic.drive import synthesize_drive
from recon.datasets.synthetic.settings import (
    DEMO_DRIVE,
    DEMO_PHOTOS,
    DriveSettings,
    PhotoSettings,
    StreetSettings,
)
from recon.datasets.synthetic.street_capture import synthesize_street

__all__ = [
    "DEMO_DRIVE",
    "DEMO_PHOTOS",
    "DriveSettings",
    "PhotoSettings",
    "StreetSettings",
    "synthesize_drive",
    "synthesize_street",
]
