"""The one place where a strategy's name becomes objects."""

from recon.densify.defocus import DefocusGuide
from recon.densify.gradient import GradientDensifier
from recon.densify.guide import Unguided
from recon.densify.interface import Densifier, Densify, FixedDensifier
from recon.densify.mcmc import McmcDensifier
from recon.losses.regularize import Opacity, Scale
from recon.supervise import Term


def choose_densifier(settings: Densify, cap: int, initial: int, scene_scale: float) -> Densifier:
    """Build the densifier that the settings name."""
    match settings.strategy:
        case "mcmc":
            return McmcDensifier(settings, cap, initial)
        case "gradient":
            return GradientDensifier(settings, cap, scene_scale, Unguided())
        case "defocus":
            guide = DefocusGuide(settings.keep, settings.least_gradient)
            return GradientDensifier(settings, cap, scene_scale, guide)
        case "fixed":
            return FixedDensifier()


def own_terms(settings: Densify) -> tuple[Term, ...]:
    """List the penalties that belong to the strategy: mcmc needs Gaussians to be able to die."""
    if settings.strategy != "mcmc":
        return ()
    return (Opacity(settings.opacity_weight), Scale(settings.scale_weight))
