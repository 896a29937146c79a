"""Depth Anything's adapter around a small random network, against transformers' own processor."""

import sys
from pathlib import Path

import pytest
import torch
from priors_made import camera, depth_anything, frame

from recon.errors import DataError, ResourceError
from recon.priors.choose import choose_prior
from recon.priors.depth_anything import FARTHEST, DepthAnything
from recon.priors.interface import Frame
from recon.types import DepthKind

pytestmark = pytest.mark.usefixtures("one_thread")


def reference(folder: Path, photo: Frame) -> torch.Tensor:
    """Return what transformers' processor and network answer, at the photo's size."""
    transformers = pytest.importorskip("transformers", reason="needs the extra prior")
    processor = transformers.DPTImageProcessor(
        size={"height": 518, "width": 518},
        keep_aspect_ratio=True,
        ensure_multiple_of=14,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )
    network = transformers.DepthAnythingForDepthEstimation.from_pretrained(folder).eval()
    image = photo.pixels.permute(2, 0, 1)
    with torch.no_grad():
        answer = network(**processor(images=image, return_tensors="pt"))
    height, width = photo.pixels.shape[:2]
    (found,) = processor.post_process_depth_estimation(answer, [(height, width)])
    depth: torch.Tensor = found["predicted_depth"]
    return depth


def test_a_photo_that_needs_no_resizing_is_answered_as_by_transformers(tmp_path: Path) -> None:
    photo = frame(574, 518, "a.png")
    choice = depth_anything("depth-anything-outdoor-s", tmp_path, 1)
    found = choose_prior(choice).predict(photo).depth
    expected = reference(tmp_path / "network-1", photo)
    # Virtual KITTI's focal length, 725 px at a height of 375, is 1001.5 px at 518.
    metres = expected * photo.camera.fx / (725.0 * 518 / 375)
    torch.testing.assert_close(found.z, metres, rtol=1e-3, atol=1e-3)


def test_metres_grow_with_the_focal_length(tmp_path: Path) -> None:
    photo = frame(96, 64, "a.png")
    prior = choose_prior(depth_anything("depth-anything-indoor-s", tmp_path, 1))
    near = prior.predict(photo).depth.z
    longer = Frame("a.png", photo.pixels, camera(96, 64, 3 * photo.camera.fx))
    torch.testing.assert_close(prior.predict(longer).depth.z, 3 * near)


def test_relative_depth_is_the_inverse_of_disparity_up_to_factor_and_offset(tmp_path: Path) -> None:
    photo = frame(574, 518, "a.png")
    choice = depth_anything("depth-anything-s", tmp_path, 1)
    found = choose_prior(choice).predict(photo).depth
    assert found.kind is DepthKind.AFFINE_DISPARITY
    disparity = reference(tmp_path / "network-1", photo).double()
    inverse = 1 / found.z.double()
    # A straight line through two pixels must meet all others.
    low, high = disparity.argmin(), disparity.argmax()
    slope = (inverse.flatten()[high] - inverse.flatten()[low]) / (disparity.max() - disparity.min())
    line = inverse.flatten()[low] + slope * (disparity - disparity.min())
    torch.testing.assert_close(inverse, line, rtol=1e-3, atol=1e-5)
    assert float(found.z.min()) == pytest.approx(1, rel=1e-5)
    assert float(found.z.max()) <= FARTHEST * 1.001


def test_a_network_of_the_other_kind_is_refused(tmp_path: Path) -> None:
    choice = depth_anything("depth-anything-indoor-s", tmp_path, 1)
    assert choice.weights is not None
    prior = DepthAnything("any", "s", choice.weights / "model.safetensors")
    with pytest.raises(DataError, match="a metric network, and depth-anything-s is relative"):
        prior.predict(frame(96, 64, "a.png"))


def test_without_transformers_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    prior = DepthAnything("any", "s", tmp_path / "model.safetensors")
    with pytest.raises(ResourceError, match=r"defocus-recon\[prior\]"):
        prior.predict(frame(96, 64, "a.png"))
