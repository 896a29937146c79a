"""LPIPS against values of the authors' package (lpips 0.1.4, run once aside with this trunk)."""

from pathlib import Path

import pytest
import torch
from lpips_trunk import images, trunk
from safetensors.torch import save_file

from recon.errors import DataError
from recon.lpips import Lpips, load_lpips

NOISY, INVERTED = 0.017212167382240295, 0.24551860988140106
"""`lpips.LPIPS(net="vgg", pnet_rand=True)` with its trunk replaced by `trunk()`, torch 2.13 on CPU:
the first of `images()` against the second, and against its negative."""


def test_distances_are_the_authors(tmp_path: Path, one_thread: None) -> None:
    save_file(trunk(), tmp_path / "vgg16.safetensors")
    distance = load_lpips(tmp_path / "vgg16.safetensors")
    image, noisy = images()
    assert distance(image, noisy) == pytest.approx(NOISY, rel=1e-4)
    assert distance(image, 1 - image) == pytest.approx(INVERTED, rel=1e-4)
    assert distance(image, image) == 0
    assert "vgg16" in distance.name


def test_weights_that_are_no_trunk_are_refused(tmp_path: Path) -> None:
    cut = trunk()
    del cut["features.28.bias"]
    with pytest.raises(ValueError, match=r"features\.28\.bias"):
        Lpips(cut, "cut")
    turned = trunk()
    turned["features.0.weight"] = torch.zeros(3, 64, 3, 3)
    with pytest.raises(ValueError, match=r"features\.0\.weight"):
        Lpips(turned, "turned")
    for name, content in (("a.pth", b"no weights"), ("b.safetensors", b"{}"), ("c.pth", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=r"vgg16-397923af\.pth"):
            load_lpips(tmp_path / name)
    with pytest.raises(DataError, match=r"nowhere\.pth"):
        load_lpips(tmp_path / "nowhere.pth")
