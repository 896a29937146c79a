import math

import pytest
import torch

from recon.densify.choose import choose_densifier
from recon.densify.interface import Densify
from recon.densify.mcmc import relocated
from recon.gaussians import Gaussians, rotations
from recon.model import LearningRates, Model
from recon.raster.interface import ScreenFootprint


def some_gaussians(count: int) -> Gaussians:
    generator = torch.Generator().manual_seed(3)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    return Gaussians(
        means=random(count, 3),
        quaternions=random(count, 4),
        log_scales=random(count, 3) - 3,
        opacity_logits=random(count),
        sh_base=random(count, 1, 3),
        sh_rest=random(count, 15, 3),
    )


def stepped(count: int) -> tuple[Model, ScreenFootprint]:
    """A model that has taken one Adam step, and the footprint of a view in which all pull."""
    model = Model(some_gaussians(count), LearningRates(), scene_scale=1.0)
    for name, tensor in model.gaussians.named().items():
        # As at degree 0, at which the core gives the harmonics above it no gradient.
        tensor.grad = None if name == "sh_rest" else torch.ones_like(tensor)
    model.step()
    offsets = torch.zeros(count, 2, requires_grad=True)
    offsets.grad = torch.linspace(0, 1, count)[:, None].repeat(1, 2)
    return model, ScreenFootprint(offsets, torch.ones(count, dtype=torch.int32))


@pytest.mark.parametrize("opacity", [0.02, 0.5, 0.97])
@pytest.mark.parametrize("copies", [1, 2, 7])
def test_relocated_copies_keep_the_gaussian_s_opacity_and_mass(opacity: float, copies: int) -> None:
    new, shrink = relocated(torch.tensor([opacity]), torch.tensor([copies]))
    assert 1 - (1 - float(new)) ** copies == pytest.approx(opacity, rel=1e-5)
    # Along a line through the centre, the accumulated opacity keeps its integral (eq. 9).
    x = torch.linspace(-12, 12, 20001, dtype=torch.float64)
    before = opacity * torch.exp(-(x**2) / 2)
    one = float(new) * torch.exp(-(x**2) / (2 * float(shrink) ** 2))
    after = 1 - (1 - one) ** copies
    assert float(after.sum()) == pytest.approx(float(before.sum()), rel=1e-4)


def test_relocation_of_many_copies_stays_finite() -> None:
    new, shrink = relocated(torch.tensor([0.999999, 0.006]), torch.tensor([51, 400]))
    assert bool((new > 0).all())
    assert bool(shrink.isfinite().all())
    assert bool((shrink > 0).all())


@pytest.mark.parametrize("strategy", ["mcmc", "gradient", "defocus"])
def test_growth_respects_the_cap_and_keeps_optimizers_in_step(strategy: str) -> None:
    model, footprint = stepped(200)
    settings = Densify(strategy=strategy, every=1, begin=0.0)  # type: ignore[arg-type]
    densifier = choose_densifier(settings, cap=230, initial=200, scene_scale=1.0)
    torch.manual_seed(0)
    for step in range(1, 8):
        densifier.after_step(model, footprint, (64, 48), step, progress=0.6)
        count = len(model.gaussians)
        assert count <= 230
        for name, tensor in model.gaussians.named().items():
            (parameter,) = model.optimizers[name].param_groups[0]["params"]
            assert parameter is tensor
            state = model.optimizers[name].state[parameter]
            if name == "sh_rest" and not state:
                continue
            assert state["exp_avg"].shape == state["exp_avg_sq"].shape == tensor.shape
            assert len(tensor) == count
        for tensor in model.gaussians.named().values():
            tensor.grad = torch.ones_like(tensor)
        model.step()
        offsets = torch.zeros(count, 2, requires_grad=True)
        offsets.grad = torch.linspace(0, 1, count)[:, None].repeat(1, 2)
        footprint = ScreenFootprint(offsets, torch.ones(count, dtype=torch.int32))
    assert len(model.gaussians) > 200


def test_fixed_changes_nothing() -> None:
    model, footprint = stepped(50)
    before = {k: v.detach().clone() for k, v in model.gaussians.named().items()}
    densifier = choose_densifier(Densify(strategy="fixed"), cap=100, initial=50, scene_scale=1.0)
    densifier.after_step(model, footprint, (64, 48), 100, 0.5)
    for name, tensor in model.gaussians.named().items():
        assert torch.equal(tensor, before[name])


def test_dead_gaussians_move_onto_live_ones() -> None:
    model, footprint = stepped(100)
    with torch.no_grad():
        model.gaussians.opacity_logits[:30] = -9.0
        model.gaussians.opacity_logits[30:] = 1.0
    densifier = choose_densifier(
        Densify(strategy="mcmc", noise=0.0), cap=100, initial=100, scene_scale=1.0
    )
    alive = model.gaussians.means[30:].detach().clone()
    densifier.after_step(model, footprint, (64, 48), 100, 0.5)
    moved = model.gaussians.means[:30].detach()
    assert bool((moved[:, None] == alive).all(-1).any(1).all())
    assert float(model.gaussians.opacities.detach().min()) > 0.005


def test_opacity_is_reset_by_the_gradient_strategy() -> None:
    model, footprint = stepped(100)
    settings = Densify(strategy="gradient", every=10, reset_every=10, begin=0.0)
    densifier = choose_densifier(settings, cap=100, initial=100, scene_scale=1.0)
    densifier.after_step(model, footprint, (64, 48), 10, 0.5)
    assert float(model.gaussians.opacities.detach().max()) <= 0.01 + 1e-6


def test_rotations_agree_with_scipy() -> None:
    from scipy.spatial.transform import Rotation

    quaternions = some_gaussians(20).quaternions
    expected = Rotation.from_quat(quaternions.numpy(), scalar_first=True).as_matrix()
    torch.testing.assert_close(
        rotations(quaternions).double(), torch.from_numpy(expected), atol=1e-6, rtol=0
    )


def test_mcmc_budget_ends_at_the_cap() -> None:
    model, footprint = stepped(64)
    densifier = choose_densifier(Densify(strategy="mcmc"), cap=1000, initial=64, scene_scale=1.0)
    torch.manual_seed(1)
    for step, progress in ((100, 0.265), (200, 0.5)):
        densifier.after_step(model, footprint, (64, 48), step, progress)
        if step == 100:
            halfway = math.floor(64 * (1000 / 64) ** 0.5)
            assert len(model.gaussians) == pytest.approx(halfway, abs=3)
    assert len(model.gaussians) == 1000
