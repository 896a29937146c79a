"""A street that the project makes itself: photos, exact depth and a thin lens, all known."""

from recon.datasets.synthetic.capture import synthesize
from recon.datasets.synthetic.settings import DEMO, StreetSettings

__all__ = ["DEMO", "StreetSettings", "synthesize"]
