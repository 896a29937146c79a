"""Points from depth, against a room whose geometry and paint are known exactly."""

import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from captures import make_scene, transforms, write_colmap_text, write_transforms
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recon.camera import inside, look_at, project
from recon.datasets.depth_points import VIEWS, depth_points, evenly
from recon.datasets.reader import ReadOptions, read_capture
from recon.types import Camera, DepthKind, DepthMap, Photo, View

pytestmark = pytest.mark.usefixtures("one_thread")

ROOM = 5.0
WIDTH, HEIGHT, FOCAL = 64, 48, 50.0
UP = torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64)


@dataclass
class RoomPhoto(Photo):
    """Of a cube with sides of twice ROOM, painted by place; depth by ray against each wall."""

    camera: Camera
    wrong: float | None = None
    """A depth that is given to the middle of the photo instead of the right one."""
    kind: DepthKind = DepthKind.METRIC
    asked: list[bool] = field(default_factory=list)

    def hits(self) -> tuple[Tensor, Tensor]:
        pose = self.camera.world_to_camera.double()
        v, u = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
        x, y = (u + 0.5 - self.camera.cx) / FOCAL, (v + 0.5 - self.camera.cy) / FOCAL
        rays = torch.stack([x, y, torch.ones_like(x)], dim=-1).double() @ pose[:3, :3]
        origin = -pose[:3, :3].T @ pose[:3, 3]
        z = ((torch.sign(rays) * ROOM - origin) / rays).min(dim=-1).values
        return origin + rays * z[..., None], z

    def pixels(self) -> Tensor:
        return paint(self.hits()[0])

    def valid(self) -> Tensor | None:
        use = torch.ones(HEIGHT, WIDTH, dtype=torch.bool)
        use[:, :8] = False
        return use

    def depth(self) -> DepthMap | None:
        self.asked.append(True)
        z = self.hits()[1].float()
        if self.wrong is not None:
            z[20:28, 28:36] = self.wrong
        valid = torch.ones_like(z, dtype=torch.bool)
        valid[:8] = False
        return DepthMap(torch.where(valid, z, 0), valid, self.kind, measured=False)

    def sky(self) -> Tensor | None:
        return None


def paint(points: Tensor) -> Tensor:
    return (127 + 25 * points).round().clamp(0, 255).to(torch.uint8)


def room_views(count: int) -> list[View]:
    views = []
    for i in range(count):
        position = torch.tensor([0.3 * math.sin(i), 0.1, 0.3 * math.cos(i)], dtype=torch.float64)
        target = torch.tensor([0.4 * i, 0.2, 5.0], dtype=torch.float64)
        pose = look_at(position, target, UP).float()
        camera = Camera(pose, FOCAL, FOCAL, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)
        views.append(View(f"{i}", camera, RoomPhoto(camera)))
    return views


def test_points_lie_on_the_walls_in_their_paint() -> None:
    notes: list[str] = []
    cloud = depth_points(room_views(5), notes, [])
    assert cloud is not None
    assert len(cloud) > 1000
    distance = cloud.positions.abs().max(dim=1).values
    torch.testing.assert_close(distance, torch.full_like(distance, ROOM), atol=1e-5, rtol=0)
    assert (paint(cloud.positions).int() - cloud.colors.int()).abs().max() <= 1
    assert notes == [
        f"{len(cloud)} points to begin with, from the depth of 5 training photos (matched in "
        "stereo, not measured); --start random does without"
    ]


def test_what_other_photos_see_through_is_left_out() -> None:
    views = room_views(5)
    photo = views[2].photo
    assert isinstance(photo, RoomPhoto)
    views[2] = replace(views[2], photo=replace(photo, wrong=2.0))
    cloud = depth_points(views, [], [])
    assert cloud is not None
    assert (cloud.positions.abs().max(dim=1).values > ROOM - 1e-3).all()
    alone = depth_points(views[2:3], [], [])
    assert alone is not None
    floating = alone.positions.abs().max(dim=1).values < ROOM - 1e-3
    assert floating.sum() > 10  # One photo alone is believed.


