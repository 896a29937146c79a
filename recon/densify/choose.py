"""The one place where a densifier's name becomes an object."""

from recon.densify.gradient import GradientDensifier
from recon.densify.interface import Densifier, Densify, FixedDensifier
from recon.densify.mcmc import McmcDensifier


def choose_densifier(settings: Densify, cap: int, initial: int, extent: float) -> Densifier:
    """Build the densifier that the settings name."""
    match settings.strategy:
        case "mcmc":
            return McmcDensifier(settings, cap, initial)
        case "gradient":
            return GradientDensifier(settings, cap, extent)
        case "fixed":
            return FixedDensifier()
