"""Depth Anything V2 with attention over focus: untrained, and by the published code's names."""

from pathlib import Path

import pytest
import torch
from priors_made import bokeh_depth_anything
from published_names import published_state

from recon.errors import DataError
from recon.networks.focus_dpt import DptFocus, published
from recon.priors.bokeh_depth_anything import load_published

pytest.importorskip("transformers", reason="needs the extra prior")
pytestmark = pytest.mark.usefixtures("one_thread")


def test_untrained_attention_leaves_depth_anything_as_it_is(tmp_path: Path) -> None:
    path = bokeh_depth_anything("bokeh-depth-anything", tmp_path, 1).weights
    assert path is not None
    network, taught = load_published(path)
    stack = torch.randn(1, 3, 3, 56, 70, generator=torch.Generator().manual_seed(0))
    strengths = torch.tensor([[0.0, 20.0, 10.0]])
    with torch.no_grad():
        expected = network(stack[:, 0]).predicted_depth
        found = DptFocus(64)(network, stack, strengths)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
        for block in taught.layers.values():
            block.gamma_focus_ffn.fill_(5.0)
        assert not torch.allclose(taught(network, stack, strengths), expected, rtol=1e-3)


def test_published_weights_all_find_their_place(tmp_path: Path) -> None:
    path = bokeh_depth_anything("bokeh-depth-anything", tmp_path, 1).weights
    assert path is not None
    network, focus = load_published(path)
    state, own = published_state(1), network.state_dict()
    assert sum(t.numel() for t in state.values()) == sum(
        t.numel() for t in (*own.values(), *focus.state_dict().values())
    )

    def same(published_name: str, name: str) -> bool:
        return torch.equal(state[f"module.{published_name}"], own[name])

    layer = "backbone.encoder.layer.3"
    assert same("pretrained.pos_embed", "backbone.embeddings.position_embeddings")
    assert same("pretrained.blocks.3.ls2.gamma", f"{layer}.layer_scale2.lambda1")
    query, key, value = state["module.pretrained.blocks.3.attn.qkv.weight"].chunk(3)
    assert torch.equal(own[f"{layer}.attention.q_proj.weight"], query)
    assert torch.equal(own[f"{layer}.attention.k_proj.weight"], key)
    assert torch.equal(own[f"{layer}.attention.v_proj.weight"], value)
    # The decoder's first step is the published fourth, of the deepest tokens.
    scratch, steps = "depth_head.scratch", "neck.fusion_stage.layers"
    assert same(f"{scratch}.refinenet4.out_conv.weight", f"{steps}.0.projection.weight")
    assert same(
        f"{scratch}.refinenet1.resConfUnit2.conv1.bias",
        f"{steps}.3.residual_layer2.convolution1.bias",
    )
    assert same(f"{scratch}.layer4_rn.weight", "neck.convs.3.weight")
    assert same(f"{scratch}.output_conv2.2.bias", "head.conv3.bias")
    told = state["module.encoder_fusion.layers.2.block.focus_film.0.weight"]
    assert torch.equal(focus.state_dict()["layers.2.focus_film.0.weight"], told)
    assert network.head.max_depth == 80


def test_weights_of_another_network_are_refused_by_name_and_shape(tmp_path: Path) -> None:
    path, state = tmp_path / "a.pth", published_state(1)
    plain = {k: v for k, v in state.items() if "encoder_fusion" not in k}
    torch.save(plain, path)
    with pytest.raises(DataError, match=r"a\.pth.*nothing called encoder_fusion"):
        load_published(path)
    name = "module.encoder_fusion.layers.3.block.focus_ffn.fc1.weight"
    torch.save(state | {name: torch.zeros(3, 64)}, path)
    with pytest.raises(DataError, match=r"focus_ffn\.fc1|found others"):
        load_published(path)
    torch.save(state | {"module.depth_head.extra": torch.zeros(1)}, path)
    with pytest.raises(DataError, match="found others"):
        load_published(path)
    del state["module.pretrained.cls_token"]
    torch.save(state, path)
    with pytest.raises(DataError, match="found others"):
        load_published(path)


def test_unknown_names_are_kept() -> None:
    network, focus = published({"depth_head.extra": torch.zeros(1)})
    assert list(network) == ["depth_head.extra"]
    assert focus == {}
