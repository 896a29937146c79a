"""METER's network in its smallest form, xxs: 0.7 million parameters.

Papa, Russo and Amerini 2023, "METER: a mobile vision transformer architecture for monocular depth
estimation" (arXiv 2403.08368). An encoder like MobileViT's (Mehta and Rastegari 2021, arXiv
2110.02178) with one transformer layer a stage, a decoder of three transposed convolutions with
skips; ReLU throughout. Attributes bear the names that the published weights give them.
"""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

HEADS = 4
HEAD_WIDTH = 8
PATCH = 2
"""Tokens attend to those at the same place of other patches, PATCH x PATCH at 1/32 of the size."""
MULTIPLE = 32 * PATCH
"""Height and width of the input are multiples of this many pixels."""


class MeterXxs(nn.Module):
    """From an image to depth at a quarter of its size, in the unit that the weights were taught."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder()

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h/4 w/4"]:
        """Return depth; height and width must be multiples of 64."""
        depth: Tensor = self.decoder(*self.encoder(image))
        return depth


class Encoder(nn.Module):
    """Five halvings; the last three followed by a transformer block each."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = _separable_block(3, 16, stride=2)
        widths = (16, 16, 24, 24, 24, 48, 64, 80)
        strides = (1, 2, 1, 1, 2, 2, 2)
        self.mv2 = nn.ModuleList(
            InvertedResidual(*ends, stride)
            for ends, stride in zip(pairwise(widths), strides, strict=True)
        )
        self.mvit = nn.ModuleList(
            TransformerBlock(*sizes) for sizes in ((48, 64, 128), (64, 80, 320), (80, 96, 384))
        )
        self.conv2 = _pointwise_block(80, 160)

    def forward(
        self, image: Float[Tensor, "b 3 h w"]
    ) -> tuple[Float[Tensor, "b 160 h/32 w/32"], list[Float[Tensor, "b _ _ _"]]]:
        """Return the features, and those at a sixteenth, an eighth and a quarter for the skips."""
        x = self.mv2[0](self.conv1(image))
        quarter = self.mv2[1](x)
        x = self.mv2[3](self.mv2[2](quarter))
        eighth = self.mv2[4](x)
        sixteenth = self.mv2[5](self.mvit[0](eighth))
        x = self.mvit[2](self.mv2[6](self.mvit[1](sixteenth)))
        return self.conv2(x), [sixteenth, eighth, quarter]


class Decoder(nn.Module):
    """Three doublings, each fused with the encoder's features of that size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv2d_in = nn.Conv2d(160, 64, 1, bias=False)
        self.ups_block_1 = Doubling(64, 32, skip=64)
        self.ups_block_2 = Doubling(32, 16, skip=48)
        self.ups_block_3 = Doubling(16, 8, skip=24)
        self.conv2d_out = nn.Conv2d(8, 1, 3, padding=1, bias=False)

    def forward(
        self, x: Float[Tensor, "b 160 _ _"], skips: list[Float[Tensor, "b _ _ _"]]
    ) -> Float[Tensor, "b 1 _ _"]:
        """Return depth at the size of the last skip."""
        x = self.conv2d_in(x)
        for block, skip in zip(
            (self.ups_block_1, self.ups_block_2, self.ups_block_3), skips, strict=True
        ):
            x = block(x, skip)
        depth: Tensor = self.conv2d_out(x)
        return depth


class Doubling(nn.Module):
    """Twice the size, then a convolution over the result and the skip."""

    def __init__(self, inputs: int, outputs: int, skip: int) -> None:
        super().__init__()
        self.conv2d_transpose = nn.ConvTranspose2d(
            inputs, outputs, 3, stride=2, padding=1, output_padding=1, bias=False
        )
        self.end_up_layer = nn.Sequential(Separable(outputs + skip, outputs), nn.ReLU())

    def forward(
        self, x: Float[Tensor, "b _ _ _"], skip: Float[Tensor, "b _ h w"]
    ) -> Float[Tensor, "b _ h w"]:
        """Return features at the size of the skip."""
        wide: Tensor = self.end_up_layer(torch.cat([self.conv2d_transpose(x), skip], dim=1))
        return wide


class Separable(nn.Module):
    """A 3x3 convolution and a 1x1; despite the names of its weights, the first mixes channels."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.pointwise = nn.Conv2d(outputs, outputs, 1, bias=False)

    def forward(self, x: Float[Tensor, "b _ _ _"]) -> Float[Tensor, "b _ _ _"]:
        """Convolve twice."""
        y: Tensor = self.pointwise(self.depthwise(x))
        return y


