"""Files are decoded here by the formats' own definitions, not by the exporter's code."""

import re
from pathlib import Path

import numpy as np
import plyfile
import pytest
import torch
from scipy.spatial.transform import Rotation

from recon.counter import silent
from recon.errors import DataError
from recon.export.choose import exporter_for
from recon.export.interface import Subject
from recon.gaussians import HARMONIC_BAND_0, Gaussians
from recon.scene_file import read_ply
from recon.transform import transformed
from recon.types import Similarity


def scene(count: int) -> Gaussians:
    g = torch.Generator().manual_seed(count)
    return Gaussians(
        means=torch.rand(count, 3, generator=g) * 10,
        quaternions=torch.randn(count, 4, generator=g),
        log_scales=torch.randn(count, 3, generator=g) - 3,
        opacity_logits=torch.rand(count, generator=g) * 8 - 4,
        sh_base=torch.rand(count, 1, 3, generator=g) * 3 - 1.5,
        sh_rest=torch.randn(count, 15, 3, generator=g) * 0.5,
    )


THERE = Similarity(
    3.0,
    torch.from_numpy(Rotation.random(rng=5).as_matrix()),
    torch.tensor([10.0, -20.0, 3.0], dtype=torch.float64),
)


def export(g: Gaussians, to_source: Similarity, path: Path, to, *, metric: bool) -> None:
    """Write a scene that nobody has seen yet, and that need not be drawn for this."""
    exporter_for(to).write(Subject(g, to_source, metric, (), lambda: None), path, silent)


