"""Points and meshes of surfaces that are known exactly."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from surface_scenes import (
    WIDTH,
    Found,
    haze,
    joined,
    subject,
    views,
    wall_and_ball,
)

from recon.counter import silent
from recon.errors import DataError, ResourceError, UsageError
from recon.export.choose import exporter_for
from recon.export.interface import Exporter
from recon.export.mesh import normals_of, without_crumbs
from recon.export.points import Points
from recon.export.sight_lines import standing
from recon.export.surface import SurfaceSettings, believed, grain_of
from recon.export.voxels import VoxelMeans
from recon.raster.interface import Render, ScreenFootprint
from recon.render import covered_depth
from recon.types import Similarity

pytestmark = pytest.mark.usefixtures("one_thread")

THERE = Similarity(
    2.5,
    torch.from_numpy(Rotation.random(rng=5).as_matrix()),
    torch.tensor([400_000.0, -20.0, 3.0], dtype=torch.float64),
)
VOXEL = 0.08


def exporter(kind: str) -> Exporter:
    if kind == "mesh":
        pytest.importorskip("open3d", exc_type=ImportError)
    return exporter_for(kind, SurfaceSettings(voxel=VOXEL))


@pytest.mark.parametrize("kind", ["points", "mesh"])
def test_a_surface_lies_where_it_is_in_the_frame_of_the_input(tmp_path, kind):
    said = exporter(kind).write(subject(wall_and_ball(), THERE), tmp_path / "a.ply", silent)
    found = Found.read(tmp_path / "a.ply", THERE)
    assert f"{VOXEL} m" in said
    off = found.off()
    # All of a Gaussian has the depth of its centre, so one on a slope is off by about its width.
    assert np.median(off) < WIDTH / 2
    assert np.quantile(off, 0.99) < WIDTH
    assert off.max() < 1.5 * WIDTH
    # All of the ball that cameras face, and of the wall what they see beside it.
    facing = found.positions[found.on_ball]
    assert np.ptp(facing[:, 1]) > 1.6
    assert np.ptp(found.positions[~found.on_ball][:, 0]) > 5
    aligned = (found.normals * found.true_normals()).sum(axis=1)
    assert np.quantile(aligned, 0.05) > 0.85
    red = found.colors[found.on_ball]
    np.testing.assert_allclose(np.median(red, axis=0), [255, 0, 0], atol=2)
    np.testing.assert_allclose(np.median(found.colors[~found.on_ball], axis=0), 255, atol=2)


def test_triangles_face_the_cameras(tmp_path):
    exporter("mesh").write(subject(wall_and_ball()), tmp_path / "a.ply", silent)
    found = Found.read(tmp_path / "a.ply")
    assert found.faces is not None
    a, b, c = (found.positions[found.faces[:, i]] for i in range(3))
    middle = (a + b + c) / 3
    outwards = (np.cross(b - a, c - a) * (np.array([0, 0, 0]) - middle)).sum(axis=1)
    assert (outwards > 0).mean() > 0.99


@pytest.mark.parametrize("kind", ["points", "mesh"])
def test_what_is_not_solid_is_left_out(tmp_path, kind):
    before = views()[3].camera
    given = subject(joined(wall_and_ball(), haze(before)))
    seen = given.stage().draw(before)
    depth = covered_depth(seen, "median")[36, 48]
    assert 0.8 < depth < 2.0
    exporter(kind).write(given, tmp_path / "a.ply", silent)
    found = Found.read(tmp_path / "a.ply")
    assert found.off().max() < 1.5 * WIDTH


def test_each_voxel_gives_one_point(tmp_path):
    Points(SurfaceSettings(voxel=0.2, farthest=4.0)).write(
        subject(wall_and_ball()), tmp_path / "a.ply", silent
    )
    found = Found.read(tmp_path / "a.ply").positions
    cells = np.floor(found / 0.2)
    assert len(np.unique(cells, axis=0)) == len(found)
    depths = [
        (found - v.camera.position.numpy()) @ v.camera.world_to_camera[2, :3].numpy()
        for v in views()
    ]
    assert np.min(depths, axis=0).max() < 4.1


def test_the_default_grain_follows_the_scene():
    def grain(scale: float):
        scene = wall_and_ball()
        scene.means *= scale
        scene.log_scales += np.log(scale)
        seen = tuple(_scaled(view, scale) for view in views())
        given = subject(scene, seen_from=seen)
        return grain_of(SurfaceSettings(), given.stage(), seen)

    one, ten = grain(1.0), grain(10.0)
    assert ten.voxel == pytest.approx(10 * one.voxel, rel=0.02)
    assert ten.farthest == pytest.approx(10 * one.farthest, rel=0.02)
    # Most pixels show the wall, 5 to 7 away; a pixel is a seventieth of that.
    assert 2 * 2.5 / 70 < one.voxel < 2 * 7 / 70


def _scaled(view, scale):
    from dataclasses import replace

    pose = view.camera.world_to_camera.clone()
    pose[:3, 3] *= scale
    return replace(view, camera=view.camera.moved(pose))


def render_of(depth: torch.Tensor, alpha=None, expected=None) -> Render:
    nothing = ScreenFootprint(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64))
    alpha = torch.ones_like(depth) if alpha is None else alpha
    return Render(torch.zeros(*depth.shape, 3), alpha, expected or depth, depth, nothing)


def test_planes_are_believed_and_the_ramp_at_an_edge_is_not():
    columns = torch.arange(40.0)
    slanted = 1 / (0.5 - 0.011 * columns)  # A plane from 2 to 14, as images show it.
    assert believed(render_of(slanted.repeat(9, 1)))[1:-1, 1:-1].all()
    jump = torch.where(columns < 20, 2.0, 8.0)
    jump[19:21] = torch.tensor([2.4, 4.0])
    kept = believed(render_of(jump.repeat(9, 1)))[4]
    assert kept.tolist() == [1 <= i <= 17 or 22 <= i <= 38 for i in range(40)]


def test_faint_pixels_are_not_believed():
    depth, alpha = torch.full((5, 5), 3.0), torch.full((5, 5), 0.95)
    alpha[2, 2] = 0.7
    kept = believed(render_of(depth, alpha))
    assert int(kept.sum()) == 8
    assert not kept[2, 2]


def test_points_before_which_the_views_look_past_do_not_stand():
    given = subject(wall_and_ball())
    on_wall, before, behind = [2.0, 1.0, 6.0], [1.7, 0.9, 5.0], [0.0, 0.0, 5.0]
    asked = torch.tensor([on_wall, before, behind])
    kept = standing(asked, given.stage(), given.views, lambda view: None)
    assert kept.tolist() == [True, False, False]


@given(
    st.lists(
        st.tuples(st.floats(-9, 9), st.floats(-9, 9), st.floats(-9, 9), st.floats(0.1, 5)),
        min_size=1,
        max_size=40,
    ),
    st.integers(1, 5),
)
def test_means_are_those_of_each_voxel(rows, parts):
    table = np.array(rows)
    grid = VoxelMeans(1.5, 4)
    for part in np.array_split(table, parts):
        grid.add(part, part[:, 3])
    found, weights = grid.means()
    cells = np.floor(table[:, :3] / 1.5)
    wanted = {}
    for cell in np.unique(cells, axis=0):
        inside = (cells == cell).all(axis=1)
        wanted[tuple(cell)] = np.average(table[inside], axis=0, weights=table[inside, 3])
    assert weights.sum() == pytest.approx(table[:, 3].sum())
    assert len(found) == len(wanted)
    # Means may lie on a voxel's edge by rounding, so they are matched as a whole.
    np.testing.assert_allclose(
        found[np.lexsort(found.T)],
        np.array(sorted(wanted.values(), key=lambda r: r[::-1].tolist())),
    )


def test_crumbs_fall_and_normals_are_those_of_a_plane():
    x, y = (t.ravel() for t in np.meshgrid(np.arange(9.0), np.arange(9.0)))
    corner = np.array([i for i in range(72) if i % 9 < 8])
    faces = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + 9], 1),
            np.stack([corner + 1, corner + 10, corner + 9], 1),
        ]
    ).astype(np.int32)
    crumb = np.array([[81, 82, 83]], np.int32)
    kept = without_crumbs(np.concatenate([crumb, faces]), 84)
    assert kept.tolist() == faces.tolist()
    positions = np.stack([x, y, 0.5 * x], 1).astype(np.float32)
    wanted = np.array([-0.5, 0, 1]) / np.hypot(0.5, 1)
    np.testing.assert_allclose(normals_of(positions, kept), np.tile(wanted, (81, 1)), atol=1e-6)


@pytest.mark.parametrize("kind", ["points", "mesh"])
def test_a_scene_without_a_surface_writes_nothing(tmp_path, kind):
    faint, empty = wall_and_ball(), wall_and_ball()
    faint.opacity_logits[:] = -4.5
    empty.opacity_logits[:] = -20
    for scene, said in ((faint, "nothing that is opaque"), (empty, "no Gaussian that can be seen")):
        with pytest.raises(DataError, match=said):
            exporter(kind).write(subject(scene), tmp_path / "a.ply", silent)
    near = type(exporter(kind))(SurfaceSettings(voxel=VOXEL, farthest=0.5))
    with pytest.raises(DataError, match=r"agree on no surface within 0\.5 m"):
        near.write(subject(wall_and_ball()), tmp_path / "a.ply", silent)
    assert not list(tmp_path.iterdir())


def test_a_mesh_without_open3d_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "open3d", None)
    with pytest.raises(UsageError, match=r"defocus-recon\[mesh\]"):
        exporter_for("mesh").write(subject(wall_and_ball()), tmp_path / "a.ply", silent)
    assert not list(tmp_path.iterdir())


def test_a_mesh_that_is_too_fine_stops_before_the_memory_does(tmp_path, monkeypatch):
    pytest.importorskip("open3d", exc_type=ImportError)
    monkeypatch.setattr("recon.export.fusion.available_memory_bytes", lambda: 10_000_000)
    with pytest.raises(ResourceError, match=r"no room for voxels of 0\.02 .* larger ones with"):
        exporter_for("mesh", SurfaceSettings(voxel=0.02)).write(
            subject(wall_and_ball()), tmp_path / "a.ply", silent
        )
    assert not list(tmp_path.iterdir())


def test_lengths_are_lengths_and_belong_to_surfaces():
    for settings in ({"voxel": 0.0}, {"farthest": -1.0}, {"voxel": float("nan")}):
        with pytest.raises(UsageError, match="expected a length of more than 0"):
            SurfaceSettings(**settings)
    with pytest.raises(UsageError, match="--to splat writes Gaussians"):
        exporter_for("splat", SurfaceSettings(voxel=1.0))
