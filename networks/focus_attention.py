"""Attention in space and over focus: what a photo's encoder may learn from its bokeh stack.

The block of BokehDepth (Zhang et al. 2025, arXiv 2512.12425), "divided space-focus attention".
Frames are the photo itself, whose lens has the strength K = 0, and the photo through wider lenses.
A token tells each frame's K. First tokens attend to those of their own frame and to its K; then K
scales and shifts each frame's tokens; then tokens at one place attend across the frames, the less
the more their K differ. Only the photo's own tokens go on, so that what follows stays as it was.

Parameters bear the names that the published weights give them.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu, pixel_shuffle, pixel_unshuffle, scaled_dot_product_attention

from recon.errors import UsageError


@dataclass(frozen=True)
class FocusSettings:
    """The shape of a block. The defaults are the published ones."""

    width: int
    """Channels of a token; a multiple of the heads."""
    heads: int = 8
    expansion: int = 4
    """Of the two layers after each attention."""
    unit: float = 1.0
    """px·m of one step of K as the block counts it. The published block counts K itself, so that a
    frame of K = 10 weighs e⁻¹⁰ of the photo, unless its keys stand out by as much."""
    slope: float = 1.0
    """How much less a frame attends to another for one unit between their K. One for all heads."""
    squared_scale: bool = False
    """Whether queries are divided by the head's width in space, not by its root. The published
    code does with the attention of torch that its settings ask for, which divides once more."""


class FocusBlock(nn.Module):
    """One block. Untrained it is the identity, bit by bit.

    LayerScale begins at 0.1 as in the paper. The last linear layer of each branch, and those that K
    modulates by, begin at 0 instead of at random, so that a branch adds 0 before it is trained.
    """

    def __init__(self, settings: FocusSettings) -> None:
        super().__init__()
        self.settings = settings
        width, heads = settings.width, settings.heads
        inner = settings.expansion * width
        self.ln_space_attn = nn.LayerNorm(width)
        self.space_attn = HeadedAttention(width, heads, settings.squared_scale)
        self.gamma_space_attn = nn.Parameter(torch.full((width,), 0.1))
        self.ln_space_ffn = nn.LayerNorm(width)
        self.space_ffn = TwoLayers(width, inner)
        self.gamma_space_ffn = nn.Parameter(torch.full((width,), 0.1))
        self.ln_focus_attn = nn.LayerNorm(width)
        self.focus_attn = HeadedAttention(width, heads)
        self.gamma_focus_attn = nn.Parameter(torch.full((width,), 0.1))
        self.ln_focus_ffn = nn.LayerNorm(width)
        self.focus_ffn = TwoLayers(width, inner)
        self.gamma_focus_ffn = nn.Parameter(torch.full((width,), 0.1))
        hidden = width // 4
        self.k_embed = nn.Sequential(nn.Linear(1, hidden), nn.ReLU(), nn.Linear(hidden, width))
        modulation = nn.Linear(width, 2 * width)
        self.focus_film = nn.Sequential(modulation)
        lasts = [self.space_attn.out_proj, self.space_ffn.fc2, modulation]
        for layer in [*lasts, self.focus_attn.out_proj, self.focus_ffn.fc2]:
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self, frames: Float[Tensor, "b f n c"], strengths: Float[Tensor, "b f"]
    ) -> Float[Tensor, "b n c"]:
        """Return the tokens of the first frame, having seen the others.

        Args:
            frames: tokens at the same places of each frame; the first is the photo itself.
            strengths: K of each frame in px·m, 0 or more; the first is 0.
        """
        places = frames.shape[2]
        k = (strengths / self.settings.unit).to(frames)[..., None]
        told = self.k_embed(k)
        x = torch.cat([told[:, :, None], frames], 2)
        x = x + self.gamma_space_attn * self.space_attn(self.ln_space_attn(x))
        x = x + self.gamma_space_ffn * self.space_ffn(self.ln_space_ffn(x))
        scale, shift = self.focus_film(told)[:, :, None].chunk(2, -1)
        x = x[:, :, 1:] * (1 + torch.tanh(scale)) + shift
        # Of all frames only the first asks: no other's answer would be used.
        x = x.transpose(1, 2)
        apart = -self.settings.slope * (k - k[:, :1])[..., 0].abs()
        bias = apart[:, None].expand(-1, places, -1)
        seen = self.focus_attn.first(self.ln_focus_attn(x), bias)
        y = x[:, :, 0] + self.gamma_focus_attn * seen
        tokens: Tensor = y + self.gamma_focus_ffn * self.focus_ffn(self.ln_focus_ffn(y))
        return tokens

    def maps(
        self, frames: Float[Tensor, "b f c h w"], strengths: Float[Tensor, "b f"], step: int = 1
    ) -> Float[Tensor, "b c h w"]:
        """Return the first frame's map, having seen the others.

        Args:
            frames: maps of one size.
            strengths: as for tokens.
            step: places attend only to those that are a multiple of it away, across and down, as in
                MobileViT's unfolded patches; height and width are multiples of it.
        """
        count, frame_count, width, height, columns = frames.shape
        grids = pixel_unshuffle(frames.flatten(0, 1), step)
        rows, across = height // step, columns // step
        # Channels are outermost of what pixel_unshuffle stacks; each grid becomes one of the batch.
        grids = grids.reshape(count, frame_count, width, step * step, rows * across)
        tokens = grids.permute(0, 3, 1, 4, 2).flatten(0, 1)
        seen = self(tokens, strengths.repeat_interleave(step * step, 0))
        seen = seen.reshape(count, step * step, rows * across, width).permute(0, 3, 1, 2)
        return pixel_shuffle(seen.reshape(count, -1, rows, across), step)


class HeadedAttention(nn.Module):
    """Attention of several heads, whose queries, keys and values come from one layer."""

    def __init__(self, width: int, heads: int, squared_scale: bool = False) -> None:
        """Make it.

        Args:
            width: of the tokens.
            heads: of the attention.
            squared_scale: as `FocusSettings.squared_scale`.

        Raises:
            UsageError: the width cannot be shared among the heads.
        """
        super().__init__()
        if width % heads:
            raise UsageError(f"attention of {heads} heads over {width} channels: expected a share.")
        self.heads = heads
        self.scale = (heads / width) ** (1.0 if squared_scale else 0.5)
        self.qkv = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "*b n c"]) -> Float[Tensor, "*b n c"]:
        """Return what each token sees of all."""
        query, key, value = self._parts(x)
        return self._joined(scaled_dot_product_attention(query, key, value, scale=self.scale))

    def first(
        self, x: Float[Tensor, "*b n c"], bias: Float[Tensor, "*b n"]
    ) -> Float[Tensor, "*b c"]:
        """Return what the first token sees of all, the bias added before the softmax."""
        query, key, value = self._parts(x)
        mask = bias[..., None, None, :]
        seen = scaled_dot_product_attention(query[..., :1, :], key, value, mask, scale=self.scale)
        return self._joined(seen)[..., 0, :]

    def _parts(self, x: Float[Tensor, "*b n c"]) -> tuple[Tensor, Tensor, Tensor]:
        parts = self.qkv(x).unflatten(-1, (3, self.heads, -1)).movedim(-3, 0)
        query, key, value = parts.transpose(-3, -2)
        return query, key, value

    def _joined(self, heads: Float[Tensor, "*b heads n d"]) -> Float[Tensor, "*b n c"]:
        joined: Tensor = self.out_proj(heads.transpose(-3, -2).flatten(-2))
        return joined


class TwoLayers(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, inner)
        self.fc2 = nn.Linear(inner, width)

    def forward(self, x: Float[Tensor, "*b c"]) -> Float[Tensor, "*b c"]:
        """Apply."""
        y: Tensor = self.fc2(gelu(self.fc1(x)))
        return y
