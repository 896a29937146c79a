"""`recon bokeh`, as its user runs it: pictures that can be looked at, and answers to mistakes."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base
from priors_made import meter

from recon.commands.bokeh import Bokeh
from recon.datasets.decode import decode
from recon.errors import DataError, UsageError
from recon.networks.bokeh_network import BEGINNING, BokehNetwork
from recon.networks.stored import save_network

pytestmark = pytest.mark.usefixtures("one_thread")


def photo(path: Path, mode: str = "RGB", focal_35mm: int | None = None) -> Path:
    """Write a photo of 48 by 40 pixels."""
    exif = Image.Exif()
    if focal_35mm is not None:
        exif.get_ifd(IFD.Exif)[Base.FocalLengthIn35mmFilm] = focal_35mm
    random = np.random.default_rng(0)
    if mode == "I;16":
        Image.fromarray(random.integers(0, 65536, (40, 48)).astype(np.uint16)).save(path)
    else:
        pixels = random.integers(0, 256, (40, 48, 3)).astype(np.uint8)
        Image.fromarray(pixels).convert(mode).save(path, exif=exif)
    return path


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The weights of a network that has seen nothing: everything is 1 / `BEGINNING` m away."""
    save_network(BokehNetwork(), tmp_path / "light.safetensors")
    return tmp_path / "light.safetensors"


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "I;16"])
def test_writes_a_picture_for_each_strength(tmp_path: Path, weights: Path, mode: str) -> None:
    sharp, out = photo(tmp_path / "a.png", mode), tmp_path / "out"
    Bokeh(sharp, out, (0.0, 12.5), weights=weights)()
    kept = decode(out / "a_K0.png", upright=True, background=(0, 0, 0))
    assert np.array_equal(kept, decode(sharp, upright=True, background=(0, 0, 0)))
    blurred = decode(out / "a_K12.5.png", upright=True, background=(0, 0, 0))
    assert blurred.std() < 0.7 * kept.std()
    told = json.loads((out / "a_bokeh.json").read_text())
    assert told["files"] == ["a_K0.png", "a_K12.5.png"]
    assert told["inverse_focus_per_m"] == 0


def test_what_lies_at_the_focus_distance_stays_sharp(tmp_path: Path, weights: Path) -> None:
    sharp = photo(tmp_path / "a.png")
    Bokeh(sharp, tmp_path / "out", (20.0,), 1 / BEGINNING, weights=weights)()
    made = decode(tmp_path / "out/a_K20.png", upright=True, background=(0, 0, 0))
    assert np.array_equal(made, decode(sharp, upright=True, background=(0, 0, 0)))


def test_the_depth_of_a_prior_blurs_as_well(tmp_path: Path) -> None:
    found = meter("meter-nyu", tmp_path, 1).weights
    with_focal = photo(tmp_path / "a.jpg", focal_35mm=28)
    Bokeh(with_focal, tmp_path / "out", (4.0,), generator="depth", weights=found)()
    assert json.loads((tmp_path / "out/a_bokeh.json").read_text())["generator"] == "depth"
    without = photo(tmp_path / "b.jpg")
    with pytest.raises(UsageError, match="--focal-px"):
        Bokeh(without, tmp_path / "out", (4.0,), generator="depth", weights=found)()


@pytest.mark.parametrize(
    "wrong", [{"strengths": (-1.0,)}, {"strengths": ()}, {"focus_distance": 0.0}, {"focal_px": -1}]
)
def test_numbers_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="expected"):
        Bokeh(photo(tmp_path / "a.png"), tmp_path / "out", **wrong)()  # type: ignore[arg-type]


def test_a_maker_that_chooses_its_focus_is_not_told_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--focus-distance"):
        Bokeh(photo(tmp_path / "a.png"), tmp_path / "out", generator="flux", focus_distance=2.0)()


def test_a_photo_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.png"):
        Bokeh(tmp_path / "none.png", tmp_path / "out", (math.pi,))()
