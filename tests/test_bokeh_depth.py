"""Depth from METER's own bokeh stacks: what teaches it, its weights on disk, and the prior."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from priors_made import FRAMES, bokeh_depth, camera
from safetensors.torch import load_file, save_file
from torch import Tensor

from recon.commands.train_bokeh_depth import mirrored
from recon.errors import DataError, NumericError, ResourceError, UsageError
from recon.networks.focus_examples import Examples, Photograph, examples, steepness
from recon.networks.focus_losses import distillation, edge_guided, scale_invariant_log
from recon.networks.focus_meter import SWEEP, MeterFocus
from recon.networks.focus_stacks import Exact, Sharp
from recon.networks.focus_stored import load_focus, save_focus
from recon.networks.focus_training import FocusTraining, FocusTrainSettings
from recon.networks.meter_canvas import TRAINING, Canvas, weights_of
from recon.networks.meter_network import MeterXxs
from recon.priors.bokeh_depth import BokehDepth, agreement
from recon.priors.choose import PriorChoice, choose_prior
from recon.priors.meter import Meter
from recon.types import Camera, DepthMap

pytestmark = pytest.mark.usefixtures("one_thread")


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def base_network() -> MeterXxs:
    """Return a random METER whose depth is 2 m in the mean, in NYU's unit."""
    torch.manual_seed(1)
    network = MeterXxs().eval()
    with torch.no_grad():
        weight = network.decoder.conv2d_out.weight.abs_()
        weight.mul_(200 / network(noise(1, 3, 192, 256)).mean())
    return network


def test_log_depth_off_by_one_factor_costs_its_part_only() -> None:
    truth, known = noise(2, 5, 7), torch.ones(2, 5, 7, dtype=torch.bool)
    off = scale_invariant_log(truth + 0.4, truth, known, 0.15)
    assert float(off) == pytest.approx(0.4 * 0.15**0.5, rel=1e-4)
    found = truth.clone()
    found[:, :, ::2] += 0.2
    error = (found - truth)[0]
    expected = (error.var(correction=0) + 0.15 * error.mean() ** 2).sqrt()
    assert float(scale_invariant_log(found, truth, known, 0.15)) == pytest.approx(float(expected))
    known[0, :2] = False
    found[0, :2] = 99.0
    assert float(scale_invariant_log(found, truth, known, 0.15)) < 1.0


def test_distillation_is_the_distance_from_the_base() -> None:
    base = noise(2, 5, 7)
    assert float(distillation(base - 0.3, base)) == pytest.approx(0.3, rel=1e-5)


def test_shape_at_edges_knows_neither_scale_nor_shift() -> None:
    truth, known = noise(2, 16, 20), torch.ones(2, 16, 20, dtype=torch.bool)
    edges = noise(2, 16, 20, seed=1)
    same = edge_guided(3.0 * truth - 2.0, truth, known, edges)
    assert float(same) == pytest.approx(0, abs=2e-3)
    other = noise(2, 16, 20, seed=2)
    assert float(edge_guided(other, truth, known, edges)) > 0.5
    # Upside down every patch is as far from itself as twice its own extent.
    turned = edge_guided(-truth, truth, known, edges)
    assert float(turned) == pytest.approx(2**0.5, rel=1e-3)


def test_what_is_unknown_teaches_nothing() -> None:
    truth, edges = noise(1, 16, 20), noise(1, 16, 20, seed=1)
    known = torch.ones(1, 16, 20, dtype=torch.bool)
    known[:, :, 10:] = False
    found = noise(1, 16, 20, seed=2).requires_grad_()
    loss = edge_guided(found, truth, known, edges)
    loss = loss + scale_invariant_log(found, truth, known, 0.15)
    torch.autograd.backward(loss)
    assert found.grad is not None
    assert not bool(found.grad[~known].any())
    assert bool(found.grad[known].any())
    assert bool(found.grad.isfinite().all())


def photograph(width: int = 80, height: int = 60) -> Photograph:
    pixels = (255 * noise(height, width, 3)).to(torch.uint8)
    columns = torch.arange(width, dtype=torch.float32).expand(height, width)
    depth = DepthMap(0.5 + columns / 10, columns >= 3)
    return Photograph(pixels, camera(width, height, 1.1 * width), depth)


