import resource
from pathlib import Path

import numpy as np
import plyfile
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from recon.errors import DataError, ResourceError
from recon.gaussians import Gaussians
from recon.scene_file import PROPERTIES, read_ply, write_ply
from recon.transform import transformed
from recon.types import Similarity

HERE = Similarity.shift(torch.zeros(3))


def scene(count: int, seed: int = 0) -> Gaussians:
    g = torch.Generator().manual_seed(seed)
    shapes = [(count, 3), (count, 4), (count, 3), (count,), (count, 1, 3), (count, 15, 3)]
    return Gaussians(*[torch.randn(s, generator=g) for s in shapes])


def elsewhere(seed: int = 0) -> Similarity:
    turn = torch.from_numpy(Rotation.random(rng=seed).as_matrix())
    return Similarity(2.5, turn, torch.tensor([100.0, -20.0, 3.0], dtype=torch.float64))


def unit(quaternions: torch.Tensor) -> torch.Tensor:
    return quaternions / quaternions.norm(dim=1, keepdim=True)


def assert_same(ours: Gaussians, expected: Gaussians) -> None:
    for name, values in expected.named().items():
        values = unit(values) if name == "quaternions" else values
        torch.testing.assert_close(ours.named()[name], values, rtol=1e-6, atol=1e-6)


@given(st.integers(1, 40), st.integers(0, 1000))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_written_is_read(tmp_path, count, seed):
    path = tmp_path / "scene.ply"
    write_ply(path, scene(count, seed), HERE, metric=True)
    assert_same(read_ply(path), scene(count, seed))


def test_the_scene_is_written_in_the_coordinates_of_the_input(tmp_path):
    path = tmp_path / "scene.ply"
    there = elsewhere()
    write_ply(path, scene(20), there, metric=False)
    back = transformed(read_ply(path).to(torch.float64), there.inverse())
    # The positions have lost what float32 loses 100 units from the origin.
    torch.testing.assert_close(back.means.float(), scene(20).means, rtol=0, atol=1e-5)
    torch.testing.assert_close(back.sh_rest.float(), scene(20).sh_rest, rtol=1e-5, atol=1e-5)


def test_plyfile_reads_the_standard_layout(tmp_path):
    path = tmp_path / "scene.ply"
    g = scene(7)
    write_ply(path, g, HERE, metric=True)
    data = plyfile.PlyData.read(path)
    vertex = data["vertex"]
    assert tuple(p.name for p in vertex.properties) == PROPERTIES
    assert {p.val_dtype for p in vertex.properties} == {"f4"}
    assert len(data.elements) == 1
    np.testing.assert_array_equal(vertex["y"], g.means[:, 1])
    np.testing.assert_array_equal(vertex["nx"], 0)
    np.testing.assert_array_equal(vertex["f_dc_2"], g.sh_base[:, 0, 2])
    # All coefficients of red come first: f_rest_15 is the first of green.
    np.testing.assert_allclose(vertex["f_rest_14"], g.sh_rest[:, 14, 0], atol=1e-6)
    np.testing.assert_allclose(vertex["f_rest_15"], g.sh_rest[:, 0, 1], atol=1e-6)
    np.testing.assert_array_equal(vertex["opacity"], g.opacity_logits)
    np.testing.assert_allclose(vertex["scale_1"], g.log_scales[:, 1], atol=1e-6)
    np.testing.assert_allclose(vertex["rot_0"], unit(g.quaternions)[:, 0], atol=1e-6)


@pytest.mark.parametrize(("metric", "said"), [(True, "units: metres"), (False, "not known to be")])
def test_the_comments_say_who_wrote_it_in_which_units_and_frame(tmp_path, metric, said):
    path = tmp_path / "scene.ply"
    write_ply(path, scene(1), HERE, metric=metric)
    comments = "\n".join(plyfile.PlyData.read(path).comments)
    assert "recon" in comments
    assert said in comments
    assert "frame: that of the input" in comments


