"""Density control by the defocus term's gradient, against the equations written out in NumPy."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float64

from recon.config import FitSettings
from recon.densify.choose import choose_densifier
from recon.densify.defocus import OWN, DefocusGuide
from recon.densify.gradient import GradientDensifier
from recon.densify.interface import Densify
from recon.errors import UsageError
from recon.gaussians import Gaussians
from recon.losses.defocus import Defocus
from recon.losses.photometric import Photometric
from recon.model import LearningRates, Model
from recon.raster.interface import ScreenFootprint
from recon.raster.reference import ReferenceRasterizer
from recon.supervise import Objective, Sample

Norms = Float64[np.ndarray, " n"]
WIDTH, HEIGHT = 64, 48
COUNT = 120


def reference_weight(g: Norms) -> Norms:
    """Equation 24, with quartiles by sorting and linear interpolation."""

    def quartile(share: float) -> float:
        ordered = sorted(g)
        place = share * (len(ordered) - 1)
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        return float(ordered[low] + (place - low) * (ordered[high] - ordered[low]))

    spread = quartile(0.75) - quartile(0.25)
    weight: Norms = np.exp(-(g - quartile(0.25)) / (spread + 1e-12))
    return weight


def reference_prune(
    opacity: Norms, g_x: Norms, g_dof: Norms, alpha_min: float, g_min: float, tau: float
) -> np.ndarray:
    """Equations 22 and 23."""
    keep = g_dof >= np.quantile(g_dof, 1 - tau)
    pruned: np.ndarray = (opacity < alpha_min) | ((g_x < g_min) & ~keep)
    return pruned


def gradients(seed: int, count: int = COUNT) -> tuple[np.ndarray, np.ndarray]:
    """The whole objective's and the defocus term's gradients of the centres, in px, of one step."""
    random = np.random.default_rng(seed)
    sizes = 10 ** random.uniform(-9, -5, (2, count, 1))
    both = random.normal(size=(2, count, 2)) * sizes
    return both[0], both[1]


def norms(gradient: np.ndarray) -> Norms:
    found: Norms = np.linalg.norm(gradient * [WIDTH / 2, HEIGHT / 2], axis=1)
    return found


def scene(opacities: torch.Tensor) -> Gaussians:
    generator = torch.Generator().manual_seed(5)
    count = len(opacities)
    return Gaussians(
        # Numbered, so that those that are left can be told.
        means=torch.arange(count)[:, None].repeat(1, 3).float(),
        quaternions=torch.randn(count, 4, generator=generator),
        log_scales=torch.full((count, 3), -8.0),
        opacity_logits=torch.logit(opacities),
        sh_base=torch.rand(count, 1, 3, generator=generator),
        sh_rest=torch.zeros(count, 15, 3),
    )


def take_step(densifier: GradientDensifier, model: Model, seed: int, step: int) -> None:
    """One step in which all are seen but those whose number divides by 7."""
    whole, own = gradients(seed)
    offsets = torch.zeros(COUNT, 2, requires_grad=True)
    seen = torch.arange(COUNT) % 7 != 0
    footprint = ScreenFootprint(offsets, seen.int())
    penalty = (offsets * torch.from_numpy(own).float()).sum()
    densifier.before_gradients({"defocus": penalty}, footprint, 0.5)
    offsets.grad = torch.from_numpy(whole).float()
    densifier.after_step(model, footprint, (WIDTH, HEIGHT), step, 0.5)


def numbers_after(densifier: GradientDensifier, model: Model) -> set[int]:
    return set(model.gaussians.means[:, 0].detach().round().int().tolist())


def defocus_densifier(cap: int, **settings: float) -> GradientDensifier:
    chosen = choose_densifier(
        replace(Densify(strategy="defocus", every=3, begin=0.0), **settings),  # type: ignore[arg-type]
        cap=cap,
        initial=COUNT,
        scene_scale=1.0,
    )
    assert isinstance(chosen, GradientDensifier)
    return chosen


def test_growth_and_pruning_follow_the_equations() -> None:
    """Three steps are gathered; at the third, those go and come that the equations name."""
    tau, g_min, alpha_min, grow = 0.3, 2e-5, 0.005, 1e-4
    opacities = torch.linspace(0.001, 0.5, COUNT)
    model = Model(scene(opacities), LearningRates(), scene_scale=1.0)
    densifier = defocus_densifier(
        10 * COUNT, keep=tau, least_gradient=g_min, gradient_threshold=grow
    )
    seen = np.arange(COUNT) % 7 != 0
    total, own = np.zeros(COUNT), np.zeros(COUNT)
    for step, seed in ((1, 11), (2, 12), (3, 13)):
        whole, defocus = gradients(seed)
        g = norms(defocus)[seen]
        total[seen] += norms(whole)[seen] + reference_weight(g) * g
        own[seen] += g
        take_step(densifier, model, seed, step)
    total, own = total / 3, own / 3
    gone = np.zeros(COUNT, bool)
    gone[seen] = reference_prune(
        opacities.numpy()[seen], total[seen], own[seen], alpha_min, g_min, tau
    )
    gone |= opacities.numpy() < alpha_min
    assert 10 < gone[opacities.numpy() > alpha_min].sum() < COUNT / 2
    assert numbers_after(densifier, model) == set(np.flatnonzero(~gone).tolist())
    twice = np.flatnonzero(seen & (total > grow) & ~gone)
    assert 5 < len(twice) < COUNT / 2
    found = np.bincount(model.gaussians.means[:, 0].detach().round().int().numpy())
    assert np.flatnonzero(found == 2).tolist() == twice.tolist()


def test_unseen_gaussians_are_never_idle() -> None:
    model = Model(scene(torch.full((COUNT,), 0.5)), LearningRates(), scene_scale=1.0)
    densifier = defocus_densifier(COUNT, keep=0.0, least_gradient=1e9)
    take_step(densifier, model, 3, 3)
    left = numbers_after(densifier, model)
    assert {number for number in range(COUNT) if number % 7 == 0} <= left
    # The one that is pulled most has the quantile itself.
    assert len(left) == -(-COUNT // 7) + 1


def test_room_that_the_idle_leave_is_filled_up_to_the_cap() -> None:
    model = Model(scene(torch.full((COUNT,), 0.5)), LearningRates(), scene_scale=1.0)
    densifier = defocus_densifier(COUNT, least_gradient=2e-6, gradient_threshold=1e-9)
    for step in (1, 2, 3):
        take_step(densifier, model, 20 + step, step)
    assert len(model.gaussians) == COUNT
    assert len(numbers_after(densifier, model)) < COUNT


def test_what_is_gathered_survives_a_checkpoint() -> None:
    one, two = (
        Model(scene(torch.full((COUNT,), 0.5)), LearningRates(), scene_scale=1.0) for _ in range(2)
    )
    first, second = (defocus_densifier(2 * COUNT, least_gradient=2e-6) for _ in range(2))
    take_step(first, one, 1, 1)
    take_step(first, one, 2, 2)
    second.restore({name: tensor.clone() for name, tensor in first.state().items()})
    take_step(first, one, 3, 3)
    take_step(second, two, 3, 3)
    assert numbers_after(first, one) == numbers_after(second, two)
    assert OWN in first.state()


def test_the_gradient_is_that_of_the_defocus_term_alone(sample: Sample) -> None:
    """Apart from the other terms, and without a trace in the gradients that move the scene."""
    objective = Objective([Photometric(), Defocus(weight=15.0)])

    def drawn() -> Sample:
        scene = sample.gaussians
        for tensor in scene.named().values():
            tensor.grad = None
        return replace(sample, render=ReferenceRasterizer().render(scene, sample.view.camera))

    alone = drawn()
    torch.autograd.backward(15.0 * Defocus().penalty(alone))
    expected = alone.render.footprint.offsets.grad
    assert expected is not None
    without = drawn()
    torch.autograd.backward(objective(without).total)
    plain = without.render.footprint.offsets.grad
    assert plain is not None
    beside = drawn()
    guide = DefocusGuide(0.2, 0.0)
    penalties = objective(beside)
    guide.look(penalties.weighted, beside.render.footprint)
    torch.autograd.backward(penalties.total)
    footprint = beside.render.footprint
    gathered = {"grad2d": torch.zeros(20), "count": torch.ones(20)}
    guide.gather(gathered, footprint, (32, 24))
    pull = (expected * torch.tensor([16.0, 12.0])).norm(dim=-1)
    assert float(pull.max()) > 0
    torch.testing.assert_close(gathered[OWN], torch.where(footprint.radii > 0, pull, 0.0))
    assert footprint.offsets.grad is not None
    assert torch.equal(footprint.offsets.grad, plain)
    assert not torch.allclose(plain, expected)


def test_without_a_lens_it_is_refused() -> None:
    settings = FitSettings(data=Path(), densify=Densify(strategy="defocus"))
    with pytest.raises(UsageError, match=r"--densify.strategy defocus.*--prior.model"):
        settings.check()
