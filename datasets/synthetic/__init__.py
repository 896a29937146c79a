"""What the project makes itself: streets and still lifes, with depth, lens and laser known."""

from recon.datasets.synthetic.drive import synthesize_drive
from recon.datasets.synthetic.focal_stack import synthesize_stack
from recon.datasets.synthetic.settings import (
    DEMO_DRIVE,
    DEMO_PHOTOS,
    DriveSettings,
    PhotoSettings,
    StackSettings,
    StillLifeSettings,
    StreetSettings,
)
from recon.datasets.synthetic.still_life_capture import synthesize_still_life
from recon.datasets.synthetic.street_capture import synthesize_street

__all__ = [
    "DEMO_DRIVE",
    "DEMO_PHOTOS",
    "DriveSettings",
    "PhotoSettings",
    "StackSettings",
    "StillLifeSettings",
    "StreetSettings",
    "synthesize_drive",
    "synthesize_stack",
    "synthesize_still_life",
    "synthesize_street",
]