def nearest(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Exporters reorder: for each Gaussian found, which of the wanted ones lies nearest."""
    near = np.linalg.norm(found[:, None] - wanted[None], axis=2).argmin(1)
    assert len(set(near.tolist())) == len(found)
    return near


def colors(g: Gaussians) -> np.ndarray:
    return (g.sh_base[:, 0] * HARMONIC_BAND_0 + 0.5).numpy()


def angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Between rotations given as quaternions wxyz, in radians."""
    a, b = (Rotation.from_quat(q, scalar_first=True) for q in (a, b))
    return (a * b.inv()).magnitude()


def test_plain_ply_is_the_scene_file(tmp_path):
    export(scene(9), THERE, tmp_path / "a.ply", "ply", metric=True)
    torch.testing.assert_close(
        read_ply(tmp_path / "a.ply").means, transformed(scene(9), THERE).means
    )


@pytest.mark.parametrize("count", [1, 300])
def test_splat_holds_32_bytes_a_gaussian(tmp_path, count):
    path = tmp_path / "a.splat"
    export(scene(count), THERE, path, "splat", metric=True)
    record = [("mean", "<f4", 3), ("scale", "<f4", 3), ("rgba", "u1", 4), ("rotation", "u1", 4)]
    rows = np.frombuffer(path.read_bytes(), record)
    assert rows.itemsize == 32
    assert len(rows) == count
    wanted = transformed(scene(count), THERE)
    order = nearest(rows["mean"], wanted.means.numpy())
    np.testing.assert_allclose(rows["mean"], wanted.means[order], rtol=1e-6)
    np.testing.assert_allclose(rows["scale"], wanted.scales[order], rtol=1e-5)
    # One step of 8 bits, because the exporter cuts instead of rounding.
    np.testing.assert_allclose(
        rows["rgba"][:, :3] / 255, colors(wanted)[order].clip(0, 1), atol=1 / 255 + 1e-6
    )
    np.testing.assert_allclose(
        rows["rgba"][:, 3] / 255, wanted.opacities[order], atol=1 / 255 + 1e-6
    )
    decoded = (rows["rotation"].astype(float) - 128) / 128
    assert angles(decoded, wanted.quaternions[order].numpy()).max() < 0.04


def unpacked(values: np.ndarray, bits: tuple[int, ...]) -> np.ndarray:
    """Fields of an integer from the highest bits down, each as a fraction of its largest value."""
    shifts = np.cumsum([0, *bits[::-1]])[-2::-1]
    fields = [
        (values >> np.uint32(s)) & np.uint32(2**b - 1) for s, b in zip(shifts, bits, strict=True)
    ]
    return np.stack([f / (2**b - 1) for f, b in zip(fields, bits, strict=True)], axis=1)


def decode_compressed(path: Path) -> dict[str, np.ndarray]:
    """Read the format as SuperSplat's documentation defines it."""
    data = plyfile.PlyData.read(path)
    chunk, vertex, sh = (data[name] for name in ("chunk", "vertex", "sh"))
    of = np.arange(len(vertex.data)) // 256

    def between(names: str, fractions: np.ndarray) -> np.ndarray:
        low, high = (
            np.stack([chunk[f"{end}_{n}"][of] for n in names.split()], axis=1)
            for end in ("min", "max")
        )
        return low + fractions * (high - low)

    rgba = unpacked(vertex["packed_color"], (8, 8, 8, 8))
    rotation = np.zeros((len(of), 4))
    largest = vertex["packed_rotation"] >> 30
    small = (
        unpacked(vertex["packed_rotation"] & np.uint32(2**30 - 1), (10, 10, 10)) - 0.5
    ) * 2**0.5
    for row, (skip, values) in enumerate(zip(largest, small, strict=True)):
        others = [i for i in range(4) if i != skip]
        rotation[row, others] = values
        rotation[row, skip] = np.sqrt(max(0, 1 - (values**2).sum()))
    rest = np.stack([sh[f"f_rest_{i}"] for i in range(45)], axis=1)
    return {
        "means": between("x y z", unpacked(vertex["packed_position"], (11, 10, 11))),
        "log_scales": between(
            "scale_x scale_y scale_z", unpacked(vertex["packed_scale"], (11, 10, 11))
        ),
        "colors": between("r g b", rgba[:, :3]),
        "opacities": rgba[:, 3],
        "rotations": rotation,
        "sh_rest": ((rest + 0.5) / 256 - 0.5).reshape(-1, 3, 15).transpose(0, 2, 1) * 8,
    }


@pytest.mark.parametrize("count", [1, 257, 600])
def test_compressed_ply_is_right_within_its_steps(tmp_path, count):
    path = tmp_path / "a.compressed.ply"
    export(scene(count), THERE, path, "compressed-ply", metric=True)
    found = decode_compressed(path)
    wanted = transformed(scene(count), THERE)
    assert len(found["means"]) == count
    order = nearest(found["means"], wanted.means.numpy())
    # Half a step of 10 bits of a box of at most 30 sqrt(3) units; likewise below.
    np.testing.assert_allclose(found["means"], wanted.means[order], atol=52 / 1023 / 2)
    span = np.ptp(wanted.log_scales.numpy())
    np.testing.assert_allclose(found["log_scales"], wanted.log_scales[order], atol=span / 1023)
    np.testing.assert_allclose(found["colors"], colors(wanted)[order], atol=1 / 255)
    np.testing.assert_allclose(found["opacities"], wanted.opacities[order], atol=0.51 / 255)
    np.testing.assert_allclose(
        found["sh_rest"], wanted.sh_rest[order].clip(-4, 4), atol=8 / 256 / 2 + 1e-6
    )
    assert angles(found["rotations"], wanted.quaternions[order].numpy()).max() < 0.01


def test_compressed_ply_leaves_out_what_cannot_be_seen(tmp_path):
    g = scene(50)
    g.opacity_logits[:20] = -9
    export(g, THERE, tmp_path / "a.ply", "compressed-ply", metric=False)
    assert len(decode_compressed(tmp_path / "a.ply")["means"]) == 30
    text = (tmp_path / "a.ply").read_bytes()[:400].decode("ascii", "replace")
    assert re.search(r"comment units: those of the input", text)


@pytest.mark.parametrize("file_format", ["ply", "splat", "compressed-ply"])
def test_a_scene_that_shows_nothing_writes_nothing(tmp_path, file_format):
    invisible, broken = scene(4), scene(4)
    invisible.opacity_logits[:] = -20
    broken.means[2, 1] = float("nan")
    for g, said in ((invisible, "no Gaussian that can be seen"), (broken, "means of the scene")):
        with pytest.raises(DataError, match=said):
            export(g, THERE, tmp_path / "a", file_format, metric=True)
    assert not list(tmp_path.iterdir())
