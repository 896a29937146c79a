"""Depth priors with small weights of our own, in files of the real formats."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from published_names import published_state

from recon.evidence.interface import SparseDepth
from recon.networks.focus_meter import MeterFocus
from recon.networks.focus_stored import file_of, save_focus
from recon.networks.meter_canvas import MeterVariant, weights_of
from recon.networks.meter_network import MeterXxs
from recon.networks.siamese_coc import SiameseNetwork
from recon.networks.stored import save_network
from recon.priors.choose import PriorChoice, PriorName
from recon.priors.file import DepthFiles
from recon.priors.interface import Frame
from recon.priors.lidar import LidarSettings
from recon.types import Camera

Maker = Callable[[PriorName, Path, int], PriorChoice]
"""From a name, a folder and a seed to a choice; another seed has other weights, or settings."""


def camera(width: int, height: int, focal: float) -> Camera:
    return Camera(torch.eye(4), focal, focal, width / 2, height / 2, width, height)


def frame(width: int, height: int, name: str, brightness: float = 1.0) -> Frame:
    generator = torch.Generator().manual_seed(width)
    coarse = torch.rand(1, 3, 6, 8, generator=generator) * 255
    photo = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")[0]
    pixels = (brightness * photo).clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous()
    places = torch.rand(60, 2, generator=generator) * torch.tensor([width, height])
    sparse = SparseDepth(places, 3 + torch.rand(60, generator=generator), torch.ones(60))
    return Frame(name, pixels, camera(width, height, 0.8 * width), sparse)


FRAMES = (
    frame(96, 64, "a/photo.png"),
    frame(61, 83, "a/portrait.jpg"),
    frame(70, 50, "a/black.png", brightness=0.0),
)


def meter(variant: PriorName, folder: Path, seed: int) -> PriorChoice:
    torch.manual_seed(seed)
    network = MeterXxs()
    with torch.no_grad():
        # Its inputs are not negative, so that neither is the depth.
        network.decoder.conv2d_out.weight.abs_()
    path = folder / f"meter-{seed}"
    torch.save(network.state_dict(), path)
    return PriorChoice(variant, path)


def onnx_of_brightness(path: Path, slope: float, offset: float, dtype: str = "float32") -> Path:
    """Write a network of Metric3D's interface that answers slope * brightness + offset."""
    onnx = pytest.importorskip("onnx", reason="needs the extra dev")
    kind = onnx.TensorProto.FLOAT if dtype == "float32" else onnx.TensorProto.FLOAT16
    helper = onnx.helper
    constants = [
        onnx.numpy_helper.from_array(np.array(value, dtype), name)
        for name, value in (("slope", slope), ("offset", offset))
    ]
    # With the opset of the published export, in which the axes are an attribute.
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["mean", "slope"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offset"], ["pred_depth"]),
    ]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("image", kind, [1, 3, 616, 1064])],
        [helper.make_tensor_value_info("pred_depth", kind, [1, 1, 616, 1064])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    onnx.save(model, path)
    return path


def metric3d(model: PriorName, folder: Path, seed: int) -> PriorChoice:
    pytest.importorskip("onnxruntime", reason="needs the extra prior")
    return PriorChoice(model, onnx_of_brightness(folder / f"net-{seed}.onnx", 0.1, 5.0 + seed))


def depth_anything(model: PriorName, folder: Path, seed: int) -> PriorChoice:
    transformers = pytest.importorskip("transformers", reason="needs the extra prior")
    torch.manual_seed(seed)
    metric = "door" in model
    backbone = transformers.Dinov2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=518,
        patch_size=14,
        out_indices=[1, 2],
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=16,
        reassemble_factors=[2, 1],
        neck_hidden_sizes=[8, 16],
        fusion_hidden_size=8,
        head_hidden_size=8,
        patch_size=14,
        depth_estimation_type="metric" if metric else "relative",
        max_depth=80 if metric else 1,
    )
    place = folder / f"network-{seed}"
    transformers.DepthAnythingForDepthEstimation(config).save_pretrained(place)
    return PriorChoice(model, place)


def siamese(model: PriorName, folder: Path, seed: int) -> PriorChoice:
    torch.manual_seed(seed)
    path = folder / f"siamese-{seed}.safetensors"
    save_network(SiameseNetwork(), path)
    return PriorChoice(model, path)


def bokeh_depth(model: PriorName, folder: Path, seed: int) -> PriorChoice:
    variant = get_args(MeterVariant)[model == "bokeh-depth-nyu"]
    own = meter(model, folder, seed).weights
    assert own is not None
    place = folder / f"bokeh-{seed}"
    place.mkdir()
    own.rename(place / weights_of(variant).file)
    network = MeterFocus(variant)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    save_focus(network, place / file_of(variant))
    return PriorChoice(model, place / file_of(variant))


def bokeh_depth_anything(model: PriorName, folder: Path, seed: int) -> PriorChoice:
    pytest.importorskip("transformers", reason="needs the extra prior")
    path = folder / f"dsfa-{seed}.pth"
    torch.save({"model": published_state(seed), "epoch": 3}, path)
    return PriorChoice(model, path)


def lidar(model: PriorName, folder: Path, seed: int) -> PriorChoice:
    return PriorChoice(model, lidar=LidarSettings(neighbours=4 + seed, reach=0.1))


def files(model: PriorName, folder: Path, seed: int) -> PriorChoice:
    place = folder / f"depth-{seed}"
    (place / "a").mkdir(parents=True)
    generator = np.random.default_rng(seed)
    for one in FRAMES:
        z = generator.uniform(-1, 9, one.pixels.shape[:2]).astype(np.float32)
        np.savez(
            (place / one.name).with_suffix(".npz"), depth=z, confidence=generator.random(z.shape)
        )
    return PriorChoice(model, files=DepthFiles(place))


MAKERS: dict[PriorName, Maker] = {
    "meter-kitti": meter,
    "meter-nyu": meter,
    "metric3d-s": metric3d,
    "metric3d-l": metric3d,
    "depth-anything-s": depth_anything,
    "depth-anything-b": depth_anything,
    "depth-anything-l": depth_anything,
    "depth-anything-indoor-s": depth_anything,
    "depth-anything-indoor-b": depth_anything,
    "depth-anything-indoor-l": depth_anything,
    "depth-anything-outdoor-s": depth_anything,
    "depth-anything-outdoor-b": depth_anything,
    "depth-anything-outdoor-l": depth_anything,
    "siamese": siamese,
    "bokeh-depth-kitti": bokeh_depth,
    "bokeh-depth-nyu": bokeh_depth,
    "bokeh-depth-anything": bokeh_depth_anything,
    "lidar": lidar,
    "file": files,
}
"""How to make each prior that there is."""
