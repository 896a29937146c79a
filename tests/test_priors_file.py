"""Depth files beside the photos: each kind of file, and each way to be wrong."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from priors_made import camera

from recon.errors import DataError
from recon.priors.file import DepthFiles, FilePrior
from recon.priors.interface import Frame
from recon.types import DepthKind

Z = np.array([[1.5, 0.0, 2.25], [40.0, 0.25, 65.0]])


def frame(name: str = "left/0001.jpg") -> Frame:
    return Frame(name, torch.zeros(2, 3, 3, dtype=torch.uint8), camera(3, 2, 2.0))


def png(path: Path, z: np.ndarray, steps: float) -> None:
    cv2.imwrite(str(path), np.rint(z * steps).astype(np.uint16))


WRITERS: dict[str, Callable[[Path, np.ndarray], None]] = {
    ".png": lambda path, z: png(path, z, 1000),
    ".npy": lambda path, z: np.save(path, z.astype(np.float32)),
    ".npz": lambda path, z: np.savez(path, depth=z),
}


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("place", ["left", "."])
def test_each_kind_of_file_is_read(tmp_path: Path, suffix: str, place: str) -> None:
    (tmp_path / place).mkdir(exist_ok=True)
    WRITERS[suffix](tmp_path / place / f"0001{suffix}", Z)
    found = FilePrior(DepthFiles(tmp_path, kind=DepthKind.SCALE)).predict(frame())
    np.testing.assert_allclose(found.depth.z.numpy(), Z, rtol=1e-6)
    np.testing.assert_array_equal(found.depth.valid.numpy(), Z > 0)
    assert found.depth.kind is DepthKind.SCALE
    assert found.confidence is None


def test_images_count_in_steps(tmp_path: Path) -> None:
    png(tmp_path / "0001.png", Z, 256)
    found = FilePrior(DepthFiles(tmp_path, steps_per_unit=256)).predict(frame())
    np.testing.assert_allclose(found.depth.z.numpy(), Z, atol=0.5 / 256)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrays(np.float32, (2, 3), elements=st.floats(allow_nan=True, width=32)))
def test_any_numbers_give_finite_depth(tmp_path: Path, values: np.ndarray) -> None:
    np.savez(tmp_path / "0001.npz", depth=values, confidence=values)
    found = FilePrior(DepthFiles(tmp_path)).predict(frame())
    good = np.isfinite(values) & (values > 0)
    np.testing.assert_array_equal(found.depth.z.numpy(), np.where(good, values, 0))
    assert found.confidence is not None
    trust = found.confidence.numpy()
    np.testing.assert_array_equal(trust, np.where(good, np.minimum(values, 1), 0))


def test_a_file_of_another_size_is_named_with_both_sizes(tmp_path: Path) -> None:
    np.save(tmp_path / "0001.npy", np.ones((4, 5)))
    with pytest.raises(DataError, match=r"0001\.npy: 5x4 pixels; expected 3x2 as left/0001\.jpg"):
        FilePrior(DepthFiles(tmp_path)).predict(frame())
    np.savez(tmp_path / "0002.npz", depth=Z, confidence=np.ones((1, 1)))
    with pytest.raises(DataError, match=r"0002\.npz: 1x1 pixels"):
        FilePrior(DepthFiles(tmp_path)).predict(frame("0002.png"))


def test_a_missing_file_and_two_that_fit_are_named(tmp_path: Path) -> None:
    prior = FilePrior(DepthFiles(tmp_path))
    with pytest.raises(DataError, match=r"no depth for left/0001\.jpg; expected 0001 with one of"):
        prior.predict(frame())
    for suffix, write in WRITERS.items():
        write(tmp_path / f"0001{suffix}", Z)
    with pytest.raises(DataError, match=r"0001\.npz and 0001\.npy both fit"):
        prior.predict(frame())
    with pytest.raises(DataError, match="no such folder"):
        FilePrior(DepthFiles(tmp_path / "absent"))


def test_no_file_beside_the_folder_is_taken(tmp_path: Path) -> None:
    """A photo's own name may lead to itself, and a photo is no depth."""
    png(tmp_path / "0001.png", Z, 1000)
    (tmp_path / "depth").mkdir()
    prior = FilePrior(DepthFiles(tmp_path / "depth"))
    for name in (f"{tmp_path}/0001.png", "../0001.png"):
        with pytest.raises(DataError, match="no depth for"):
            prior.path_of(name)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"z": Z}, 'holds no array "depth"'),
        ({"depth": np.ones(6)}, r"found float64 of shape \(6,\)"),
        ({"depth": np.full((2, 3), "a")}, "found <U1"),
    ],
)
def test_other_arrays_are_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], words: str
) -> None:
    np.savez(tmp_path / "0001.npz", **arrays)
    with pytest.raises(DataError, match=words):
        FilePrior(DepthFiles(tmp_path)).predict(frame())


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("content", [b"", b"no such thing", b"PK\x03\x04 broken"])
def test_damaged_files_are_named(tmp_path: Path, suffix: str, content: bytes) -> None:
    (tmp_path / f"0001{suffix}").write_bytes(content)
    with pytest.raises(DataError, match=r"0001\."):
        FilePrior(DepthFiles(tmp_path)).predict(frame())


def test_the_identity_is_that_of_the_contents(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    np.save(tmp_path / "one" / "0001.npy", Z)
    (tmp_path / "one").rename(tmp_path / "two")
    moved = FilePrior(DepthFiles(tmp_path / "two")).identity()
    (tmp_path / "one").mkdir()
    np.save(tmp_path / "one" / "0001.npy", Z)
    assert FilePrior(DepthFiles(tmp_path / "one")).identity() == moved
    assert FilePrior(DepthFiles(tmp_path / "one", steps_per_unit=2)).identity() != moved
    np.save(tmp_path / "one" / "0001.npy", Z + 1)
    assert FilePrior(DepthFiles(tmp_path / "one")).identity() != moved
