"""Which parts a scene has beside its Gaussians, from the settings and the capture."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from recon.backdrop import Backdrop, Plain
from recon.exif_lens import ExifLens
from recon.exposure import AffineExposure, AsTaken, Exposure
from recon.focal_stack import focal_stack
from recon.gaussians import Gaussians
from recon.in_focus import InFocusOnly
from recon.out_of_focus import out_of_focus
from recon.part import Part
from recon.parts_optimizer import restore_parts
from recon.photo_lens import LearnedLens, PhotoLens, Pinhole
from recon.pose_refinement import GivenPoses, Poses, RefinedPoses
from recon.scene import Scene
from recon.sky import Sky, upwards
from recon.types import Capture


@dataclass(frozen=True)
class PartSettings:
    """What is learned beside the Gaussians."""

    sky: Literal["auto", "on", "off"] = "auto"
    """A dome of learned colours behind the Gaussians; auto gives one to drives."""
    exposure: Literal["off", "affine"] = "off"
    """affine: each camera and each photo gets its own brightness and tint; held-out photos get
    what lies between their neighbours in time, nothing is learned from them."""
    lens: Literal["auto", "off", "learned", "exif", "in-focus"] = "auto"
    """For training photos that are out of focus in places. learned: one aperture for all of them
    and a distance of focus for each are learned, and the scene comes out sharp everywhere. exif:
    the same with the apertures, and where it is told the focus to begin with, that the photos'
    EXIF gives; needs a capture in metres. in-focus: nothing is learned from what is not sharp.
    auto: exif for focal stacks, and for photos whose stated lens blurs what they show, off for
    others."""
    refine_poses: bool = False
    """Let the training photos' poses move a little; held-out photos keep theirs."""


@dataclass(frozen=True, eq=False)
class Parts:
    """What is learned beside the Gaussians."""

    backdrop: Backdrop
    exposure: Exposure
    poses: Poses
    lens: PhotoLens

    def named(self) -> Mapping[str, Part]:
        """Return them by name."""
        return {
            "backdrop": self.backdrop,
            "exposure": self.exposure,
            "poses": self.poses,
            "lens": self.lens,
        }

    def scene(self, gaussians: Gaussians) -> Scene:
        """Return the scene of these parts and Gaussians."""
        return Scene(gaussians, self.backdrop, self.exposure)


def choose_parts(
    settings: PartSettings, capture: Capture, scale: float, device: torch.device
) -> Parts:
    """Make the parts that a fit begins with.

    Args:
        settings: the user's wishes.
        capture: what is fitted; only its training views are looked at.
        scale: of the scene, in the capture's unit.
        device: where the rasterizer works.
    """
    views = capture.train
    is_drive = any(view.step is not None for view in capture.views)
    has_sky = settings.sky == "on" or (settings.sky == "auto" and is_drive)
    return Parts(
        backdrop=Sky(upwards([view.camera for view in views]), device)
        if has_sky
        else Plain(capture.background, device),
        exposure=AffineExposure(views, device) if settings.exposure == "affine" else AsTaken(),
        poses=RefinedPoses(views, scale, device) if settings.refine_poses else GivenPoses(),
        lens=_lens(settings, capture, scale, device),
    )


def _lens(
    settings: PartSettings, capture: Capture, scale: float, device: torch.device
) -> PhotoLens:
    match settings.lens:
        case "auto" if capture.metric and (
            focal_stack(capture.train) or out_of_focus(capture.train, capture.points)
        ):
            return ExifLens(capture, scale, device)
        case "auto" | "off":
            return Pinhole()
        case "learned":
            return LearnedLens(capture, scale, device)
        case "exif":
            return ExifLens(capture, scale, device)
        case "in-focus":
            return InFocusOnly(capture.train)


def scene_of(
    settings: PartSettings,
    capture: Capture,
    gaussians: Gaussians,
    learned: Mapping[str, Tensor],
    device: torch.device,
) -> Scene:
    """Return a scene as a checkpoint holds it, ready to be drawn.

    Args:
        settings: of the fit.
        capture: as it was fitted.
        gaussians: of the checkpoint.
        learned: the parts' state in the checkpoint.
        device: where the rasterizer works.

    Raises:
        ValueError: the state is that of other parts.
    """
    # The scale only matters to what is still learned.
    parts = choose_parts(settings, capture, 1.0, device)
    restore_parts(parts.named(), learned)
    return parts.scene(gaussians.to(device))
