"""Pose refinement: motions against scipy, and a photo that finds back to where it was taken."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from photos import NoPhoto
from scipy.spatial.transform import Rotation
from splat_scenes import cloud

from recon.parts_optimizer import PartsOptimizer
from recon.pose_refinement import GivenPoses, RefinedPoses, rigid_motion
from recon.raster.reference import ReferenceRasterizer
from recon.types import Camera, View

CPU = torch.device("cpu")


def view(name: str, pose: torch.Tensor) -> View:
    return View(name, Camera(pose, 40.0, 40.0, 16.0, 12.0, 32, 24), NoPhoto())


@given(st.lists(st.floats(-2, 2), min_size=6, max_size=6))
def test_motion_agrees_with_scipy(numbers: list[float]) -> None:
    turn, move = np.array(numbers[:3]), np.array(numbers[3:])
    expected = np.eye(4)
    expected[:3, :3], expected[:3, 3] = Rotation.from_rotvec(turn).as_matrix(), move
    found = rigid_motion(torch.from_numpy(turn), torch.from_numpy(move)).numpy()
    assert np.allclose(found, expected, atol=1e-9)


def test_given_poses_are_left_alone() -> None:
    one = view("a", torch.eye(4))
    assert GivenPoses().camera(one) is one.camera
    assert not GivenPoses().tensors()


def test_a_displaced_photo_finds_back(one_thread: None) -> None:
    scene, rasterizer = cloud(60, sigma=0.15, seed=3).to(torch.float64), ReferenceRasterizer()
    true = torch.eye(4, dtype=torch.float64)
    off = rigid_motion(
        torch.tensor([0.004, -0.006, 0.003], dtype=torch.float64),
        torch.tensor([0.01, -0.008, 0.01], dtype=torch.float64),
    )
    views = [view("right", true), view("displaced", off @ true)]
    photo = rasterizer.render(scene, views[0].camera).color.detach()
    poses = RefinedPoses(views, 1.0, CPU)
    optimizer = PartsOptimizer({"poses": poses})

    def error() -> torch.Tensor:
        return (rasterizer.render(scene, poses.camera(views[1])).color - photo).abs().mean()

    before = float(error().detach())
    for step in range(150):
        optimizer.schedule(step / 150)
        torch.autograd.backward(error())
        optimizer.step()
    found = poses.camera(views[1]).world_to_camera.detach()
    assert float(error().detach()) < 0.2 * before
    assert float((found - true).abs().max()) < 0.25 * float((off - torch.eye(4)).abs().max())
    unmoved = poses.camera(views[0]).world_to_camera.detach()
    assert torch.equal(unmoved, true)


def test_translations_are_in_units_of_the_scene() -> None:
    one = view("a", torch.eye(4))
    poses = RefinedPoses([one], 20.0, CPU)
    with torch.no_grad():
        poses.tensors()["twist_0"][3] = 0.01
    moved = poses.camera(replace(one)).world_to_camera.detach()
    assert float(moved[0, 3]) == pytest.approx(0.2)
