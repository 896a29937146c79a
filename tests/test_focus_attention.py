"""Attention over focus against itself written out, and untrained against no attention at all."""

import math

import pytest
import torch
from torch import Tensor

from recon.errors import UsageError
from recon.networks.focus_attention import FocusBlock, FocusSettings
from recon.networks.focus_meter import SWEEP, Features, MeterFocus
from recon.networks.meter_network import MeterXxs

pytestmark = pytest.mark.usefixtures("one_thread")
STRENGTHS = torch.tensor([[0.0, 3.0, 1.0], [0.0, 0.5, 9.0]])


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def stirred(settings: FocusSettings) -> FocusBlock:
    """Return a block in float64 of which no parameter is 0."""
    torch.manual_seed(3)
    block = FocusBlock(settings).double()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return block


def test_an_untrained_block_leaves_the_photos_tokens_exactly_as_they_are() -> None:
    block = FocusBlock(FocusSettings(16, heads=4))
    tokens = noise(2, 3, 7, 16)
    assert torch.equal(block(tokens, STRENGTHS), tokens[:, 0])
    maps = noise(2, 3, 16, 4, 6)
    for step in (1, 2):
        assert torch.equal(block.maps(maps, STRENGTHS, step), maps[:, 0])


def test_an_untrained_meter_with_attention_is_meter_exactly() -> None:
    torch.manual_seed(0)
    base = MeterXxs().eval()
    stacks = noise(2, 3, 3, 64, 128).sigmoid()
    with torch.no_grad():
        frames = Features.of(base, stacks)
        seen = MeterFocus("kitti")(frames, STRENGTHS)
        for own, map_ in zip(frames.first().maps, seen.maps, strict=True):
            assert torch.equal(own, map_)
        # The encoder rounds batches of other sizes in another way.
        torch.testing.assert_close(seen.depth(base), base(stacks[:, 0]), rtol=1e-4, atol=1e-5)


def test_the_order_of_the_blurred_frames_does_not_matter() -> None:
    block = stirred(FocusSettings(8, heads=2))
    tokens = noise(2, 3, 5, 8).double()
    swapped = [0, 2, 1]
    one, other = block(tokens, STRENGTHS), block(tokens[:, swapped], STRENGTHS[:, swapped])
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(one, block(tokens, STRENGTHS[:, swapped]))


def attention(x: Tensor, layer: torch.nn.Module, heads: int, bias: Tensor, scale: float) -> Tensor:
    """Attend with loops over everything: `n c` tokens, an `n n` bias."""
    weight, offset = layer.qkv.weight, layer.qkv.bias
    count, width = x.shape
    each = width // heads
    seen = torch.zeros_like(x)
    for head in range(heads):
        rows = [slice(p * width + head * each, p * width + (head + 1) * each) for p in range(3)]
        q, k, v = (x @ weight[r].T + offset[r] for r in rows)
        for i in range(count):
            scores = [(q[i] @ k[j] * scale + bias[i, j]).item() for j in range(count)]
            powers = [math.exp(s - max(scores)) for s in scores]
            for j in range(count):
                seen[i, head * each : (head + 1) * each] += powers[j] / sum(powers) * v[j]
    return seen @ layer.out_proj.weight.T + layer.out_proj.bias


def mlp(x: Tensor, layer: torch.nn.Module) -> Tensor:
    inner = x @ layer.fc1.weight.T + layer.fc1.bias
    inner = inner * 0.5 * (1 + torch.erf(inner / math.sqrt(2)))
    return inner @ layer.fc2.weight.T + layer.fc2.bias


def normed(x: Tensor, layer: torch.nn.Module) -> Tensor:
    away = x - x.mean(-1, keepdim=True)
    deviation = (away.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    return away / deviation * layer.weight + layer.bias


@pytest.mark.parametrize("squared", [False, True])
def test_a_block_is_the_published_one_written_out(squared: bool) -> None:
    """All frames ask here, and the photo's own tokens are taken in the end, as published."""
    heads, width, unit, slope = 2, 8, 2.0, 0.7
    block = stirred(FocusSettings(width, heads, 2, unit, slope, squared))
    tokens, k = noise(3, 4, width, seed=5).double(), STRENGTHS[0].double() / unit
    first, last = block.k_embed[0], block.k_embed[2]
    hidden = torch.relu(k[:, None] * first.weight[:, 0] + first.bias)
    told = hidden @ last.weight.T + last.bias
    each = width // heads
    frames = []
    for f in range(3):
        x = torch.cat([told[f : f + 1], tokens[f]])
        none = torch.zeros(len(x), len(x))
        scale = 1 / each if squared else each**-0.5
        seen = attention(normed(x, block.ln_space_attn), block.space_attn, heads, none, scale)
        x = x + block.gamma_space_attn * seen
        x = x + block.gamma_space_ffn * mlp(normed(x, block.ln_space_ffn), block.space_ffn)
        film = block.focus_film[0].weight @ told[f] + block.focus_film[0].bias
        frames.append(x[1:] * (1 + torch.tanh(film[:width])) + film[width:])
    bias = -slope * (k[:, None] - k[None]).abs()
    expected = []
    for place in range(tokens.shape[1]):
        x = torch.stack([frame[place] for frame in frames])
        seen = attention(normed(x, block.ln_focus_attn), block.focus_attn, heads, bias, each**-0.5)
        x = x + block.gamma_focus_attn * seen
        x = x + block.gamma_focus_ffn * mlp(normed(x, block.ln_focus_ffn), block.focus_ffn)
        expected.append(x[0])
    found = block(tokens[None], STRENGTHS[:1].double())[0]
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-9, atol=1e-9)


def test_places_of_a_map_attend_to_those_a_step_apart() -> None:
    block = stirred(FocusSettings(8, heads=2))
    maps = noise(2, 3, 8, 4, 6).double()
    found = block.maps(maps, STRENGTHS, 2)
    for row in (0, 1):
        for column in (0, 1):
            part = maps[..., row::2, column::2]
            tokens = block(part.flatten(-2).transpose(-1, -2), STRENGTHS)
            expected = tokens.transpose(-1, -2).reshape(2, 8, 2, 3)
            torch.testing.assert_close(found[..., row::2, column::2], expected)


def test_heads_share_the_width() -> None:
    with pytest.raises(UsageError, match="5 heads over 16 channels"):
        FocusBlock(FocusSettings(16, heads=5))


def test_blocks_count_strengths_in_their_largest() -> None:
    for variant, sweep in SWEEP.items():
        for block in MeterFocus(variant).blocks:
            assert isinstance(block, FocusBlock)
            assert block.settings.unit == max(sweep)
