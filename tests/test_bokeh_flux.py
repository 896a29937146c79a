"""The published maker, held to tiny random models of its own classes."""

from pathlib import Path
from typing import Any

import pytest
import torch

from recon.errors import DataError, ResourceError, UsageError
from recon.networks.bokeh_adapter import BokehAdapter
from recon.networks.bokeh_flux import ADAPTER, BASE, FluxBokeh, FluxSettings, paper_strengths

pytestmark = pytest.mark.usefixtures("one_thread")
HEADS, HEAD = 2, 16


def transformer(seed: int = 0) -> Any:
    diffusers = pytest.importorskip("diffusers", reason="needs the extra bokeh")
    torch.manual_seed(seed)
    made = diffusers.FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=HEAD,
        num_attention_heads=HEADS,
        joint_attention_dim=24,
        pooled_projection_dim=24,
        guidance_embeds=True,
        axes_dims_rope=(4, 6, 6),
    )
    return made.eval()


def pipeline(folder: Path) -> Path:
    """Write a pipeline with everything in it, and everything small and random."""
    diffusers, transformers = pytest.importorskip("diffusers"), pytest.importorskip("transformers")
    model = transformer()
    vae = diffusers.AutoencoderKL(
        latent_channels=4,
        block_out_channels=(8,),
        norm_num_groups=2,
        shift_factor=0.0,
        scaling_factor=1.0,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    small = {"vocab_size": 8, "num_hidden_layers": 1, "hidden_size": 24, "intermediate_size": 24}
    ends = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    clip = transformers.CLIPTextConfig(**small, **ends, num_attention_heads=2)
    t5 = transformers.T5Config(vocab_size=8, d_model=24, d_kv=8, d_ff=24, num_layers=1, num_heads=2)
    words = {"<|startoftext|>": 0, "<|endoftext|>": 1, "a": 2, "b</w>": 3}
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("a", -1.0)]
    diffusers.FluxKontextPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        vae=vae,
        text_encoder=transformers.CLIPTextModel(clip),
        tokenizer=transformers.CLIPTokenizer(vocab=words, merges=[], model_max_length=77),
        text_encoder_2=transformers.T5EncoderModel(t5),
        tokenizer_2=transformers.T5TokenizerFast(vocab=pieces, extra_ids=0),
        transformer=model,
    ).save_pretrained(folder)
    path = folder / "bokeh_lora.bin"
    torch.save(randomised(BokehAdapter(model, 4)).state_dict(), path)
    return path


def randomised(adapter: BokehAdapter) -> BokehAdapter:
    torch.manual_seed(1)
    for parameter in adapter.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return adapter


def tokens() -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(2)
    return {
        "hidden_states": torch.randn(2, 6, 16, generator=random),
        "encoder_hidden_states": torch.randn(2, 4, 24, generator=random),
        "pooled_projections": torch.randn(2, 24, generator=random),
        "timestep": torch.tensor([0.5, 0.5]),
        "guidance": torch.tensor([3.0, 3.0]),
        "img_ids": torch.randint(0, 4, (6, 3), generator=random).float(),
        "txt_ids": torch.zeros(4, 3),
    }


def attended(attention: Any, adapter: Any, embedded: Any, x: Any, text: Any) -> Any:
    """Attend as the adapter does, written out: one key and one value more, by themselves."""

    def heads(t: torch.Tensor) -> torch.Tensor:
        return t.unflatten(-1, (HEADS, HEAD)).transpose(1, 2)

    q, k, v = attention.to_q(x), attention.to_k(x), attention.to_v(x)
    q = attention.norm_q(heads(q + adapter.to_q_adp(q)))
    k = attention.norm_k(heads(k + adapter.to_k_adp(k)))
    v = heads(v)
    if text is not None:
        q = torch.cat([attention.norm_added_q(heads(attention.add_q_proj(text))), q], 2)
        k = torch.cat([attention.norm_added_k(heads(attention.add_k_proj(text))), k], 2)
        v = torch.cat([heads(attention.add_v_proj(text)), v], 2)
    attend = torch.nn.functional.scaled_dot_product_attention
    out = attend(q, k, v)
    dof_k, dof_v = (heads(m(embedded)[:, None]) for m in (adapter.to_k_dof, adapter.to_v_dof))
    out = (out + attend(q, dof_k, dof_v)).transpose(1, 2).flatten(2)
    if text is None:
        return out
    first = text.shape[1]
    return attention.to_out[0](out[:, first:]), attention.to_add_out(out[:, :first])


