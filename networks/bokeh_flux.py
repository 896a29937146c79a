"""The published maker of bokeh stacks: BokehDepth's adapter of FLUX.1 Kontext, through diffusers.

It needs the extra `bokeh`, two sets of weights, and a GPU that holds them (12 billion parameters,
and 5 billion that read the prompt, 2 bytes each). It was taught photographs, whose plane of focus
the photographers chose: what it keeps sharp is what it takes for the subject.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from recon.errors import DataError, ResourceError, UsageError, first_line
from recon.evidence.store import digest
from recon.evidence.weights import Weights
from recon.files import sha256
from recon.networks.bokeh_adapter import STRONGEST, WEAKEST, BokehAdapter
from recon.networks.bokeh_generator import BokehGenerator
from recon.types import Camera

RADIUS = 0.5
"""The paper's K, of radii, for each of ours, of diameters."""
BASE = Weights(
    "FLUX.1 Kontext",
    "FLUX.1-Kontext-dev/model_index.json",
    None,
    "the generators light and depth need none of it",
    source="Hugging Face, black-forest-labs/FLUX.1-Kontext-dev, once its licence is accepted",
)
ADAPTER = Weights(
    "BokehDepth's adapter",
    "bokeh_lora.bin",
    "fogradio/BokehDepth",
    "the generators light and depth need none of it",
)
VERSION = "1"
"""Of the code around the network; results of another are not reused."""


@dataclass(frozen=True)
class FluxSettings:
    """How pictures are made."""

    steps: int = 50
    """Of denoising."""
    guidance: float = 7.0
    seed: int = 42
    """The same for every strength, so that nothing but blur differs."""
    device: str = "cuda"

    def __post_init__(self) -> None:
        """Refuse what cannot be made.

        Raises:
            UsageError: a number is out of its range.
        """
        if self.steps < 1 or not 0 <= self.guidance < math.inf:
            raise UsageError(
                f"{self.steps} steps with a guidance of {self.guidance}; expected 1 step or more, "
                "and guidance of 0 or more."
            )


@final
class FluxBokeh(BokehGenerator):
    """FLUX.1 Kontext with BokehDepth's adapter, read at first use."""

    def __init__(self, base: Path, adapter: Path, settings: FluxSettings | None = None) -> None:
        """Take weights.

        Args:
            base: diffusers' folder of FLUX.1 Kontext.
            adapter: bokeh_lora.bin, or the same as safetensors.
            settings: of making pictures; the paper's where not given.
        """
        self.base, self.adapter, self.settings = base, adapter, settings or FluxSettings()

    @staticmethod
    def found(adapter: Path | None = None, settings: FluxSettings | None = None) -> "FluxBokeh":
        """Look for the weights where those of all networks are looked for.

        Args:
            adapter: its file, or the folder with it; looked for where not given.
            settings: of making pictures.

        Raises:
            DataError: a path was given and no file is there.
            ResourceError: they are nowhere; the message says where they would be.
        """
        return FluxBokeh(BASE.find().parent, ADAPTER.find(adapter), settings)

    @property
    def name(self) -> str:
        """Return the name by which it is chosen."""
        return "flux"

    @property
    def inverse_focus(self) -> None:
        """Nobody knows: the network chooses its plane of focus."""
        return None

    def identity(self) -> str:
        """Digest the adapter's weights, the base's index, the settings and this file's version."""
        index = sha256(self.base / "model_index.json")
        return digest(self.name, VERSION, index, sha256(self.adapter), repr(self.settings))

    @torch.no_grad()
    def _blurred(
        self, image: Float[Tensor, "3 h w"], strengths: Sequence[float], camera: Camera | None
    ) -> Float[Tensor, "n 3 h w"]:
        pipeline, adapter = self._loaded
        _, height, width = image.shape
        # Latents are packed two by two.
        multiple = 2 * int(pipeline.vae_scale_factor)
        if min(height, width) < multiple:
            raise UsageError(
                f"a photo of {width}x{height} pixels; expected {multiple} or more on each side."
            )
        v, u = height // multiple * multiple, width // multiple * multiple
        counted = paper_strengths(strengths, u / width)
        seen = interpolate(image.float()[None], (v, u), mode="bicubic", antialias=True)
        frames = []
        # One at a time, because memory is what this lacks.
        for strength in counted:
            with adapter.strengths(torch.tensor([strength])):
                made = pipeline(
                    image=seen.clamp(0, 1),
                    prompt=prompt(strength),
                    height=v,
                    width=u,
                    max_area=v * u,
                    num_inference_steps=self.settings.steps,
                    guidance_scale=self.settings.guidance,
                    generator=torch.Generator("cpu").manual_seed(self.settings.seed),
                    output_type="pt",
                    _auto_resize=False,
                ).images
            frames.append(made.float().cpu())
        return interpolate(torch.cat(frames), (height, width), mode="bicubic", antialias=True)

    @cached_property
    def _loaded(self) -> tuple[Any, BokehAdapter]:
        try:
            from diffusers import FluxKontextPipeline
        except ImportError as error:
            raise ResourceError(
                f"the generator flux needs the extra `bokeh` ({first_line(error)}): pip install "
                "'defocus-recon[bokeh]', or choose the generator light."
            ) from error
        if self.settings.device.startswith("cuda") and not torch.cuda.is_available():
            raise ResourceError(
                "the generator flux needs an NVIDIA GPU, and torch finds none here. Choose the "
                "generator light, which any processor runs."
            )
        try:
            pipeline = FluxKontextPipeline.from_pretrained(
                self.base, dtype=torch.bfloat16, local_files_only=True
            )
        except (OSError, ValueError, KeyError) as error:
            raise DataError(
                f"{self.base}: expected diffusers' folder of FLUX.1 Kontext ({first_line(error)})."
            ) from error
        pipeline.set_progress_bar_config(disable=True)
        pipeline.to(self.settings.device)
        return pipeline, BokehAdapter.loaded(pipeline.transformer, self.adapter)


def paper_strengths(strengths: Sequence[float], scale: float = 1.0) -> list[float]:
    """Return K as the paper counts it, of an image that is shown at a scale.

    Raises:
        UsageError: the adapter was not taught one of them, and would make another blur of it.
    """
    counted = [RADIUS * scale * strength for strength in strengths]
    for strength, count in zip(strengths, counted, strict=True):
        if not WEAKEST <= count <= STRONGEST:
            raise UsageError(
                f"a lens of strength {strength:g}: the generator flux was taught "
                f"{WEAKEST / RADIUS / scale:.3g} to {STRONGEST / RADIUS / scale:.3g} px·m of this "
                "photo. Choose a strength there, or the generator light."
            )
    return counted


def prompt(strength: float) -> str:
    """Return the words with which the adapter was taught, for K as the paper counts it."""
    return (
        f"Set dof_cond = {strength:.2f} (stronger background defocus); preserve subject sharpness; "
        "keep composition, lighting, and colors unchanged."
    )
