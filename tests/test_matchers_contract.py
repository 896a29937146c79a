"""What every matcher promises, checked over all of them."""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from homographies import mapped, texture, warped

from recon.errors import DataError
from recon.matching.aliked import Aliked, AlikedSettings, build_aliked
from recon.matching.loftr import Loftr, LoftrSettings, build_loftr
from recon.matching.loftr_coarse import LoftrCoarse, LoftrCoarseSettings, build_loftr_coarse
from recon.matching.matcher import Matcher
from recon.matching.sift import Sift

pytestmark = pytest.mark.usefixtures("one_thread")


@functools.cache
def untrained_aliked() -> Matcher:
    torch.manual_seed(0)
    settings = AlikedSettings(score=0.0, most=200)
    return Aliked(build_aliked("t16", settings), "untrained", settings)


@functools.cache
def untrained_loftr() -> Matcher:
    torch.manual_seed(0)
    settings = LoftrSettings(confidence=0.0)
    return Loftr(build_loftr("outdoor", settings), "untrained", settings)


@functools.cache
def untrained_coarse() -> Matcher:
    torch.manual_seed(0)
    settings = LoftrCoarseSettings(confidence=0.0, alike=-1, there_and_back=float("inf"))
    return LoftrCoarse(build_loftr_coarse(), "untrained", settings)


MATCHERS: dict[str, Callable[[], Matcher]] = {
    "sift": Sift,
    "aliked": untrained_aliked,
    "loftr": untrained_loftr,
    "loftr-coarse": untrained_coarse,
}
"""Networks are as they are built, so that no weights are needed."""


@pytest.fixture(scope="module", params=MATCHERS)
def matcher(request: pytest.FixtureRequest) -> Matcher:
    return MATCHERS[request.param]()


def test_matches_lie_in_photos_of_different_and_odd_sizes(matcher: Matcher) -> None:
    a, b = texture(90, 61), texture(67, 91)
    found = matcher.match(a, b)
    assert found.pixels_a.shape == found.pixels_b.shape == (len(found), 2)
    assert found.confidence.dtype == found.pixels_a.dtype == torch.float32
    for pixels, size in ((found.pixels_a, (90, 61)), (found.pixels_b, (67, 91))):
        assert ((pixels >= 0) & (pixels <= torch.tensor(size))).all()
    assert ((found.confidence >= 0) & (found.confidence <= 1)).all()


def test_the_same_again(matcher: Matcher) -> None:
    a, b = texture(64, 64), texture(64, 64, seed=1)
    for one, other in zip(
        vars(matcher.match(a, b)).values(), vars(matcher.match(a, b)).values(), strict=True
    ):
        assert torch.equal(one, other)


def test_photos_without_texture_have_no_matches_or_some_but_no_error(matcher: Matcher) -> None:
    plain = torch.full((64, 96, 3), 127, dtype=torch.uint8)
    found = matcher.match(plain, texture(96, 64))
    assert found.pixels_a.isfinite().all()
    assert found.pixels_b.isfinite().all()


def test_it_is_called_by_its_name(matcher: Matcher) -> None:
    assert MATCHERS[matcher.name]().identity == matcher.identity
    others = [make().identity for name, make in MATCHERS.items() if name != matcher.name]
    assert matcher.identity not in others


HOMOGRAPHIES = {
    "halfway": torch.tensor([[1.0, 0, 16.5], [0, 1, -7.5], [0, 0, 1]]).double(),
    "oblique": torch.tensor([[0.92, -0.1, 30], [0.08, 0.95, -5], [2e-4, 1e-4, 1]]).double(),
    "larger": torch.tensor([[1.3, 0, -20], [0, 1.3, -10], [0, 0, 1]]).double(),
}
BIAS = {"sift": 0.02, "aliked": 0.25, "loftr-coarse": 0.02}
"""px that the median match may be off. ALIKED's key points move when a photo is turned."""


@pytest.fixture(scope="module", params=["sift", "aliked", "loftr-coarse"])
def trained(request: pytest.FixtureRequest) -> Matcher:
    """Those that can be had here, as a user has them."""
    if request.param == "sift":
        return Sift()
    weights = request.getfixturevalue("shared") / "weights"
    if request.param == "aliked":
        return Aliked.load(weights / "aliked/aliked-t16.pth", "t16")
    return LoftrCoarse.load(weights / "loftr_coarse/LoFTR_teacher.pt")


@pytest.mark.parametrize("name", HOMOGRAPHIES)
def test_pixels_are_where_the_homography_puts_them(trained: Matcher, name: str) -> None:
    homography, photo = HOMOGRAPHIES[name], texture(320, 240)
    found = trained.match(photo, warped(photo, homography, 320, 240))
    off = mapped(homography, found.pixels_a) - found.pixels_b
    assert len(found) > 50
    assert (off.norm(dim=-1) < 1).double().mean() > 0.8
    assert off.median(dim=0).values.abs().max() < BIAS[trained.name]


def test_key_points_of_a_turned_photo_are_turned() -> None:
    """Were pixel centres elsewhere than at +0.5, they would be off by twice as much."""
    photo = texture(320, 240)
    one = Sift().describe(photo).pixels
    back = torch.tensor([320.0, 240.0]) - Sift().describe(photo.flip(0, 1)).pixels
    distance, nearest = torch.cdist(one, back).min(dim=1)
    off = (back[nearest] - one)[distance < 2]
    assert len(off) > 1000
    assert off.mean(dim=0).abs().max() < 0.01


class OneKeyPoint(torch.nn.Module):
    """What kornia's network gives: whole numbers are in the centres of pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, planes: torch.Tensor) -> list[SimpleNamespace]:
        assert planes.shape == (1, 3, 50, 100)
        return [SimpleNamespace(keypoints=torch.tensor([[9.0, 4.0]]), descriptors=torch.ones(1, 1))]


def test_aliked_counts_pixels_as_kornia_does() -> None:
    matcher = Aliked(OneKeyPoint(), "a stub", AlikedSettings(longest=100))
    assert matcher.describe(texture(200, 100)).pixels.tolist() == [[19.0, 9.0]]


def test_a_photo_shrunk_for_matching_keeps_its_own_pixels() -> None:
    photo = texture(320, 240)
    larger = photo.repeat_interleave(2, dim=0).repeat_interleave(2, dim=1)
    found = Sift(longest=320).match(photo, larger)
    assert len(found) > 500
    torch.testing.assert_close(found.pixels_b, 2 * found.pixels_a)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"state_dict": {"layer.weight": torch.zeros(3)}}, path)
    with pytest.raises(DataError, match=r"other\.pth: not the weights of ALIKED t16"):
        Aliked.load(path, "t16")
    path.write_bytes(hashlib.sha256(b"no checkpoint").digest())
    with pytest.raises(DataError, match=r"other\.pth: cannot be read as the weights of LoFTR"):
        LoftrCoarse.load(path)
    torch.save([1, 2], path)
    with pytest.raises(DataError, match="holds no tensors by name"):
        LoftrCoarse.load(path)


def test_weights_are_read_as_they_are_published(tmp_path: Path) -> None:
    settings = LoftrSettings()
    network = build_loftr("indoor", settings)
    path = tmp_path / "loftr.ckpt"
    torch.save({"state_dict": {f"matcher.{k}": v for k, v in network.state_dict().items()}}, path)
    read = Loftr.load(path, "indoor")
    assert all(
        torch.equal(v, network.state_dict()[k]) for k, v in read.network.state_dict().items()
    )
