"""METER with its published weights, measured; and around a network of a known answer."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from priors_made import camera

from recon.depth_metrics import score_depth
from recon.errors import DataError
from recon.networks.meter_canvas import TRAINING, MeterVariant
from recon.networks.meter_network import MeterXxs
from recon.priors.interface import Frame
from recon.priors.meter import Meter
from recon.types import Camera, DepthMap

pytestmark = pytest.mark.usefixtures("one_thread")
HIGHEST: dict[MeterVariant, tuple[float, float]] = {"kitti": (0.09, 0.99), "nyu": (0.10, 0.99)}
"""The worst AbsRel of the range that the notes on the weights give, and the least coverage."""


def scenes(shared: Path, variant: str) -> list[tuple[Frame, DepthMap]]:
    """Read photos, cameras and true depth."""
    folder = shared / "data" / "mono_depth_gt"
    listed = json.loads((folder / f"{variant}_demo" / "test_annotations.json").read_text())
    found = []
    for entry in listed["files"]:
        photo, depth = (folder / Path(entry[key]).relative_to("data") for key in ("rgb", "depth"))
        pixels = torch.from_numpy(np.ascontiguousarray(cv2.imread(str(photo))[..., ::-1]))
        steps = cv2.imread(str(depth), cv2.IMREAD_UNCHANGED).astype(np.float64)
        z = torch.from_numpy(steps / entry["depth_scale"]).float()
        height, width = z.shape
        own = Camera(torch.eye(4), *entry["cam_in"], width=width, height=height)
        found.append((Frame(photo.name, pixels, own), DepthMap(z, z > 0)))
    return found


@pytest.mark.parametrize("variant", ["kitti", "nyu"])
def test_published_weights_reach_their_published_error(shared: Path, variant: MeterVariant) -> None:
    prior = Meter(variant, shared / "weights" / "meter" / f"build_model_best_{variant}_xxs")
    error, coverage = HIGHEST[variant]
    scores = []
    for frame, truth in scenes(shared, variant):
        found = prior.predict(frame).depth
        scores.append(score_depth(found.z, truth).overall)
        assert scores[-1].coverage > coverage
    assert len(scores) == 3
    assert sum(score.abs_rel for score in scores) / 3 < error


@pytest.mark.parametrize("variant", ["kitti", "nyu"])
def test_half_a_photo_has_the_depth_of_the_whole(shared: Path, variant: MeterVariant) -> None:
    """A cropped photo has another aspect and centre; taken as it is, it would be stretched."""
    prior = Meter(variant, shared / "weights" / "meter" / f"build_model_best_{variant}_xxs")
    frame, _ = scenes(shared, variant)[0]
    whole = prior.predict(frame).depth
    own, quarter = frame.camera, frame.camera.width // 4
    part = Camera(
        own.world_to_camera, own.fx, own.fy, own.cx - quarter, own.cy, 2 * quarter, own.height
    )
    middle = slice(quarter, 3 * quarter)
    cut = prior.predict(Frame("cut", frame.pixels[:, middle].contiguous(), part)).depth
    both = cut.valid & whole.valid[:, middle]
    ratio = cut.z[both] / whole.z[:, middle][both]
    assert bool(both.float().mean() > 0.8)
    assert 0.8 < float(ratio.median()) < 1.25


class Known(MeterXxs):
    """Answers with what the canvas shows: red, in steps of the output's unit."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(image[:, :1], 4) * 255


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Meter:
    prior = Meter("kitti", Path("none"))
    prior.__dict__["_network"] = Known().eval()
    return prior


@pytest.mark.parametrize("enlargement", [1, 2])
def test_a_photo_of_another_resolution_is_the_same_to_the_network(
    known: Meter, enlargement: int
) -> None:
    """Twice the pixels and twice the focal length: the same rays, and so the same metres."""
    width, height, trained = 400, 120, TRAINING["kitti"].camera
    rows = torch.linspace(40, 200, height)[:, None, None].expand(-1, width, 3)
    pixels = rows.repeat_interleave(enlargement, 0).repeat_interleave(enlargement, 1)
    own = camera(enlargement * width, enlargement * height, enlargement * trained.fx)
    depth = known.predict(Frame("ramp", pixels.round().to(torch.uint8), own)).depth
    assert bool(depth.valid.all())
    # The answer belongs to the corner of its cell of 4 pixels, whose mean brightness it is.
    step = 160 / (height - 1)
    exact = 0.1 * (rows[:, :, 0] + 1.5 * step + 0.5 * step)
    inner = slice(8 * enlargement, -8 * enlargement)
    wide = exact.repeat_interleave(enlargement, 0).repeat_interleave(enlargement, 1)
    torch.testing.assert_close(depth.z[inner], wide[inner], atol=0.15, rtol=0)


def test_what_the_trained_camera_would_not_see_has_no_depth(known: Meter) -> None:
    """A camera of half the focal length sees twice as far, to the sides and up and down."""
    trained = TRAINING["kitti"].camera
    own = Camera(torch.eye(4), trained.fx / 2, trained.fy / 2, 320, 96, 640, 192)
    pixels = torch.full((192, 640, 3), 100, dtype=torch.uint8)
    depth = known.predict(Frame("wide", pixels, own)).depth
    # At the trained focal length it is 1280x384, its centre at the trained camera's, to a pixel.
    columns = 2 * (torch.arange(640) + 0.5) - 640 + trained.cx
    rows = 2 * (torch.arange(192) + 0.5) - 192 + trained.cy
    across, down = (columns >= 0) & (columns <= 640), (rows >= 0) & (rows <= 192)
    assert torch.equal(depth.valid, down[:, None] & across)
    assert 0.2 < float(depth.valid.float().mean()) < 0.3


def test_a_photo_of_a_narrow_camera_is_seen_whole(known: Meter) -> None:
    trained = TRAINING["kitti"].camera
    own = Camera(torch.eye(4), 4 * trained.fx, 4 * trained.fy, 700, 100, 640, 192)
    pixels = torch.full((192, 640, 3), 100, dtype=torch.uint8)
    depth = known.predict(Frame("narrow", pixels, own)).depth
    assert bool(depth.valid.all())
    torch.testing.assert_close(depth.z, torch.full((192, 640), 10.0))


def test_weights_of_another_network_are_told_from_none(tmp_path: Path) -> None:
    frame = Frame("a", torch.zeros(20, 30, 3, dtype=torch.uint8), camera(30, 20, 20.0))
    torch.save({"encoder.conv9.weight": torch.zeros(3)}, tmp_path / "other")
    with pytest.raises(DataError, match=r"other: expected the weights of METER.*found others"):
        Meter("nyu", tmp_path / "other").predict(frame)
    (tmp_path / "text").write_text("not found")
    with pytest.raises(DataError, match=r"text: .*no tensors saved by torch") as refused:
        Meter("nyu", tmp_path / "text").predict(frame)
    # Torch would advise to load it without a guard.
    assert "weights_only" not in str(refused.value)
