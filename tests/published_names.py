"""Weights with the names and shapes of BokehDepth's published code for Depth Anything V2, small."""

import torch
from torch import Tensor

WIDTH, LAYERS, FEATURES = 64, 4, 8
CHANNELS = (8, 8, 16, 16)


def published_shapes() -> dict[str, tuple[int, ...]]:
    """List what the published modules register, in their order."""
    shapes: dict[str, tuple[int, ...]] = {
        "pretrained.cls_token": (1, 1, WIDTH),
        "pretrained.pos_embed": (1, 37 * 37 + 1, WIDTH),
        "pretrained.mask_token": (1, WIDTH),
    }

    def layer(name: str, *shape: int, bias: bool = True, outputs: int | None = None) -> None:
        shapes[f"{name}.weight"] = shape
        if bias:
            shapes[f"{name}.bias"] = (outputs or shape[0],)

    layer("pretrained.patch_embed.proj", WIDTH, 3, 14, 14)
    for index in range(LAYERS):
        block = f"pretrained.blocks.{index}"
        layer(f"{block}.norm1", WIDTH)
        layer(f"{block}.attn.qkv", 3 * WIDTH, WIDTH)
        layer(f"{block}.attn.proj", WIDTH, WIDTH)
        shapes[f"{block}.ls1.gamma"] = (WIDTH,)
        layer(f"{block}.norm2", WIDTH)
        layer(f"{block}.mlp.fc1", 4 * WIDTH, WIDTH)
        layer(f"{block}.mlp.fc2", WIDTH, 4 * WIDTH)
        shapes[f"{block}.ls2.gamma"] = (WIDTH,)
    layer("pretrained.norm", WIDTH)
    for place in (2, 3):
        block = f"encoder_fusion.layers.{place}.block"
        for part in ("space", "focus"):
            for gamma in ("attn", "ffn"):
                shapes[f"{block}.gamma_{part}_{gamma}"] = (WIDTH,)
                layer(f"{block}.ln_{part}_{gamma}", WIDTH)
            layer(f"{block}.{part}_attn.qkv", 3 * WIDTH, WIDTH)
            layer(f"{block}.{part}_attn.out_proj", WIDTH, WIDTH)
            layer(f"{block}.{part}_ffn.fc1", 4 * WIDTH, WIDTH)
            layer(f"{block}.{part}_ffn.fc2", WIDTH, 4 * WIDTH)
        layer(f"{block}.k_embed.0", WIDTH // 4, 1)
        layer(f"{block}.k_embed.2", WIDTH, WIDTH // 4)
        layer(f"{block}.focus_film.0", 2 * WIDTH, WIDTH)
    head = "depth_head"
    for index, channels in enumerate(CHANNELS):
        layer(f"{head}.projects.{index}", channels, WIDTH, 1, 1)
        layer(f"{head}.scratch.layer{index + 1}_rn", FEATURES, channels, 3, 3, bias=False)
    layer(f"{head}.resize_layers.0", CHANNELS[0], CHANNELS[0], 4, 4)
    layer(f"{head}.resize_layers.1", CHANNELS[1], CHANNELS[1], 2, 2)
    layer(f"{head}.resize_layers.3", CHANNELS[3], CHANNELS[3], 3, 3)
    for index in (1, 2, 3, 4):
        net = f"{head}.scratch.refinenet{index}"
        layer(f"{net}.out_conv", FEATURES, FEATURES, 1, 1)
        for unit in ("resConfUnit1", "resConfUnit2"):
            for conv in ("conv1", "conv2"):
                layer(f"{net}.{unit}.{conv}", FEATURES, FEATURES, 3, 3)
    layer(f"{head}.scratch.output_conv1", FEATURES // 2, FEATURES, 3, 3)
    layer(f"{head}.scratch.output_conv2.0", 32, FEATURES // 2, 3, 3)
    layer(f"{head}.scratch.output_conv2.2", 1, 32, 1, 1)
    return shapes


def published_state(seed: int) -> dict[str, Tensor]:
    """Fill them, as a training on several machines would name them."""
    generator = torch.Generator().manual_seed(seed)
    return {
        f"module.{name}": 0.1 * torch.randn(shape, generator=generator)
        for name, shape in published_shapes().items()
    }
