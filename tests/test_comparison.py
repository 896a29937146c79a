"""Verdicts against numbers with a known answer, and intervals against scipy."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import bootstrap

from recon.arms import ARMS, CLAIMS, Claim, basis, chosen
from recon.comparison import RunScore, difference, interval, spread, verdicts
from recon.config import FitSettings, Supervision, to_json
from recon.errors import UsageError
from recon.losses.photometric import Photometric


def score(arm: str, seed: int, psnr: np.ndarray, abs_rel: np.ndarray | None = None) -> RunScore:
    nothing = np.full(len(psnr), np.nan)
    values = {"psnr": psnr, "ssim": psnr / 40, "abs_rel": nothing if abs_rel is None else abs_rel}
    views = tuple(f"{i:03d}" for i in range(len(psnr)))
    return RunScore(arm, seed, views, values, 1000, 12.5, 700, 10**9)


def arms(gain: float, noise: float = 0.05) -> dict[str, list[RunScore]]:
    random = np.random.default_rng(5)
    easy = random.normal(25, 3, 30)
    return {
        name: [score(name, s, easy + shift + random.normal(0, noise, 30)) for s in range(3)]
        for name, shift in (("plain", 0.0), ("steps2x", gain))
    }


CLAIM = Claim("steps2x", "plain", "twice the steps help")


@pytest.mark.parametrize(("gain", "outcome"), [(0.3, "shown"), (-0.3, "refuted")])
def test_a_clear_gain_is_shown_and_a_clear_loss_refutes(gain: float, outcome: str) -> None:
    found = {v.measure.name: v for v in verdicts(arms(gain), [CLAIM])}
    assert found["psnr"].outcome == outcome
    assert "abs_rel" not in found
    # Views differ by 3 dB, yet the paired interval is narrow.
    bounds = found["psnr"].difference
    assert bounds.low < gain < bounds.high
    assert bounds.high - bounds.low < 0.2
    assert f"{bounds.mean:+.2f} dB" in found["psnr"].sentence()


def test_without_a_difference_nothing_is_shown() -> None:
    same = arms(0.0, noise=0.5)
    assert {v.outcome for v in verdicts(same, [CLAIM])} == {"not shown"}


def test_lower_depth_errors_are_better() -> None:
    psnr, error = np.full(20, 25.0), np.linspace(0.05, 0.1, 20)
    runs = {
        "plain": [score("plain", 0, psnr, error)],
        "steps2x": [score("steps2x", 0, psnr, 0.8 * error)],
    }
    found = {v.measure.name: v for v in verdicts(runs, [CLAIM])}
    assert found["abs_rel"].outcome == "shown"
    assert found["psnr"].outcome == "not shown"


def test_an_interval_over_views_agrees_with_scipy() -> None:
    psnr = np.random.default_rng(2).normal(25, 3, 40)
    mine = interval([score("plain", 0, psnr)], "psnr")
    theirs = bootstrap(
        (psnr,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert mine is not None
    assert mine.mean == pytest.approx(psnr.mean())
    assert mine.low == pytest.approx(theirs.low, abs=0.1)
    assert mine.high == pytest.approx(theirs.high, abs=0.1)


def test_other_views_or_seeds_are_not_compared() -> None:
    runs = arms(0.1)
    with pytest.raises(ValueError, match="same"):
        difference(runs["steps2x"][:2], runs["plain"], "psnr")


def test_spread_between_seeds_is_that_of_the_means() -> None:
    flat = [score("plain", s, np.full(5, 20.0 + s)) for s in range(3)]
    assert spread(flat, "psnr") == pytest.approx(1.0)
    assert spread(flat[:1], "psnr") is None


def test_arms_change_what_they_say_and_nothing_else() -> None:
    settings = FitSettings(Path("/nowhere"), steps=100, max_gaussians=10).resolved()
    plain = ARMS["plain"].change(settings)
    for field in fields(Supervision):
        term = getattr(plain.supervision, field.name)
        assert (term.weight == 0) == bool(term.needs)
    assert ARMS["steps2x"].change(settings).steps == 200
    assert ARMS["rgb2x"].change(settings).supervision.photometric == Photometric(weight=2.0)
    assert ARMS["l1-depth"].change(settings).supervision.mono_prior.weight > 0
    assert ARMS["l1-depth"].change(settings).supervision.lidar.weight == 0
    assert ARMS["full"].change(settings) == settings
    for arm in ARMS.values():
        assert arm.change(settings).cap == settings.cap
        assert to_json(arm.change(settings))


def test_no_arm_has_a_lens_that_only_the_capture_asks_for() -> None:
    """On a focal stack, plain would be fitted through its lens, and be called plain."""
    settings = FitSettings(Path("a"), preset="quick").resolved()
    assert ARMS["plain"].change(basis(settings)).parts.lens == "off"
    assert ARMS["photo-lens"].change(basis(settings)).parts.lens == "learned"
    named = replace(settings, parts=replace(settings.parts, lens="exif"))
    assert basis(named) == named


def test_claims_are_about_arms() -> None:
    assert {name for c in CLAIMS for name in (c.arm, c.against)} <= ARMS.keys()


@pytest.mark.parametrize("wrong", ["", "plain,plan", "plain,plain"])
def test_wrong_arms_are_refused_with_the_right_ones(wrong: str) -> None:
    with pytest.raises(UsageError, match="steps2x"):
        chosen(wrong)
