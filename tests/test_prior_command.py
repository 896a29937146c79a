"""`recon prior`, as its user runs it: files that can be read again, and answers to mistakes."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from PIL.ExifTags import IFD, Base
from priors_made import FRAMES, depth_anything, meter

from recon.commands.prior import Prior
from recon.errors import DataError, UsageError
from recon.pictures import LEGEND_WIDTH
from recon.priors.file import DepthFiles, FilePrior
from recon.priors.interface import Frame, PriorDepth
from recon.priors.written import write_prior
from recon.types import DepthKind, DepthMap

pytestmark = pytest.mark.usefixtures("one_thread")


def photo(path: Path, *, focal_35mm: int | None = None, orientation: int = 1) -> Path:
    """Write a photo of 90x60 pixels, with what its EXIF says."""
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    if focal_35mm is not None:
        exif.get_ifd(IFD.Exif)[Base.FocalLengthIn35mmFilm] = focal_35mm
    grey = np.tile(np.linspace(0, 255, 90).astype(np.uint8), (60, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(grey).save(path, exif=exif)
    return path


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    found = meter("meter-kitti", tmp_path, 1).weights
    assert found is not None
    return found


def depth_file(path: Path, z: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, z)


def told(path: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads(path.read_text())
    return content


def test_what_is_written_says_how_to_read_it(tmp_path: Path) -> None:
    z = np.linspace(0.5, 30, 60 * 90).reshape(60, 90)
    z[:10] = 0
    depth_file(tmp_path / "depth" / "a.npy", z)
    out = tmp_path / "out"
    Prior((photo(tmp_path / "a.jpg"),), "file", out, files=tmp_path / "depth")()
    facts = told(out / "a.json")
    assert (facts["model"], facts["kind"], facts["unit"]) == ("file", "metric", None)
    assert (facts["width"], facts["height"], facts["focal_px"]) == (90, 60, None)
    assert facts["valid_share"] == pytest.approx(50 / 60)
    steps = facts["steps_per_unit"]
    assert steps == 1000
    png = cv2.imread(str(out / "a.depth.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_allclose(png / steps, z, atol=0.51 / steps)
    np.testing.assert_allclose(np.load(out / "a.npz")["depth"], z, rtol=1e-6)
    trust = cv2.imread(str(out / "a.confidence.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(trust, np.where(z > 0, 255, 0))
    assert cv2.imread(str(out / "a.colors.png")).shape == (60, 90 + LEGEND_WIDTH, 3)


def test_the_prior_file_reads_what_was_written(tmp_path: Path) -> None:
    frame = FRAMES[0]
    z = torch.rand(frame.pixels.shape[:2], generator=torch.Generator().manual_seed(1)) + 1
    valid = z > 1.2
    found = PriorDepth(
        DepthMap(torch.where(valid, z, 0.0), valid, DepthKind.SCALE),
        torch.where(valid, z - 1, 0.0),
    )
    (tmp_path / "given").mkdir()
    source = FilePrior(DepthFiles(tmp_path / "given"))
    write_prior(tmp_path / "out", "photo", source, frame, found)
    again = FilePrior(DepthFiles(tmp_path / "out", kind=DepthKind.SCALE)).predict(frame)
    assert torch.equal(again.depth.z, found.depth.z)
    assert torch.equal(again.depth.valid, valid)
    assert again.confidence is not None
    assert found.confidence is not None
    assert torch.equal(again.confidence, found.confidence)


def test_a_photo_without_any_depth_is_written(tmp_path: Path) -> None:
    depth_file(tmp_path / "depth" / "a.npy", np.zeros((60, 90)))
    Prior((photo(tmp_path / "a.jpg"),), "file", tmp_path / "out", files=tmp_path / "depth")()
    facts = told(tmp_path / "out" / "a.json")
    assert (facts["valid_share"], facts["median"]) == (0, None)


def test_networks_say_metres_and_the_focal_length(
    tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    Prior((photo(tmp_path / "a.jpg"),), "meter-kitti", out, 80.0, weights)()
    facts = told(out / "a.json")
    assert (facts["unit"], facts["focal_px"]) == ("metres", 80.0)
    assert capsys.readouterr().out == f"{out / 'a.json'}\n"


def test_the_focal_length_is_taken_from_exif_and_photos_are_turned(
    tmp_path: Path, weights: Path
) -> None:
    path = photo(tmp_path / "a.jpg", focal_35mm=24, orientation=6)
    Prior((path,), "meter-kitti", tmp_path / "out", weights=weights)()
    facts = told(tmp_path / "out" / "a.json")
    assert (facts["width"], facts["height"]) == (60, 90)
    # As on film 36 mm wide, of which the long side is that of the photo.
    assert facts["focal_px"] == pytest.approx(24 / 36 * 90)


def test_metres_need_a_focal_length_and_relative_depth_does_not(
    tmp_path: Path, weights: Path
) -> None:
    path = photo(tmp_path / "a.jpg")
    with pytest.raises(UsageError, match=r"a\.jpg: its EXIF does not say .* --focal-px"):
        Prior((path,), "meter-kitti", tmp_path / "out", weights=weights)()
    assert not (tmp_path / "out").exists()
    network = depth_anything("depth-anything-s", tmp_path, 1).weights
    Prior((path,), "depth-anything-s", tmp_path / "out", weights=network)()
    facts = told(tmp_path / "out" / "a.json")
    assert (facts["unit"], facts["kind"]) == (None, "affine_disparity")


def test_a_photo_of_which_little_gets_depth_is_told(
    tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A very wide camera: what KITTI's does not see gets no depth."""
    Prior((photo(tmp_path / "a.jpg"),), "meter-kitti", tmp_path / "out", 10.0, weights)()
    assert "a.jpg: depth for" in capsys.readouterr().err