@torch.no_grad()
def test_the_adapter_attends_to_the_embedded_strength() -> None:
    model = transformer()
    double, single = model.transformer_blocks[0].attn, model.single_transformer_blocks[1].attn
    x, text = torch.randn(2, 5, HEADS * HEAD), torch.randn(2, 3, HEADS * HEAD)
    plain = transformer()
    adapter = randomised(BokehAdapter(model, 4))
    values = torch.tensor([6.0, 60.0])
    # What is beyond the largest strength counts as the largest.
    embedded = adapter.embedding_layer(torch.tensor([[0.2], [1.0]]))
    with adapter.strengths(values):
        two, one = double(x, text), single(x)
    blocks = adapter.adapter_modules
    other = plain.transformer_blocks[0].attn
    torch.testing.assert_close(two, attended(other, blocks[0], embedded, x, text))
    other = plain.single_transformer_blocks[1].attn
    torch.testing.assert_close(one, attended(other, blocks[2], embedded, x, None))


@torch.no_grad()
def test_the_transformer_is_as_it_was_when_no_strength_is_told() -> None:
    plain, model = transformer(), transformer()
    adapter = randomised(BokehAdapter(model, 4))
    before = plain(**tokens()).sample
    with adapter.strengths(torch.tensor([10.0, 20.0])):
        during = model(**tokens()).sample
    assert float((during - before).abs().max()) > 1e-3
    torch.testing.assert_close(model(**tokens()).sample, before)


def test_the_adapter_is_read_by_the_published_names(tmp_path: Path) -> None:
    made = randomised(BokehAdapter(transformer(), 4))
    names = set(made.state_dict())
    assert "embedding_layer.2.bias" in names
    assert "adapter_modules.2.to_q_adp.up.weight" in names
    assert len(names) == 4 + 3 * 4 * 2
    torch.save(made.state_dict(), tmp_path / "bokeh_lora.bin")
    again = BokehAdapter.loaded(transformer(), tmp_path / "bokeh_lora.bin")
    for name, value in made.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)
    (tmp_path / "damaged.bin").write_bytes(b"no")
    torch.save({"adapter_modules.0.to_v_dof.down.weight": torch.zeros(4, 1)}, tmp_path / "few.bin")
    for name in ("damaged.bin", "few.bin"):
        with pytest.raises(DataError, match=name):
            BokehAdapter.loaded(transformer(), tmp_path / name)


def test_strengths_are_counted_as_radii_of_the_size_that_is_shown() -> None:
    assert paper_strengths([20.0, 60.0]) == [10.0, 30.0]
    assert paper_strengths([20.0], 0.5) == [5.0]
    for strength in (1.0, 61.0):
        with pytest.raises(UsageError, match=r"2 to 60 px·m"):
            paper_strengths([strength])


def test_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECON_WEIGHTS", str(tmp_path))
    with pytest.raises(ResourceError, match=r"FLUX\.1 Kontext.*licence"):
        FluxBokeh.found()
    for weights in (BASE, ADAPTER):
        path = tmp_path / weights.file
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    maker = FluxBokeh.found(settings=FluxSettings(steps=2, device="cpu"))
    assert maker.inverse_focus is None
    assert maker.identity() != FluxBokeh.found().identity()
    image = torch.rand(3, 32, 48)
    monkeypatch.setitem(__import__("sys").modules, "diffusers", None)
    with pytest.raises(ResourceError, match="extra `bokeh`"):
        maker.stack(image, [20.0])


def test_makes_a_stack_with_the_pipeline_that_a_folder_holds(tmp_path: Path) -> None:
    adapter = pipeline(tmp_path / "flux")
    maker = FluxBokeh(tmp_path / "flux", adapter, FluxSettings(steps=2, device="cpu"))
    image = torch.rand(3, 21, 33, generator=torch.Generator().manual_seed(0))
    stack = maker.stack(image, [0.0, 20.0, 58.0, 20.0])
    assert stack.shape == (4, 3, 21, 33)
    assert torch.equal(stack[0], image)
    assert torch.equal(stack[1], stack[3])
    assert not torch.equal(stack[1], stack[2])
    (tmp_path / "flux/model_index.json").write_text("{}")
    with pytest.raises(DataError, match=r"folder of FLUX\.1 Kontext"):
        FluxBokeh(tmp_path / "flux", adapter, FluxSettings(device="cpu")).stack(image, [20.0])
