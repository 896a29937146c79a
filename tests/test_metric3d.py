"""Metric3D's adapter around an ONNX network of a known answer: metres in closed form."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from priors_made import camera, onnx_of_brightness

from recon.errors import DataError, ResourceError
from recon.priors.interface import Frame
from recon.priors.metric3d import Metric3d
from recon.types import Camera


def ramp(width: int, height: int) -> torch.Tensor:
    """Return a grey photo that brightens to the right, linear but for rounding to 8 bits."""
    level = torch.linspace(20, 220, width).round().to(torch.uint8)
    return level[None, :, None].expand(height, width, 3).contiguous()


@pytest.fixture
def prior(tmp_path: Path) -> Metric3d:
    pytest.importorskip("onnxruntime", reason="needs the extra prior")
    return Metric3d("s", onnx_of_brightness(tmp_path / "net.onnx", 0.1, 2.0))


@pytest.mark.parametrize(("width", "height"), [(532, 308), (1064, 616), (700, 200), (300, 400)])
@pytest.mark.parametrize("focal", [500.0, 900.0])
def test_metres_are_canonical_depth_times_the_focal_length_on_the_canvas(
    prior: Metric3d, width: int, height: int, focal: float
) -> None:
    pixels = ramp(width, height)
    depth = prior.predict(Frame("ramp", pixels, camera(width, height, focal))).depth
    scale = min(1064 / width, 616 / height)
    exact = (0.1 * pixels[:, :, 0].float() + 2) * focal * scale / 1000
    assert bool(depth.valid.all())
    # 0.7 brightness levels for rounding, less than a pixel for the canvas' whole size.
    torch.testing.assert_close(depth.z, exact, atol=0.1 * focal * scale / 1000, rtol=2e-3)


def test_two_focal_lengths_of_one_camera_are_averaged(prior: Metric3d) -> None:
    pixels = torch.full((308, 532, 3), 100, dtype=torch.uint8)
    own = Camera(torch.eye(4), 400.0, 900.0, 266.0, 154.0, 532, 308)
    depth = prior.predict(Frame("a", pixels, own)).depth
    torch.testing.assert_close(depth.z, torch.full((308, 532), 12 * 2 * 600.0 / 1000))


def test_the_sky_has_no_depth(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra prior")
    prior = Metric3d("s", onnx_of_brightness(tmp_path / "net.onnx", 1.0, 0.0))
    pixels = torch.full((308, 532, 3), 50, dtype=torch.uint8)
    pixels[:100] = 200
    depth = prior.predict(Frame("sky", pixels, camera(532, 308, 500.0))).depth
    assert not bool(depth.valid[:99].any())
    assert bool(depth.valid[101:].all())


def test_half_precision_gives_the_same_within_its_own(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra prior")
    frame = Frame("ramp", ramp(532, 308), camera(532, 308, 500.0))
    depths = []
    for kind in ("float32", "float16"):
        network = onnx_of_brightness(tmp_path / f"{kind}.onnx", 0.1, 2.0, kind)
        depths.append(Metric3d("l", network).predict(frame).depth.z)
    torch.testing.assert_close(*depths, rtol=5e-3, atol=0)


def test_padding_is_the_mean_colour(prior: Metric3d, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    answer = prior._canonical

    def watch(canvas: np.ndarray) -> np.ndarray:
        seen.append(canvas)
        return answer(canvas)

    monkeypatch.setattr(prior, "_canonical", watch)
    pixels = torch.zeros(100, 100, 3, dtype=torch.uint8)
    prior.predict(Frame("square", pixels, camera(100, 100, 100.0)))
    (canvas,) = seen
    assert canvas.shape == (616, 1064, 3)
    left = (1064 - 616) // 2
    np.testing.assert_allclose(
        canvas[:, :left], np.broadcast_to([123.675, 116.28, 103.53], (616, left, 3))
    )
    assert not canvas[:, left : left + 616].any()


def test_a_network_of_another_interface_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs the extra dev")
    pytest.importorskip("onnxruntime", reason="needs the extra prior")
    helper = onnx.helper
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 5])
    out = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 5])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    onnx.save(model, tmp_path / "other.onnx")
    prior = Metric3d("s", tmp_path / "other.onnx")
    with pytest.raises(DataError, match=r"other\.onnx: takes x \[1, 5\]; expected one image"):
        prior.predict(Frame("a", ramp(20, 10), camera(20, 10, 9.0)))


def test_without_onnx_runtime_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    prior = Metric3d("s", tmp_path / "net.onnx")
    with pytest.raises(ResourceError, match=r"defocus-recon\[prior\]"):
        prior.predict(Frame("a", ramp(20, 10), camera(20, 10, 9.0)))
