"""`recon bokeh`: a photo as wider lenses would have taken it."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import tyro
from jaxtyping import UInt8
from torch import Tensor

from recon.commands.progress import counting
from recon.commands.single_photo import check_focal_px, no_focal_length, stated_camera
from recon.datasets.decode import decode
from recon.datasets.photo_header import read_header
from recon.errors import UsageError
from recon.files import write_text
from recon.networks.bokeh_flux import FluxBokeh
from recon.networks.bokeh_from_depth import FromDepth
from recon.networks.bokeh_generator import USUAL, BokehGenerator, check_strengths
from recon.networks.bokeh_light import PACKAGED, LightBokeh
from recon.pictures import as_8_bit, write_png
from recon.priors.choose import NetworkName, PriorChoice, choose_prior
from recon.priors.interface import Frame
from recon.types import Camera, DepthMap


@dataclass(frozen=True)
class Bokeh:
    """Blur a sharp photo as wider lenses would: one picture for each strength, and a JSON file.

    A point at z metres becomes a disc of K |1/s - 1/z| px across, for the strength K and the focus
    distance s.
    """

    image: tyro.conf.Positional[Path]
    """A photo, sharp everywhere; turned upright as its EXIF says."""
    output: Path
    """A folder."""
    strengths: tuple[float, ...] = USUAL
    """K in px·m of this photo: the aperture's diameter times the focal length in pixels; 0 is the
    photo itself. Discs are at most 64 px wide."""
    focus_distance: float = math.inf
    """In metres; what lies there stays sharp."""
    generator: Literal["light", "depth", "flux"] = "light"
    """light is our own small network, which needs no depth; depth takes the depth of --prior; flux
    is BokehDepth's, needs a GPU and the extra `bokeh`, and chooses itself what stays sharp."""
    prior: NetworkName = "meter-nyu"
    """For depth: the network that tells it, in metres."""
    focal_px: float | None = None
    """For depth: the photo's focal length in pixels; what its EXIF says where not given."""
    weights: Path | None = None
    """The file of weights of the light generator, of the prior, or of the adapter of flux; those
    that come with recon, or as `recon prior` finds them, where not given."""

    def __call__(self) -> None:
        """Write the pictures, and print their paths.

        Raises:
            UsageError: a number is out of its range.
            DataError: the photo cannot be read.
        """
        check_strengths(self.strengths)
        if not self.focus_distance > 0:
            raise UsageError(
                f"--focus-distance {self.focus_distance}: expected more than 0, or inf."
            )
        check_focal_px(self.focal_px)
        pixels = torch.from_numpy(decode(self.image, upright=True, background=(0.0, 0.0, 0.0)))
        height, width, _ = pixels.shape
        camera = stated_camera(read_header(self.image).exif, width, height, self.focal_px)
        maker = self._maker(camera)
        sharp = pixels.permute(2, 0, 1).float() / 255
        files = []
        with counting("bokeh", len(self.strengths)) as advance:
            frames = maker.stack(sharp, self.strengths, camera)
            for strength, frame in zip(self.strengths, frames, strict=True):
                path = self.output / f"{self.image.stem}_K{strength:g}.png"
                write_png(path, as_8_bit(frame.permute(1, 2, 0)))
                files.append(path.name)
                advance(path)
                print(path)
        about = {
            "photo": self.image.name,
            "strengths_px_m": self.strengths,
            "files": files,
            "inverse_focus_per_m": maker.inverse_focus,
            "blur": "a point at depth z is K * |inverse_focus - 1/z| pixels across",
            "generator": maker.name,
            "identity": maker.identity(),
        }
        path = self.output / f"{self.image.stem}_bokeh.json"
        write_text(path, json.dumps(about, indent=1) + "\n")
        print(path)

    def _maker(self, camera: Camera | None) -> BokehGenerator:
        inverse_focus = 1 / self.focus_distance
        if self.generator == "light":
            return LightBokeh(self.weights or PACKAGED, inverse_focus)
        if self.generator == "flux":
            if inverse_focus > 0:
                raise UsageError(
                    "--focus-distance: the generator flux chooses itself what stays sharp. Leave "
                    "it out, or choose the generator light."
                )
            return FluxBokeh.found(self.weights)
        if camera is None:
            raise no_focal_length(self.image)
        prior = choose_prior(PriorChoice(self.prior, self.weights))

        def depth_of(pixels: UInt8[Tensor, "h w 3"], seen_by: Camera | None) -> DepthMap:
            return prior.predict(Frame(self.image.name, pixels, seen_by or camera)).depth

        return FromDepth(depth_of, prior.identity(), inverse_focus)