class InvertedResidual(nn.Module):
    """MobileNetV2's block (Sandler et al. 2018), twice as wide inside."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        inner = 2 * inputs
        self.conv = nn.Sequential(
            *_pointwise_block(inputs, inner),
            nn.Conv2d(inner, inner, 3, stride, padding=1, groups=inner, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Float[Tensor, "b _ _ _"]) -> Float[Tensor, "b _ _ _"]:
        """Return the block's output, added to its input where they are alike."""
        y: Tensor = self.conv(x)
        return x + y if self.residual else y


class TransformerBlock(nn.Module):
    """MobileViT's block: convolutions around a transformer over unfolded patches."""

    def __init__(self, channels: int, width: int, inner: int) -> None:
        super().__init__()
        self.conv1 = _separable_block(channels, channels)
        self.conv2 = _pointwise_block(channels, width)
        self.transformer = nn.Module()
        self.transformer.layers = nn.ModuleList(
            [nn.ModuleList([Normed(width, Attention(width)), Normed(width, Mlp(width, inner))])]
        )
        self.conv3 = _pointwise_block(width, channels)
        self.conv4 = _separable_block(2 * channels, channels)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Return features that know of all others."""
        y = self.conv2(self.conv1(x))
        _, width, height, columns = y.shape
        tokens = nn.functional.pixel_unshuffle(y, PATCH)
        tokens = tokens.reshape(len(x), width, PATCH * PATCH, -1).permute(0, 2, 3, 1)
        for layer in self.transformer.get_submodule("layers").children():
            for step in layer.children():
                tokens = tokens + step(tokens)
        tokens = tokens.permute(0, 3, 1, 2).flatten(1, 2)
        tokens = tokens.reshape(len(x), -1, height // PATCH, columns // PATCH)
        y = nn.functional.pixel_shuffle(tokens, PATCH)
        fused: Tensor = self.conv4(torch.cat([self.conv3(y), x], dim=1))
        return fused


class Normed(nn.Module):
    """A layer after layer normalisation."""

    def __init__(self, width: int, layer: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fn = layer

    def forward(self, x: Float[Tensor, "*b n w"]) -> Float[Tensor, "*b n w"]:
        """Normalise, then apply."""
        y: Tensor = self.fn(self.norm(x))
        return y


class Attention(nn.Module):
    """Self-attention among the tokens of the last but one dimension."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.to_qkv = nn.Linear(width, 3 * HEADS * HEAD_WIDTH, bias=False)
        self.to_out = nn.Sequential(nn.Linear(HEADS * HEAD_WIDTH, width))

    def forward(self, x: Float[Tensor, "*b n w"]) -> Float[Tensor, "*b n w"]:
        """Attend."""
        query, key, value = (
            part.reshape(*x.shape[:-1], HEADS, HEAD_WIDTH).transpose(-3, -2)
            for part in self.to_qkv(x).chunk(3, dim=-1)
        )
        heads = nn.functional.scaled_dot_product_attention(query, key, value)
        y: Tensor = self.to_out(heads.transpose(-3, -2).flatten(-2))
        return y


class Mlp(nn.Module):
    """Two linear layers with a ReLU between them."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        # The fourth is numbered 3 in the weights: the paper's training drops out in between.
        self.net = nn.Sequential(
            nn.Linear(width, inner), nn.ReLU(), nn.Identity(), nn.Linear(inner, width)
        )

    def forward(self, x: Float[Tensor, "*b n w"]) -> Float[Tensor, "*b n w"]:
        """Apply."""
        y: Tensor = self.net(x)
        return y


def _pointwise_block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def _separable_block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(Separable(inputs, outputs, stride), nn.BatchNorm2d(outputs), nn.ReLU())