def test_the_same_scene_gives_the_same_bytes(tmp_path):
    for name in ("a.ply", "b.ply"):
        write_ply(tmp_path / name, scene(9), elsewhere(), metric=True)
    assert (tmp_path / "a.ply").read_bytes() == (tmp_path / "b.ply").read_bytes()


def foreign(path: Path, rest: int, *, drop: str = "", extra: bool = False) -> np.ndarray:
    names = [n for n in PROPERTIES if not n.startswith(("f_rest", "n")) and n != drop]
    names += [f"f_rest_{i}" for i in range(rest)]
    fields = [(n, "f8" if n == "x" else "f4") for n in names] + [("label", "u1")] * extra
    table = np.ones(5, fields)
    for i in range(rest):
        table[f"f_rest_{i}"] = i
    plyfile.PlyData([plyfile.PlyElement.describe(table, "vertex")]).write(path)
    return table


@pytest.mark.parametrize(("rest", "degree"), [(0, 0), (9, 1), (24, 2), (45, 3)])
def test_foreign_scenes_of_any_degree_are_read(tmp_path, rest, degree):
    path = tmp_path / "scene.ply"
    foreign(path, rest, extra=True)
    sh_rest = read_ply(path).sh_rest
    used = (degree + 1) ** 2 - 1
    np.testing.assert_array_equal(sh_rest[0, :used], np.arange(rest).reshape(3, used).T)
    assert not sh_rest[:, used:].any()


@pytest.mark.parametrize("name", ["x", "opacity", "rot_3", "f_dc_1", "scale_2"])
def test_a_missing_property_is_named(tmp_path, name):
    path = tmp_path / "scene.ply"
    foreign(path, 9, drop=name)
    with pytest.raises(DataError, match=rf"lack {name};"):
        read_ply(path)


def test_an_odd_number_of_harmonics_is_refused(tmp_path):
    foreign(tmp_path / "scene.ply", 10)
    with pytest.raises(DataError, match="has 10 properties f_rest_"):
        read_ply(tmp_path / "scene.ply")


def test_a_compressed_scene_and_an_empty_one_are_told_apart(tmp_path):
    path = tmp_path / "scene.ply"
    for field, said in (("packed_position", "compressed PLY"), ("x", "lack")):
        table = np.ones(5, [(field, "u4")])
        plyfile.PlyData([plyfile.PlyElement.describe(table, "vertex")]).write(path)
        with pytest.raises(DataError, match=said):
            read_ply(path)
    write_ply(path, scene(0), HERE, metric=True)
    with pytest.raises(DataError, match="holds no Gaussians"):
        read_ply(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted_and_refused(tmp_path, value):
    path = tmp_path / "scene.ply"
    table = foreign(path, 9)
    table["f_rest_3"][2] = value
    table["x"][4] = value
    plyfile.PlyData([plyfile.PlyElement.describe(table, "vertex")]).write(path)
    with pytest.raises(DataError, match=r"2 of 5 Gaussians .* row 2"):
        read_ply(path)


def test_a_rotation_of_no_length_is_refused(tmp_path):
    path = tmp_path / "scene.ply"
    table = foreign(path, 0)
    for i in range(4):
        table[f"rot_{i}"][1] = 0
    plyfile.PlyData([plyfile.PlyElement.describe(table, "vertex")]).write(path)
    with pytest.raises(DataError, match="1 of 5"):
        read_ply(path)


def test_a_full_disk_leaves_the_last_scene_alone(tmp_path):
    path = tmp_path / "scene.ply"
    write_ply(path, scene(3), HERE, metric=True)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The system refuses larger files while they are written, as it does on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(ResourceError, match="disk is full"):
            write_ply(path, scene(4000), HERE, metric=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_number_of_threads_changes_no_byte(tmp_path):
    threads = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            write_ply(tmp_path / f"{count}.ply", scene(20_001), elsewhere(), metric=True)
    finally:
        torch.set_num_threads(threads)
    assert (tmp_path / "1.ply").read_bytes() == (tmp_path / "2.ply").read_bytes()
