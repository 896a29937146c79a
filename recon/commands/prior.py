"""`recon prior`: the depth of single photos, as a fit would take it."""

import math
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import tyro

from recon.commands.progress import counting
from recon.commands.single_photo import (
    centred_camera,
    check_focal_px,
    no_focal_length,
    stated_camera,
)
from recon.datasets.decode import decode
from recon.datasets.photo_header import read_header
from recon.errors import UsageError
from recon.optics import stated_lens, thin_lens
from recon.priors.choose import NetworkName, PriorChoice, choose_prior
from recon.priors.file import DepthFiles
from recon.priors.interface import DepthPrior, Frame
from recon.priors.siamese import weights_at
from recon.priors.siamese_stack import predict_stack
from recon.priors.written import write_prior
from recon.types import Camera, Exif, ThinLens
from recon.view_files import file_stems

MOST = 0.9
"""Where less of a photo gets depth, a line says so."""


@dataclass(frozen=True)
class Prior:
    """Estimate the depth of photos: 16 bit and .npz, confidence, a coloured picture, JSON."""

    images: tyro.conf.Positional[tuple[Path, ...]]
    """Photos; turned upright as their EXIF says."""
    model: Literal[NetworkName, "file"]
    """meter is small and runs anywhere; metric3d and depth-anything need the extra `prior`;
    siamese tells depth by blur; bokeh-depth shows METER the photo through wider lenses too; file
    reads depth that another program worked out."""
    output: Path
    """A folder."""
    focal_px: float | None = None
    """Focal length of all the photos, in pixels; what their EXIF says where not given."""
    weights: Path | None = None
    """The network's file, or its folder. Where not given: $RECON_WEIGHTS, Hugging Face's cache, a
    download."""
    files: Path | None = None
    """For file: the folder of depth maps, named as the photos."""
    files_steps: float = 1000.0
    """For file: what its image files count in one unit; 1000 for millimetres, 256 for KITTI's."""
    lens_strength: float | None = None
    """For siamese: K of the photos' lens in px·m, the aperture's diameter times the focal length in
    pixels; what their EXIF says where not given."""
    focus_distance: float | None = None
    """For siamese: in metres, likewise. Without a lens its depth is relative."""
    stack: bool = False
    """For siamese: the photos are the slices of one focal stack, in the order of their focus; they
    are aligned and explained together. Lenses come from their EXIF, or are found up to scale."""

    def __call__(self) -> None:
        """Write the files, and print the JSON's paths."""
        if not self.images:
            raise UsageError("recon prior needs photos: recon prior --model meter-kitti photo.jpg")
        check_focal_px(self.focal_px)
        if not (math.isfinite(self.files_steps) and self.files_steps > 0):
            raise UsageError(f"--files-steps {self.files_steps}: expected more than 0.")
        if (self.lens_strength is None) != (self.focus_distance is None):
            raise UsageError("a lens is --lens-strength and --focus-distance; give both.")
        if self.stack and (self.model != "siamese" or self.lens_strength is not None):
            raise UsageError("--stack is for --model siamese, with lenses that EXIF states.")
        files = None if self.files is None else DepthFiles(self.files, self.files_steps)
        prior = choose_prior(PriorChoice(self.model, self.weights, files))
        names = _names(self.images)
        stems = file_stems(names)
        if self.stack:
            self._write_stack(prior, names, stems)
            return
        with counting("depth", len(names)) as advance:
            for path, name in zip(self.images, names, strict=True):
                frame = self._frame(path, name, prior)
                found = prior.predict(frame)
                print(write_prior(self.output, stems[name], prior, frame, found), flush=True)
                if found.note:
                    print(f"{path}: {found.note}", file=sys.stderr)
                share = float(found.depth.valid.double().mean())
                if share < MOST:
                    print(f"{path}: depth for {share:.0%} of its pixels", file=sys.stderr)
                advance(name)

    def _write_stack(self, prior: DepthPrior, names: list[str], stems: dict[str, str]) -> None:
        frames = [self._frame(p, n, prior) for p, n in zip(self.images, names, strict=True)]
        stack = predict_stack(frames, weights_at(self.weights))
        for frame, found in zip(stack.frames, stack.found, strict=True):
            print(write_prior(self.output, stems[frame.name], prior, frame, found), flush=True)
            if found.note:
                print(f"{frame.name}: {found.note}", file=sys.stderr)

    def _frame(self, path: Path, name: str, prior: DepthPrior) -> Frame:
        exif = read_header(path).exif
        pixels = torch.from_numpy(decode(path, upright=True, background=(0.0, 0.0, 0.0)))
        height, width, _ = pixels.shape
        known = stated_camera(exif, width, height, self.focal_px)
        if known is None and prior.uses_focal_length:
            raise no_focal_length(path)
        # Where it does not matter, any will do.
        camera = known or centred_camera(float(max(width, height)), width, height)
        return Frame(name, pixels, camera, lens=self._lens(exif, known))

    def _lens(self, exif: Exif, camera: Camera | None) -> ThinLens | None:
        if self.lens_strength is not None and self.focus_distance is not None:
            return thin_lens(self.lens_strength, self.focus_distance)
        return None if camera is None else stated_lens(exif, camera)


def _names(images: tuple[Path, ...]) -> list[str]:
    """Return the photos' names, with their folders' where several are called the same."""
    uses = Counter(path.name for path in images)
    names = [
        p.name if uses[p.name] == 1 else f"{p.absolute().parent.name}/{p.name}" for p in images
    ]
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise UsageError(f"{twice} is given twice; photos of one name need folders of other names.")
    return names
