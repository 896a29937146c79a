"""What a comparison has shown: means, intervals paired by view, and verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from recon.arms import Claim

RESAMPLED = 4_000
LEVEL = 0.95


@dataclass(frozen=True)
class Measure:
    """A number of each view."""

    name: str
    words: str
    unit: str
    higher_is_better: bool
    digits: int


MEASURES = (
    Measure("psnr", "PSNR", " dB", True, 2),
    Measure("ssim", "SSIM", "", True, 4),
    Measure("abs_rel", "depth AbsRel", "", False, 4),
)


@dataclass(frozen=True, eq=False)
class RunScore:
    """One arm's fit with one seed, scored."""

    arm: str
    seed: int
    views: tuple[str, ...]
    values: Mapping[str, Float64[np.ndarray, " v"]]
    """By measure; NaN for views without it."""
    gaussians: int
    seconds: float
    """Spent optimising."""
    steps: int
    peak_memory_bytes: int

    def mean(self, measure: str) -> float | None:
        """Return the mean over the views that have the measure; None where none has."""
        known = self.values[measure][np.isfinite(self.values[measure])]
        return float(known.mean()) if len(known) else None

    def as_json(self) -> dict[str, Any]:
        """Return what `recon compare --json` prints of a run."""
        found: dict[str, Any] = {
            "seed": self.seed,
            "psnr": self.mean("psnr"),
            "ssim": self.mean("ssim"),
            "gaussians": self.gaussians,
            "seconds": self.seconds,
            "steps": self.steps,
            "peak_memory_bytes": self.peak_memory_bytes,
        }
        if self.mean("abs_rel") is not None:
            found["depth"] = {"abs_rel": self.mean("abs_rel")}
        return found


@dataclass(frozen=True)
class Interval:
    """A mean and the bounds between which it falls in 95 of 100 resampled comparisons."""

    mean: float
    low: float
    high: float


def interval(runs: Sequence[RunScore], measure: str) -> Interval | None:
    """Return an arm's mean over seeds and views; None where no view has the measure."""
    return _bootstrap(_table(runs, measure))


def difference(
    runs: Sequence[RunScore], others: Sequence[RunScore], measure: str
) -> Interval | None:
    """Return the mean of `runs` minus `others`, paired by view and seed.

    Seeds and views are resampled, both with replacement, so that the interval holds for other
    seeds and other views of the same scene, not for other scenes.

    Raises:
        ValueError: the two were not run with the same seeds and views.
    """
    mine, theirs = _by_seed(runs), _by_seed(others)
    if mine.keys() != theirs.keys() or any(mine[s].views != theirs[s].views for s in mine):
        raise ValueError("the arms have other seeds or views; only the same can be compared")
    return _bootstrap(_table(runs, measure) - _table(others, measure))


@dataclass(frozen=True)
class Verdict:
    """What a comparison says of a claim, by one measure."""

    claim: Claim
    measure: Measure
    difference: Interval

    @property
    def outcome(self) -> str:
        """Say "shown", "refuted" where the opposite is shown, or "not shown"."""
        low, high = self.difference.low, self.difference.high
        if not self.measure.higher_is_better:
            low, high = -high, -low
        return "shown" if low > 0 else "refuted" if high < 0 else "not shown"

    def sentence(self) -> str:
        """Write it for a person."""
        m, d = self.measure, self.difference
        numbers = f"{d.mean:+.{m.digits}f}{m.unit} [{d.low:+.{m.digits}f}, {d.high:+.{m.digits}f}]"
        return (
            f"{self.claim.words} ({self.claim.arm} against {self.claim.against}): "
            f"{self.outcome} by {m.words}, {numbers}"
        )

    def as_json(self) -> dict[str, Any]:
        """Return what `recon compare --json` prints of a verdict."""
        return {
            "claim": self.claim.words,
            "arm": self.claim.arm,
            "against": self.claim.against,
            "measure": self.measure.name,
            "outcome": self.outcome,
            "difference": asdict(self.difference),
            "sentence": self.sentence(),
        }


def verdicts(runs: Mapping[str, Sequence[RunScore]], claims: Sequence[Claim]) -> list[Verdict]:
    """Judge the claims both of whose arms were run, by every measure that the views have."""
    found = []
    for claim in claims:
        if claim.arm in runs and claim.against in runs:
            for measure in MEASURES:
                paired = difference(runs[claim.arm], runs[claim.against], measure.name)
                if paired is not None:
                    found.append(Verdict(claim, measure, paired))
    return found


def spread(runs: Sequence[RunScore], measure: str) -> float | None:
    """Return the standard deviation of the mean between seeds: what repeating a fit changes."""
    means = [mean for run in runs if (mean := run.mean(measure)) is not None]
    return float(np.std(means, ddof=1)) if len(means) > 1 else None


def _by_seed(runs: Sequence[RunScore]) -> dict[int, RunScore]:
    return {run.seed: run for run in runs}


def _table(runs: Sequence[RunScore], measure: str) -> Float64[np.ndarray, "s v"]:
    return np.stack([run.values[measure] for _, run in sorted(_by_seed(runs).items())])


def _bootstrap(table: Float64[np.ndarray, "s v"]) -> Interval | None:
    """Resample rows (seeds) and columns (views) of a table, those columns that are known."""
    table = table[:, np.isfinite(table).all(axis=0)]
    if table.size == 0:
        return None
    random = np.random.default_rng(0)
    seeds, views = table.shape
    means = np.empty(RESAMPLED)
    for i in range(RESAMPLED):
        rows = random.integers(seeds, size=seeds)
        columns = random.integers(views, size=views)
        means[i] = table[np.ix_(rows, columns)].mean()
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(table.mean()), float(low), float(high))
