"""Exposure: known maps are recovered from photos, and held-out photos teach nothing."""

import pytest
import torch
from photos import NoPhoto

from recon.exposure import AffineExposure, AsTaken
from recon.parts_optimizer import PartsOptimizer
from recon.types import Camera, View

CPU = torch.device("cpu")


def view(sensor: str, time: float) -> View:
    camera = Camera(torch.eye(4), 1.0, 1.0, 0.5, 0.5, 1, 1)
    return View(f"{sensor}/{time}", camera, NoPhoto(), sensor=sensor, time=time)


def test_one_exposure_leaves_colours() -> None:
    color = torch.rand(2, 3, 3)
    assert torch.equal(AsTaken().apply(color, view("FRONT", 0.0)), color)


def test_known_brightness_and_tint_are_recovered(one_thread: None) -> None:
    torch.manual_seed(0)
    views = [view(s, float(t)) for s in ("FRONT", "LEFT") for t in range(3)]
    gain = {"FRONT": torch.tensor([1.0, 1.0, 1.0]), "LEFT": torch.tensor([0.8, 1.1, 0.9])}
    exposure = AffineExposure(views, CPU)
    optimizer = PartsOptimizer({"exposure": exposure})
    scene = torch.rand(8, 8, 3)
    for step in range(900):
        optimizer.schedule(step / 900)
        taken = views[step % len(views)]
        truth = scene * gain[taken.sensor] + 0.02 * taken.time
        torch.autograd.backward((exposure.apply(scene, taken) - truth).abs().mean())
        optimizer.step()
    for taken in views:
        truth = scene * gain[taken.sensor] + 0.02 * taken.time
        assert float((exposure.apply(scene, taken).detach() - truth).abs().mean()) < 0.01
    # A held-out photo between two others gets what lies between theirs.
    held = view("LEFT", 0.5)
    truth = scene * gain["LEFT"] + 0.01
    assert float((exposure.apply(scene, held).detach() - truth).abs().mean()) < 0.01


def test_held_out_photos_get_their_neighbours_exposure_in_time() -> None:
    views = [view("FRONT", t) for t in (0.0, 1.0, 4.0)]
    exposure = AffineExposure(views, CPU)
    with torch.no_grad():
        for index, value in enumerate((0.1, 0.2, 0.5)):
            exposure.tensors()[f"photo_{index}"][:, 3] = value
    black = torch.zeros(1, 1, 3)
    for time, value in ((0.5, 0.15), (2.5, 0.35), (9.0, 0.5), (-3.0, 0.1)):
        color = exposure.apply(black, view("FRONT", time)).detach()
        assert torch.allclose(color, torch.full((1, 1, 3), value), atol=1e-6)
    unknown = exposure.apply(black, view("REAR", 1.0)).detach()
    assert torch.equal(unknown, black)


def test_a_step_moves_only_the_photo_it_saw(one_thread: None) -> None:
    views = [view("FRONT", float(t)) for t in range(3)]
    exposure = AffineExposure(views, CPU)
    optimizer = PartsOptimizer({"exposure": exposure})
    for _ in range(5):
        torch.autograd.backward(exposure.apply(torch.ones(2, 2, 3), views[1]).sum())
        optimizer.step()
    assert float(exposure.tensors()["photo_1"].detach().abs().max()) > 0.01
    assert float(exposure.tensors()["photo_0"].detach().abs().max()) == 0


def test_state_of_another_capture_is_refused() -> None:
    two = PartsOptimizer({"exposure": AffineExposure([view("FRONT", 0.0)], CPU)})
    three = PartsOptimizer(
        {"exposure": AffineExposure([view("FRONT", float(t)) for t in range(3)], CPU)}
    )
    with pytest.raises(ValueError, match="photo_2"):
        two.restore(three.state())
