"""Points for gaps: in the photos' own colours, where the cloud shows nothing, and nowhere else."""

from pathlib import Path

import torch
from photos import MemoryPhoto

from recon.camera import inside, project
from recon.fill import CELLS, fill_gaps
from recon.types import Camera, Capture, PointCloud, Similarity, Split, View

WIDTH, HEIGHT = 96, 64


def halves() -> MemoryPhoto:
    """Red on the left, blue on the right."""
    photo = torch.zeros(HEIGHT, WIDTH, 3, dtype=torch.uint8)
    photo[:, : WIDTH // 2, 0] = 200
    photo[:, WIDTH // 2 :, 2] = 200
    return MemoryPhoto(photo)


def capture(views: int = 1) -> Capture:
    camera = Camera(torch.eye(4), 80.0, 80.0, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)
    made = tuple(View(f"{i}", camera, halves()) for i in range(views))
    identity = Similarity.shift(torch.zeros(3))
    split = Split(tuple(range(views)), (), "all")
    return Capture(Path("made"), "made", made, split, None, True, identity)


def wall(left: float, right: float, depth: float) -> PointCloud:
    """Points that cover a part of the photo, given by its columns, at one depth."""
    x, y = torch.meshgrid(
        torch.arange(float(left), right), torch.arange(0.5, HEIGHT), indexing="ij"
    )
    pixels = torch.stack([x.flatten() + 0.5 - WIDTH / 2, y.flatten() - HEIGHT / 2], -1) / 80
    positions = torch.cat([pixels, torch.ones(len(pixels), 1)], -1) * depth
    return PointCloud(positions, torch.zeros(len(positions), 3, dtype=torch.uint8))


def test_gaps_get_coloured_points_beside_and_behind() -> None:
    torch.manual_seed(0)
    taken = capture()
    filling = fill_gaps(taken, wall(0, WIDTH // 2, 10.0), 400)
    assert len(filling) == 400
    camera = taken.views[0].camera
    pixels, depth = project(camera, filling.positions)
    assert bool(inside(camera, pixels, depth).all())
    # The cloud covers the left half, and the gap begins a cell beyond it.
    assert float(pixels[:, 0].min()) >= WIDTH / 2 + WIDTH / CELLS - 1e-3
    assert bool((filling.colors == torch.tensor([0, 0, 200], dtype=torch.uint8)).all())
    near = depth < 10.0 * 1.001
    assert 0.3 < float(near.float().mean()) < 0.5
    assert float(depth.max()) <= 80.0 * 1.01
    beyond = depth[depth > 30]
    assert 0.04 < len(beyond) / 400 < 0.16


def test_what_points_surround_is_glass_and_no_gap() -> None:
    frame = wall(0, WIDTH, 10.0)
    x, y = frame.positions[:, 0] * 8, frame.positions[:, 1] * 8
    window = (x.abs() < 16) & (y.abs() < 12)
    around = PointCloud(frame.positions[~window], frame.colors[~window])
    assert len(fill_gaps(capture(), around, 100)) == 0


def test_a_covered_photo_needs_no_filling() -> None:
    assert len(fill_gaps(capture(), wall(0, WIDTH, 5.0), 100)) == 0


def test_a_photo_that_sees_no_point_gets_none() -> None:
    behind = PointCloud(torch.tensor([[0.0, 0.0, -3.0]]), torch.zeros(1, 3, dtype=torch.uint8))
    assert len(fill_gaps(capture(), behind, 100)) == 0


def test_no_more_than_asked_for() -> None:
    assert len(fill_gaps(capture(views=7), wall(0, 20, 5.0), 50)) == 50
    assert len(fill_gaps(capture(), wall(0, 20, 5.0), 0)) == 0