def test_truth_is_read_where_answers_belong() -> None:
    """A camera like METER's: answer i of KITTI's belongs to the photo's column 4 i."""
    trained = TRAINING["kitti"].camera
    columns = torch.arange(640, dtype=torch.float32).expand(192, 640)
    depth = DepthMap(1 + columns, columns >= 8)
    found = Canvas("kitti", trained).answers(depth)
    assert found.z.shape == (48, 160)
    assert torch.equal(found.z[5, 2:], 1 + 4.0 * torch.arange(2, 160))
    assert not bool(found.valid[:, :2].any())
    whole = Canvas("kitti", trained).inputs(depth)
    assert torch.equal(whole.z[:, 8:], depth.z[:, 8:])
    # In NYU's white frame nothing is learned: 7 px of 640 on the left are 2 answers of 10.
    own = TRAINING["nyu"].camera
    ones = DepthMap(torch.ones(480, 640), torch.ones(480, 640, dtype=torch.bool))
    rooms = Canvas("nyu", own).answers(ones)
    assert not bool(rooms.valid[:, 0].any())
    assert bool(rooms.valid[1:-1, 1:-1].all())


def test_a_mirror_turns_photo_depth_and_camera_alike() -> None:
    one = photograph()
    one = replace(one, camera=Camera(torch.eye(4), 90, 90, 30.0, 31.0, 80, 60))
    (same, other) = mirrored([one])
    assert same is one
    assert other.camera.cx == 50.0
    assert torch.equal(other.depth.z[:, 0], one.depth.z[:, -1])
    assert torch.equal(other.mirrored().pixels, one.pixels)


def test_stacks_begin_with_the_photo_and_keep_the_white_frame() -> None:
    one = photograph()
    canvas = Canvas("nyu", one.camera)
    stack, strengths = Exact((0.0, 6.0)).frames(canvas, one.pixels, one.depth)
    assert strengths == (0.0, 0.0, 6.0)
    image = canvas.image(one.pixels)
    assert torch.equal(stack[0], image)
    assert torch.equal(stack[1], image)
    assert not torch.equal(stack[2], image)
    assert torch.equal(stack[2][:, ~canvas.inside], image[:, ~canvas.inside])
    assert not bool(canvas.inside[0].any())
    again, none = Sharp(2).frames(canvas, one.pixels, None)
    assert none == (0.0, 0.0, 0.0)
    assert torch.equal(again, image.expand(3, -1, -1, -1))


def test_steepness_is_the_gradient() -> None:
    ramp = 0.01 * torch.arange(32.0).expand(3, 16, 32)
    inner = steepness(ramp)[1:-1, 1:-1]
    torch.testing.assert_close(inner, torch.full_like(inner, 0.01))


@pytest.fixture(scope="module")
def taught() -> Examples:
    return examples(mirrored([photograph()]), "nyu", base_network(), Sharp(2))


SMALL = FocusTrainSettings(base="meter-nyu", steps=4, cycle=4, batch=2)


def begun(taught: Examples, settings: FocusTrainSettings = SMALL) -> FocusTraining:
    training = FocusTraining(settings)
    training.show(base_network(), taught, taught)
    return training


def test_a_training_goes_on_as_if_it_had_not_stopped(taught: Examples, tmp_path: Path) -> None:
    whole, part = begun(taught), begun(taught)
    first = whole.next()
    assert first["abs_rel"] == pytest.approx(first["abs_rel_base"], rel=1e-3)
    part.next()
    part.save(tmp_path / "state")
    again = FocusTraining.restored(tmp_path / "state")
    again.show(base_network(), taught, taught)
    assert again.settings == SMALL
    for _ in range(3):
        expected, found = whole.next(), again.next()
        for name, value in expected.items():
            if not name.startswith("held"):  # These are of every fiftieth step.
                assert found[name] == value
    assert whole.done
    assert again.done


def test_training_lowers_its_loss_and_leaves_meter_as_it_is(taught: Examples) -> None:
    training = FocusTraining(replace(SMALL, steps=12, cycle=12, batch=1, rate=1e-3))
    base, one = base_network(), taught.chosen(torch.tensor([0]))
    training.show(base, one, one)
    losses = [training.next()["depth"] for _ in range(12)]
    assert losses[-1] < losses[0]
    for name, tensor in base_network().state_dict().items():
        assert torch.equal(base.state_dict()[name], tensor)


def test_settings_that_teach_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="--scenes 0: nothing to learn from"):
        FocusTrainSettings(scenes=0)
    with pytest.raises(UsageError, match=r"--weights.edges -1.0: expected 0 or more"):
        FocusTrainSettings(weights=replace(SMALL.weights, edges=-1.0))


def test_a_loss_that_is_not_finite_stops_the_training(taught: Examples) -> None:
    training = begun(taught)
    with torch.no_grad():
        next(training.network.parameters()).fill_(torch.nan)
    with pytest.raises(NumericError, match="lower --rate"):
        training.next()


