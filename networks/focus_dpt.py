"""Depth Anything V2 with attention over focus, and the names of BokehDepth's published weights.

DINOv2's tokens of four layers go to the DPT decoder (Ranftl et al. 2021); at the last two of them
the photo's tokens attend over its bokeh stack first. Encoder and decoder are those of transformers,
whose names differ from the published ones.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from recon.networks.focus_attention import FocusBlock, FocusSettings

LAYER = "backbone.encoder.layer."
RULES = (
    (r"pretrained\.(cls_token|mask_token)", r"backbone.embeddings.\1"),
    (r"pretrained\.pos_embed", "backbone.embeddings.position_embeddings"),
    (r"pretrained\.patch_embed\.proj\.", "backbone.embeddings.patch_embeddings.projection."),
    (r"pretrained\.norm\.", "backbone.layernorm."),
    (
        r"pretrained\.blocks\.(\d+)\.ls(\d)\.gamma",
        LAYER + r"\1.layer_scale\2.lambda1",
    ),
    (r"pretrained\.blocks\.(\d+)\.attn\.proj\.", LAYER + r"\1.attention.o_proj."),
    (r"pretrained\.blocks\.(\d+)\.attn\.qkv\.", LAYER + r"\1.attention.qkv."),
    (r"pretrained\.blocks\.", LAYER),
    (r"depth_head\.projects\.(\d)\.", r"neck.reassemble_stage.layers.\1.projection."),
    (r"depth_head\.resize_layers\.(\d)\.", r"neck.reassemble_stage.layers.\1.resize."),
    (r"depth_head\.scratch\.output_conv1\.", "head.conv1."),
    (r"depth_head\.scratch\.output_conv2\.0\.", "head.conv2."),
    (r"depth_head\.scratch\.output_conv2\.2\.", "head.conv3."),
)
"""From the beginning of a published name to that of transformers."""
BLOCK = re.compile(r"encoder_fusion\.layers\.(\d)\.block\.(.*)")
REFINED = r"depth_head\.scratch\.refinenet(\d)\."
FUSION = re.compile(REFINED + r"(out_conv|resConfUnit(\d)\.conv(\d))\.(.*)")
CONVS = re.compile(r"depth_head\.scratch\.layer(\d)_rn\.(.*)")


class DptFocus(nn.Module):
    """The blocks that Depth Anything V2 gets, by the place of their tokens among the decoder's."""

    def __init__(self, width: int, places: tuple[int, ...] = (2, 3), heads: int = 8) -> None:
        super().__init__()
        settings = FocusSettings(width, heads, squared_scale=True)
        self.layers = nn.ModuleDict({str(place): FocusBlock(settings) for place in places})

    def forward(
        self, network: Any, stacks: Float[Tensor, "b f 3 h w"], strengths: Float[Tensor, "b f"]
    ) -> Float[Tensor, "b h w"]:
        """Return depth, having seen the stacks.

        Args:
            network: transformers' DepthAnythingForDepthEstimation, whose backbone keeps its tokens
                in a row, the class token first.
            stacks: normalised as it wants them; the first frame is the photo.
            strengths: K of each frame, as the weights were taught; the first is 0.
        """
        rows, columns = (side // network.config.patch_size for side in stacks.shape[-2:])
        maps = network.backbone(stacks.flatten(0, 1)).feature_maps
        states = []
        for place, tokens in enumerate(maps):
            frames = tokens.unflatten(0, stacks.shape[:2])
            own = frames[:, 0]
            if str(place) in self.layers:
                seen = self.layers[str(place)](frames[:, :, 1:], strengths)
                own = torch.cat([own[:, :1], seen], 1)
            states.append(own)
        depth: Tensor = network.head(network.neck(states, rows, columns), rows, columns)
        return depth


def published(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return published weights under the names of transformers' network, and of `DptFocus`.

    Names that are not known keep theirs, so that whoever loads them refuses them. Names are those
    of the published code; no published file could be read where this was written.
    """
    network: dict[str, Tensor] = {}
    focus: dict[str, Tensor] = {}
    for name, tensor in state.items():
        name = name.removeprefix("module.")
        if block := BLOCK.fullmatch(name):
            focus[f"layers.{block[1]}.{block[2]}"] = tensor
        elif ".attn.qkv." in name:
            for part, piece in zip("qkv", tensor.chunk(3), strict=True):
                network[_renamed(name).replace(".qkv.", f".{part}_proj.")] = piece
        else:
            network[_renamed(name)] = tensor
    return network, focus


def _renamed(name: str) -> str:
    if conv := CONVS.fullmatch(name):
        return f"neck.convs.{int(conv[1]) - 1}.{conv[2]}"
    if fusion := FUSION.fullmatch(name):
        # The decoder begins with the deepest, which the published code counts as the fourth.
        inner = "projection"
        if fusion[3] is not None:
            inner = f"residual_layer{fusion[3]}.convolution{fusion[4]}"
        return f"neck.fusion_stage.layers.{4 - int(fusion[1])}.{inner}.{fusion[5]}"
    for pattern, replacement in RULES:
        if re.match(pattern, name):
            return re.sub(pattern, replacement, name, count=1)
    return name
