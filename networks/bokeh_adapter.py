"""The adapter by which BokehDepth tells FLUX.1 Kontext how strong a lens is, as it is published.

For each attention block it holds four maps of low rank (LoRA, Hu et al. 2021): one added to the
queries and one to the keys, each computed from them, and two that turn the embedded strength into a
key and a value. That key is the only one its attention knows, so that every token, of text and of
picture, gets the same value added to what the block's own attention found. What is added so simply
is added by hooks, and the blocks themselves are left as they are.

Facts of layout and names are from the authors' code (fogradio/BokehDepth), which is not used.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors
import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from recon.errors import DataError, first_line

WEAKEST, STRONGEST = 1.0, 30.0
"""K as the paper counts it, of radii: twice that in our px·m. The adapter was taught no others."""
HIDDEN, CONTEXT = 64, 768
"""Of the layers that embed a strength."""


class LowRank(nn.Module):
    """A linear map through a few dimensions."""

    def __init__(self, inputs: int, outputs: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Linear(inputs, rank, bias=False)
        self.up = nn.Linear(rank, outputs, bias=False)

    def forward(self, x: Float[Tensor, "*n c"]) -> Float[Tensor, "*n d"]:
        """Map."""
        y: Tensor = self.up(self.down(x))
        return y


class BlockAdapter(nn.Module):
    """What is added to the attention of one block."""

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.to_k_dof = LowRank(CONTEXT, width, rank)
        self.to_v_dof = LowRank(CONTEXT, width, rank)
        self.to_q_adp = LowRank(width, width, rank)
        self.to_k_adp = LowRank(width, width, rank)
        self.embedded: Float[Tensor, "b c"] | None = None
        """Of the strengths of a batch; None for the block as it was."""

    def attach(self, attention: Any) -> None:
        """Add to an attention of diffusers' Flux: of both streams, or of the single one."""
        attention.to_q.register_forward_hook(self._adapted(self.to_q_adp))
        attention.to_k.register_forward_hook(self._adapted(self.to_k_adp))
        if attention.pre_only:
            attention.register_forward_hook(lambda _, __, out: self._with_value(out))
        else:
            for leaving in (attention.to_out[0], attention.to_add_out):
                leaving.register_forward_pre_hook(lambda _, given: (self._with_value(given[0]),))

    def _adapted(self, low_rank: LowRank) -> Any:
        def hook(module: nn.Module, given: Any, out: Tensor) -> Tensor:
            return out if self.embedded is None else out + low_rank(out)

        return hook

    def _with_value(self, tokens: Float[Tensor, "b t c"]) -> Float[Tensor, "b t c"]:
        return tokens if self.embedded is None else tokens + self.to_v_dof(self.embedded)[:, None]


class BokehAdapter(nn.Module):
    """The adapter of all blocks, attached to a transformer."""

    def __init__(self, transformer: Any, rank: int) -> None:
        """Attach to diffusers' `FluxTransformer2DModel`, on its device and in its precision."""
        super().__init__()
        blocks = [*transformer.transformer_blocks, *transformer.single_transformer_blocks]
        self.embedding_layer = nn.Sequential(
            nn.Linear(1, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CONTEXT)
        )
        width = transformer.inner_dim
        self._each = tuple(BlockAdapter(width, rank) for _ in blocks)
        self.adapter_modules = nn.ModuleList(self._each)
        self.to(transformer.device, transformer.dtype)
        for adapter, block in zip(self._each, blocks, strict=True):
            adapter.attach(block.attn)

    @staticmethod
    def loaded(transformer: Any, path: Path) -> "BokehAdapter":
        """Attach the adapter that a file holds; its rank is the file's.

        Raises:
            DataError: the file is damaged, or of another transformer.
        """
        expected = f"{path}: expected BokehDepth's adapter of FLUX.1 Kontext"
        try:
            if path.suffix == ".safetensors":
                state = load_file(path)
            else:
                state = torch.load(path, map_location="cpu", weights_only=True)
            rank = state["adapter_modules.0.to_v_dof.down.weight"].shape[0]
        except Exception as error:  # Of many classes: what damage looks like to pickle and zip.
            raise DataError(f"{expected}, and cannot read it ({first_line(error)}).") from error
        adapter = BokehAdapter(transformer, rank)
        try:
            adapter.load_state_dict(state)
        except (RuntimeError, safetensors.SafetensorError) as error:
            raise DataError(f"{expected}, found others ({first_line(error)}).") from error
        return adapter.eval()

    @contextmanager
    def strengths(self, values: Float[Tensor, " b"]) -> Iterator[None]:
        """Tell the transformer a batch's strengths, as the paper counts them, while this lasts."""
        known = next(self.embedding_layer.parameters())
        shares = (values.clamp(WEAKEST, STRONGEST) / STRONGEST)[:, None].to(known)
        embedded = self.embedding_layer(shares)
        try:
            for adapter in self._each:
                adapter.embedded = embedded
            yield
        finally:
            for adapter in self._each:
                adapter.embedded = None
