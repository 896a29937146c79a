"""The settings of a fit: a preset, what the user set over it, and their way to JSON and back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import cattrs.preconf.json
import tyro
from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError

from recon.budget import Budget, Resolution
from recon.datasets.source import ReadOptions
from recon.densify.interface import Densify
from recon.errors import DataError, UsageError
from recon.limits import check_numbers
from recon.losses.consistency import Consistency
from recon.losses.defocus import Defocus
from recon.losses.lidar import Lidar
from recon.losses.mono_prior import MonoPrior
from recon.losses.multiview import Multiview
from recon.losses.photometric import Photometric
from recon.losses.siamese_coc import SiameseCoc
from recon.losses.sky import Sky
from recon.match_provider import MatchSettings
from recon.memory import MemorySettings
from recon.model import LearningRates
from recon.parts import PartSettings
from recon.providers import PriorSettings
from recon.supervise import Term

SCHEMA = 2
"""Version of config.json and of checkpoints; another version is refused."""


@dataclass(frozen=True)
class Preset:
    """How much work a fit may do."""

    steps: int
    max_gaussians: int


PRESETS: Mapping[str, Preset] = {
    "quick": Preset(steps=2_000, max_gaussians=50_000),
    "standard": Preset(steps=7_000, max_gaussians=120_000),
    "thorough": Preset(steps=30_000, max_gaussians=400_000),
}


@dataclass(frozen=True)
class Supervision:
    """What the scene is held against: one field per term.

    Terms whose evidence a capture does not bring say nothing.
    """

    photometric: Photometric = field(default_factory=Photometric)
    lidar: Lidar = field(default_factory=Lidar)
    sky: Sky = field(default_factory=Sky)
    mono_prior: MonoPrior = field(default_factory=MonoPrior)
    defocus: Defocus = field(default_factory=Defocus)
    multiview: Multiview = field(default_factory=Multiview)
    consistency: Consistency = field(default_factory=Consistency)
    siamese_coc: SiameseCoc = field(default_factory=SiameseCoc)

    def terms(self) -> tuple[Term, ...]:
        """List the terms, those of weight 0 included."""
        return (
            self.photometric,
            self.lidar,
            self.sky,
            self.mono_prior,
            self.defocus,
            self.multiview,
            self.consistency,
            self.siamese_coc,
        )


@dataclass(frozen=True)
class FitSettings:
    """Everything that decides how a fit runs, resolved; saved as config.json."""

    data: Path
    """A capture: a folder with COLMAP, transforms.json, poses_bounds.npy or Blender files, or a
    KITTI or Waymo drive; `demo` is the drive that comes with recon."""
    read: Annotated[ReadOptions, tyro.conf.arg(name="")] = field(default_factory=ReadOptions)
    protocol: str | None = None
    """A named way to choose, hold out and score photos, such as waymo-static/notr32@1, for numbers
    that compare; `recon data protocols` lists them."""
    preset: Literal["quick", "standard", "thorough"] = "standard"
    """How much work: quick is for a first look, thorough for results."""
    steps: int | None = None
    """Optimisation steps; the preset's where not given."""
    minutes: float | None = None
    """Wall-clock bound. The schedule follows the clock where it runs ahead of the steps, so such
    a fit is not repeatable to the bit."""
    max_gaussians: int | None = None
    """Cap on the number of Gaussians; the preset's where not given."""
    seed: int = 0
    """Seed of all random choices."""
    sh_degree: int = 3
    """Highest degree of view-dependent colour, 0 to 3."""
    backend: Literal["auto", "native", "gsplat", "reference"] = "auto"
    """What renders: auto takes the fastest that works here (`recon doctor` says why)."""
    checkpoint_every: int = 1_000
    """Steps between checkpoints."""
    learning_rates: LearningRates = field(default_factory=LearningRates)
    densify: Densify = field(default_factory=Densify)
    parts: PartSettings = field(default_factory=PartSettings)
    memory: MemorySettings = field(default_factory=MemorySettings)
    resolution: Resolution = field(default_factory=Resolution)
    prior: PriorSettings = field(default_factory=PriorSettings)
    matching: MatchSettings = field(default_factory=MatchSettings)
    supervision: Supervision = field(default_factory=Supervision)

    def resolved(self) -> "FitSettings":
        """Return the settings with the preset's values in place of those not given.

        Raises:
            UsageError: a number is out of its range.
        """
        self.check()
        preset = PRESETS[self.preset]
        return replace(
            self,
            data=self.data if str(self.data) == "demo" else self.data.resolve(),
            steps=preset.steps if self.steps is None else self.steps,
            max_gaussians=preset.max_gaussians
            if self.max_gaussians is None
            else self.max_gaussians,
        )

    def check(self) -> None:
        """Refuse what cannot be fitted.

        Raises:
            UsageError: a number is out of its range, or nothing holds the scene to the photos.
        """
        check_numbers(self)
        if all(term.weight == 0 for term in self.supervision.terms() if not term.needs):
            raise UsageError(
                "--supervision.photometric.weight 0: nothing holds the scene to the photos; give "
                "more than 0."
            )
        if self.densify.strategy == "defocus" and not self._looks_through_a_lens:
            raise UsageError(
                "--densify.strategy defocus: grows by the gradient of the defocus term, which is "
                "not in use; give a prior (--prior.model) and a --supervision.defocus.weight of "
                "more than 0, or take --densify.strategy gradient."
            )

    @property
    def _looks_through_a_lens(self) -> bool:
        return self.supervision.defocus.weight > 0 and self.prior.model != "none"

    @property
    def budget(self) -> Budget:
        """The steps and minutes of resolved settings."""
        assert self.steps is not None
        return Budget(self.steps, self.minutes)

    @property
    def cap(self) -> int:
        """The cap on Gaussians of resolved settings."""
        assert self.max_gaussians is not None
        return self.max_gaussians


def to_json(settings: FitSettings) -> str:
    """Write settings as JSON, with the schema's version."""
    plain = _converter.unstructure(settings)
    return json.dumps({"schema": SCHEMA, **plain}, indent=2) + "\n"


def from_json(path: Path) -> FitSettings:
    """Read settings that `to_json` wrote.

    Raises:
        DataError: the file is missing, is not JSON, has another schema, unknown fields or
            numbers out of range.
    """
    try:
        plain = json.loads(path.read_text())
        schema = plain.pop("schema")
    except (OSError, ValueError, KeyError, AttributeError) as why:
        raise DataError(f"{path}: not a fit's settings ({why}). Is this a run's folder?") from why
    if schema != SCHEMA:
        raise DataError(
            f"{path}: written with schema {schema}, this recon reads schema {SCHEMA}. "
            "Fit again, or use the version of recon named in environment.json."
        )
    try:
        settings = _converter.structure(plain, FitSettings)
        settings.check()
        return settings
    except UsageError as why:
        raise DataError(f"{path}: {why} Mend the file or fit again.") from why
    except (ClassValidationError, ForbiddenExtraKeysError) as why:
        problems = "; ".join(cattrs.transform_error(why))
        raise DataError(f"{path}: {problems}. Mend the file or fit again.") from why


_converter = cattrs.preconf.json.make_converter(forbid_extra_keys=True)
_converter.register_unstructure_hook(Path, str)
_converter.register_structure_hook(Path, lambda value, _: Path(value))