def test_photos_of_one_name_get_files_of_their_own(tmp_path: Path) -> None:
    images = tuple(photo(tmp_path / side / "1.jpg") for side in ("left", "right"))
    for side, z in (("left", 1.0), ("right", 2.0)):
        depth_file(tmp_path / "depth" / side / "1.npy", np.full((60, 90), z))
    Prior(images, "file", tmp_path / "out", files=tmp_path / "depth")()
    assert told(tmp_path / "out" / "left_1.json")["median"] == 1
    assert told(tmp_path / "out" / "right_1.json")["median"] == 2
    with pytest.raises(UsageError, match=r"left/1\.jpg is given twice"):
        Prior((images[0], images[0]), "file", tmp_path / "out", files=tmp_path / "depth")()


@pytest.mark.parametrize("focal", [0.0, -5.0, float("nan"), float("inf")])
def test_numbers_out_of_range_are_refused(tmp_path: Path, focal: float) -> None:
    path = photo(tmp_path / "a.jpg")
    with pytest.raises(UsageError, match="--focal-px"):
        Prior((path,), "meter-kitti", tmp_path / "out", focal)()
    with pytest.raises(UsageError, match="--files-steps"):
        Prior((path,), "file", tmp_path / "out", files=tmp_path, files_steps=focal)()


def test_what_is_missing_is_named(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(UsageError, match="needs photos"):
        Prior((), "meter-kitti", tmp_path / "out")()
    with pytest.raises(UsageError, match="--files"):
        Prior((photo(tmp_path / "a.jpg"),), "file", tmp_path / "out")()
    with pytest.raises(DataError, match=r"b\.jpg: no such file"):
        Prior((tmp_path / "b.jpg",), "meter-kitti", tmp_path / "out", 50.0, weights)()


def test_a_frame_may_lie_deeper_than_16_bits_count(tmp_path: Path) -> None:
    """Steps are chosen for all depths but strays, which are then the largest value."""
    z = np.full((60, 90), 900.0)
    z[0, 0] = 1e7
    depth_file(tmp_path / "depth" / "a.npy", z)
    Prior((photo(tmp_path / "a.jpg"),), "file", tmp_path / "out", files=tmp_path / "depth")()
    steps = told(tmp_path / "out" / "a.json")["steps_per_unit"]
    png = cv2.imread(str(tmp_path / "out" / "a.depth.png"), cv2.IMREAD_UNCHANGED)
    assert png[0, 0] == 65535
    np.testing.assert_allclose(png[1:] / steps, 900, rtol=0.05)


def test_frames_are_not_written_by_name_alone(tmp_path: Path) -> None:
    frame = Frame("a/b/c.png", FRAMES[0].pixels, FRAMES[0].camera)
    ones = torch.ones(frame.pixels.shape[:2])
    (tmp_path / "given").mkdir()
    prior = FilePrior(DepthFiles(tmp_path / "given"))
    path = write_prior(tmp_path / "out", "c", prior, frame, PriorDepth(DepthMap(ones, ones > 0)))
    assert told(path)["image"] == "a/b/c.png"