def test_a_few_photos_spread_over_all_are_asked() -> None:
    views = room_views(70)
    assert depth_points(views, [], []) is not None
    asked = [i for i, view in enumerate(views) if view.photo.asked]  # type: ignore[attr-defined]
    assert len(asked) == VIEWS
    assert max(b - a for a, b in zip([-1, *asked], [*asked, 70], strict=True)) <= 9


@given(st.integers(0, 300))
def test_every_view_comes_once(count: int) -> None:
    (view,) = room_views(1)
    views = [replace(view, name=f"{i}") for i in range(count)]
    order = evenly(views)
    assert sorted(int(view.name) for view in order) == list(range(count))


@pytest.mark.parametrize("kind", [DepthKind.SCALE, DepthKind.AFFINE, DepthKind.AFFINE_DISPARITY])
def test_depth_of_unknown_scale_gives_no_points(kind: DepthKind) -> None:
    views = room_views(2)
    views = [replace(v, photo=RoomPhoto(v.camera, kind=kind)) for v in views]
    assert depth_points(views, [], []) is None
    assert depth_points([], [], []) is None


def with_depth(folder: Path) -> None:
    """Nine photos; those held out by every fourth have a depth of 9 and not of 2."""
    scene = make_scene()
    write_transforms(folder, scene)
    content = transforms(scene) | {"ply_file_path": "", "depth_unit_scale_factor": 1.0}
    for i, frame in enumerate(content["frames"]):  # type: ignore[arg-type]
        frame["depth_file_path"] = f"depth_{i}.npy"
        np.save(folder / f"depth_{i}.npy", np.full((30, 40), 9.0 if i % 4 == 0 else 2.0))
    (folder / "transforms.json").write_text(json.dumps(content))


def test_only_training_photos_give_points(tmp_path: Path) -> None:
    with_depth(tmp_path)
    capture = read_capture(tmp_path, ReadOptions(hold_every=4))
    cloud = capture.points
    assert cloud is not None
    assert "from the depth of 6 training photos;" in capture.notes[-1]
    centres = torch.stack([view.camera.position for view in capture.train])
    assert torch.cdist(cloud.positions, centres).min(dim=1).values.max() < 3  # A diagonal of 2.


def test_a_depth_that_cannot_be_read_is_left_out_by_name(tmp_path: Path) -> None:
    with_depth(tmp_path)
    (tmp_path / "depth_3.npy").write_bytes(b"no array")
    capture = read_capture(tmp_path, ReadOptions(hold_every=4))
    assert capture.points is not None
    (warning,) = capture.warnings
    assert "images/photo_03.png" in warning
    assert "depth_3.npy" in warning


def test_points_that_came_with_a_capture_stay(tmp_path: Path) -> None:
    with_depth(tmp_path)
    content = json.loads((tmp_path / "transforms.json").read_text())
    (tmp_path / "transforms.json").write_text(json.dumps(content | {"ply_file_path": "points.ply"}))
    assert len(read_capture(tmp_path).points or ()) == 50


def test_a_fit_can_begin_at_random(tmp_path: Path) -> None:
    with_depth(tmp_path / "depth")
    write_colmap_text(tmp_path / "colmap", make_scene())
    for folder in ("depth", "colmap"):
        assert read_capture(tmp_path / folder).points is not None
        capture = read_capture(tmp_path / folder, ReadOptions(start="random"))
        assert capture.points is None
        assert not any("points" in note for note in capture.notes)


def test_the_real_room_begins_on_what_its_other_photos_measure(shared: Path) -> None:
    options = ReadOptions(downscale=4.0)
    capture = read_capture(shared / "data" / "rgbd_7scenes_tsdf", options)
    cloud = capture.points
    assert cloud is not None
    assert 10_000 < len(cloud) < 100_000
    off = []
    for view in capture.test:  # Not looked at for points.
        truth = view.photo.depth()
        assert truth is not None
        pixels, depth = project(view.camera, cloud.positions)
        seen = inside(view.camera, pixels, depth)
        column, row = pixels[seen].long().T
        known = truth.valid[row, column]
        off.append((depth[seen] / truth.z[row, column])[known])
    # What lies behind is hidden from a photo; hardly anything lies before what it sees.
    ratio = torch.cat(off)
    assert len(ratio) > 10_000
    assert (ratio < 0.85).float().mean() < 0.03
    assert ((ratio - 1).abs() < 0.05).float().mean() > 0.6