def test_weights_of_another_encoder_are_refused_by_name_and_shape(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_focus(MeterFocus("nyu"), path)
    assert load_focus(path, "nyu").variant == "nyu"
    told = r"a\.safetensors.*--base meter-kitti.*found some for meter-nyu"
    with pytest.raises(DataError, match=told):
        load_focus(path, "kitti")
    tensors = load_file(path)
    tensors["blocks.0.gamma_space_ffn"] = torch.zeros(12)
    save_file(tensors, path, {"taught": '{"base": "meter-nyu"}'})
    with pytest.raises(DataError, match=r"found others .*"):
        load_focus(path, "nyu")
    save_file(tensors, path, {"taught": '{"base": "meter-nyu", "stack": "drawn"}'})
    with pytest.raises(DataError, match="found some for stacks by drawn"):
        load_focus(path, "nyu")
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(DataError, match="nothing that they name"):
        load_focus(path, "nyu")


def test_equal_weights_are_equal_files(tmp_path: Path) -> None:
    path, network = tmp_path / "a.safetensors", MeterFocus("nyu")
    files = set()
    for _ in range(8):
        save_focus(network, path)
        files.add(path.read_bytes())
    assert len(files) == 1


def test_without_weights_one_is_told_how_to_make_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECON_WEIGHTS", raising=False)
    with pytest.raises(ResourceError, match="recon train bokeh-depth --base meter-nyu"):
        choose_prior(PriorChoice("bokeh-depth-nyu"))


@pytest.mark.parametrize("variant", ["kitti", "nyu"])
def test_without_blur_or_training_depth_is_meters(variant: str, tmp_path: Path) -> None:
    made = bokeh_depth("bokeh-depth-nyu" if variant == "nyu" else "bokeh-depth-kitti", tmp_path, 1)
    assert made.weights is not None
    own = "nyu" if variant == "nyu" else "kitti"
    base = made.weights.with_name(weights_of(own).file)
    meter = Meter(own, base).predict(FRAMES[0]).depth
    sharp = BokehDepth(own, base, made.weights, (0.0, 0.0)).predict(FRAMES[0])
    assert torch.equal(sharp.depth.z, meter.z)
    trained = BokehDepth(own, base, made.weights).predict(FRAMES[0])
    assert not torch.allclose(trained.depth.z, meter.z, rtol=1e-3)
    save_focus(MeterFocus(own), made.weights)
    untrained = BokehDepth(own, base, made.weights).predict(FRAMES[0])
    torch.testing.assert_close(untrained.depth.z, meter.z, rtol=1e-4, atol=1e-5)
    assert untrained.confidence is not None
    assert torch.equal(untrained.confidence, untrained.depth.valid.float())


def test_the_prior_makes_the_stacks_that_its_weights_were_taught_with(tmp_path: Path) -> None:
    made = bokeh_depth("bokeh-depth-nyu", tmp_path, 1)
    assert made.weights is not None
    network = load_focus(made.weights, "nyu")
    found = {}
    for stack in ("own", "light", "sharp"):
        network.stack = stack
        save_focus(network, made.weights)
        prior = choose_prior(made)
        found[prior.identity()] = prior.predict(FRAMES[0]).depth.z
    assert len(found) == 3
    own, light, sharp = found.values()
    assert not torch.equal(own, light)
    assert not torch.equal(own, sharp)
    network.stack = "exact"
    save_focus(network, made.weights)
    with pytest.raises(DataError, match="which nobody has of a photo"):
        choose_prior(made).predict(FRAMES[0])


def test_strengths_below_zero_are_refused() -> None:
    with pytest.raises(UsageError, match=r"strength -1\.0; expected 0 or more"):
        BokehDepth("kitti", Path("a"), Path("b"), (10.0, -1.0))


def test_agreement_falls_with_the_ratio_of_depths() -> None:
    z = torch.tensor([[2.0, 5.0, 7.0, 2.0, 0.0]])
    other = 1.7 * torch.tensor([[2.0, 5.0, 7.0, 2.0 * 1.1, 3.0]])
    expected = torch.tensor([[1.0, 1.0, 1.0, float(torch.tensor(1.1).log().mul(-10).exp()), 0.0]])
    torch.testing.assert_close(agreement(z, other), expected)
    assert not bool(agreement(torch.zeros(2, 2), torch.ones(2, 2)).any())


def test_the_largest_lens_blurs_a_street_by_a_readable_amount() -> None:
    """12 px at 5 m, and still 0.75 px at METER's farthest."""
    assert SWEEP["kitti"][-1] / 5 == 12
    assert SWEEP["kitti"][-1] / 80 == 0.75
