"""The arms of a comparison: one fit's settings, changed in one thing each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from recon.config import FitSettings, Supervision
from recon.errors import UsageError
from recon.evidence.interface import Need

Change = Callable[[FitSettings], FitSettings]


@dataclass(frozen=True)
class Arm:
    """A way to fit, beside others with the same data, beginning, schedule and cap."""

    name: str
    about: str
    """What it changes, for people."""
    change: Change
    """From the comparison's resolved settings to the arm's."""
    needs: frozenset[Need] = frozenset()
    """Evidence without which it would be another arm under a wrong name."""


@dataclass(frozen=True)
class Claim:
    """A sentence that a comparison can show or refute."""

    arm: str
    against: str
    words: str


def basis(settings: FitSettings) -> FitSettings:
    """Return the settings that arms change: without a lens that nobody asked for by name.

    Some arms are about the lens of the photos, and are held against others that know of none.
    """
    if settings.parts.lens != "auto":
        return settings
    return replace(settings, parts=replace(settings.parts, lens="off"))


def only(supervision: Supervision, *kept: str) -> Supervision:
    """Return the supervision with the weight of every term that asks for evidence 0, but some.

    Args:
        supervision: whose other settings stay.
        kept: names of fields whose weights stay.
    """
    silent: dict[str, Any] = {}
    for field in fields(supervision):
        term = getattr(supervision, field.name)
        if term.needs and field.name not in kept:
            silent[field.name] = replace(term, weight=0.0)
    return replace(supervision, **silent)


def plain(settings: FitSettings) -> FitSettings:
    """Leave the photos alone to hold the scene."""
    return replace(settings, supervision=only(settings.supervision))


def _twice_the_photos(settings: FitSettings) -> FitSettings:
    alone = plain(settings)
    photometric = alone.supervision.photometric
    twice = replace(photometric, weight=2 * photometric.weight)
    return replace(alone, supervision=replace(alone.supervision, photometric=twice))


def _twice_the_steps(settings: FitSettings) -> FitSettings:
    return replace(plain(settings), steps=2 * settings.budget.steps)


def _dense(settings: FitSettings) -> FitSettings:
    return replace(plain(settings), read=replace(settings.read, start="dense"))


def _keeping(*kept: str) -> Change:
    return lambda settings: replace(settings, supervision=only(settings.supervision, *kept))


def _lens_by(**changes: Any) -> Change:
    """Keep the defocus term alone, with other settings."""

    def change(settings: FitSettings) -> FitSettings:
        alone = only(settings.supervision, "defocus")
        return replace(
            settings, supervision=replace(alone, defocus=replace(alone.defocus, **changes))
        )

    return change


def _shuffled(kept: str) -> Change:
    def change(settings: FitSettings) -> FitSettings:
        alone = only(settings.supervision, kept)
        prior = replace(settings.prior, shuffled=True)
        return replace(settings, supervision=alone, prior=prior)

    return change


def _density(settings: FitSettings) -> FitSettings:
    alone = replace(settings, supervision=only(settings.supervision, "defocus"))
    return replace(alone, densify=replace(settings.densify, strategy="defocus"))


def _through(lens: Literal["learned", "exif", "in-focus"]) -> Change:
    """Take the photos for what such a lens makes of them."""

    def change(settings: FitSettings) -> FitSettings:
        alone = plain(settings)
        return replace(alone, parts=replace(alone.parts, lens=lens))

    return change


def _siamese(settings: FitSettings) -> FitSettings:
    lensed = _through("learned")(settings)
    term = replace(lensed.supervision.siamese_coc, weight=SIAMESE_WEIGHT)
    return replace(lensed, supervision=replace(lensed.supervision, siamese_coc=term))


SIAMESE_WEIGHT = 0.01
"""Of the term, which is silent unless it is asked for."""
LENS = frozenset({Need.PRIOR, Need.STACK})
AS_PUBLISHED: Mapping[str, Any] = {
    "form": "render", "colors": True, "focus": "median", "weight": 1.0,
}  # fmt: skip
"""Blurred renders against blurred photos, focused at the median, moving colours as well."""


ARMS: Mapping[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm("plain", "photos only", plain),
        Arm("rgb2x", "photos only, at twice the weight", _twice_the_photos),
        Arm("steps2x", "photos only, for twice the steps", _twice_the_steps),
        Arm("dense", "photos only, begun where neighbouring photos agree about depth", _dense),
        Arm("lidar", "and LiDAR depth", _keeping("lidar", "sky"), frozenset({Need.LIDAR})),
        Arm(
            "l1-depth",
            "and the prior's inverse depth by L1",
            _keeping("mono_prior"),
            frozenset({Need.PRIOR}),
        ),
        Arm(
            "defocus",
            "and the virtual lens: the photo blurred with rendered against prior depth",
            _keeping("defocus"),
            LENS,
        ),
        Arm(
            "render",
            "and the virtual lens on the render: blurred with its own depth, which alone moves",
            _lens_by(form="render", begin=0.3),
            LENS,
        ),
        Arm(
            "published",
            "and the virtual lens on the render, focused at the median, which moves colours too",
            _lens_by(**AS_PUBLISHED),
            LENS,
        ),
        Arm(
            "constant",
            "and the same with one blur everywhere, which knows no depth",
            _lens_by(**AS_PUBLISHED, circles="constant"),
            LENS,
        ),
        Arm(
            "rounded",
            "and the same with blurs of whole pixels, which pass no gradient to depth",
            _lens_by(**AS_PUBLISHED, circles="rounded"),
            LENS,
        ),
        Arm(
            "shuffled",
            "and the virtual lens with another photo's prior",
            _shuffled("defocus"),
            LENS,
        ),
        Arm(
            "density",
            "and the virtual lens, whose own gradient has a say in where Gaussians come and go",
            _density,
            LENS,
        ),
        Arm(
            "multiview",
            "and matches between training photos, and the depth of neighbouring views",
            _keeping("multiview", "consistency"),
            frozenset({Need.MATCHES}),
        ),
        Arm("in-focus", "only what is sharp in the photos", _through("in-focus")),
        Arm("photo-lens", "photos only, each through a lens that is learned", _through("learned")),
        Arm("exif-lens", "photos only, each through the lens of its EXIF", _through("exif")),
        Arm(
            "siamese",
            "photos only, each through a lens that is learned, and the blur that a network sees",
            _siamese,
            frozenset({Need.COC}),
        ),
        Arm("full", "and every term as it is set", lambda settings: settings),
    )
}
CLAIMS = (
    Claim("rgb2x", "plain", "a heavier photometric loss helps"),
    Claim("steps2x", "plain", "twice the steps help"),
    Claim("dense", "plain", "beginning from dense depth helps"),
    Claim("lidar", "plain", "LiDAR supervision helps"),
    Claim("l1-depth", "plain", "the prior's depth, by L1, helps"),
    Claim("defocus", "plain", "the virtual lens helps"),
    Claim("defocus", "l1-depth", "the virtual lens does more than L1 on the same prior"),
    Claim("render", "plain", "blurring the render, moving depth alone, helps"),
    Claim("render", "defocus", "blurring the render does more than blurring the photo"),
    Claim("published", "plain", "blurring the render as published helps"),
    Claim("published", "constant", "blurring as published does more than one blur everywhere"),
    Claim("published", "rounded", "the gradient from blur to depth helps"),
    Claim("published", "steps2x", "blurring as published does more than twice the steps"),
    Claim("constant", "plain", "comparing blurred pictures helps, without any depth"),
    Claim("shuffled", "plain", "a lens with the wrong photo's prior helps"),
    Claim("density", "defocus", "growing by the lens' own gradient helps"),
    Claim("density", "plain", "the virtual lens, and growing by its gradient, help"),
    Claim("in-focus", "plain", "leaving out what is out of focus helps"),
    Claim("photo-lens", "plain", "learning the lens of the photos helps"),
    Claim("photo-lens", "in-focus", "learning the lens does more than leaving out what it blurred"),
    Claim("exif-lens", "plain", "knowing the lens of the photos helps"),
    Claim("exif-lens", "photo-lens", "knowing the lens does more than learning it"),
    Claim("siamese", "photo-lens", "the blur that a network sees helps beyond the learned lens"),
    Claim("multiview", "plain", "multi-view consistency helps"),
    Claim("multiview", "l1-depth", "multi-view consistency does more than L1 on a prior"),
    Claim("full", "plain", "all supervision together helps"),
    Claim("full", "l1-depth", "all supervision together does more than L1 depth"),
    Claim("full", "lidar", "all supervision together does more than LiDAR"),
    Claim("full", "multiview", "all supervision together does more than multi-view consistency"),
)
"""Told where both arms were run."""


def chosen(names: str) -> list[Arm]:
    """Return arms by their names, with commas between them.

    Raises:
        UsageError: a name is unknown or comes twice, or there is none.
    """
    listed = [name.strip() for name in names.split(",") if name.strip()]
    for name in listed:
        if name not in ARMS or listed.count(name) > 1:
            problem = "given twice" if name in ARMS else "no such arm"
            raise UsageError(f"--arms {name}: {problem}; expected some of {', '.join(ARMS)}.")
    if not listed:
        raise UsageError(f"--arms: none given; expected some of {', '.join(ARMS)}.")
    return [ARMS[name] for name in listed]
