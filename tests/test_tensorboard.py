"""What TensorBoard is told, read back by TensorBoard."""

import sys
from pathlib import Path

import pytest

from recon.commands.tensorboard import TensorBoard
from recon.errors import ResourceError
from recon.fit import Progress


def test_the_numbers_of_a_fit_are_read_back(tmp_path: Path) -> None:
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    ).EventAccumulator
    with TensorBoard(tmp_path) as board:
        for step in (20, 40):
            board(Progress(step, 0.1, 1.0, 20.0 + step, 300, {"photometric": 1 / step}))
    found = accumulator(str(tmp_path))
    found.Reload()
    assert [(e.step, e.value) for e in found.Scalars("psnr")] == [(20, 40.0), (40, 60.0)]
    assert [e.value for e in found.Scalars("terms/photometric")] == pytest.approx([0.05, 0.025])


def test_without_the_package_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ResourceError, match=r"defocus-recon\[track\]"):
        TensorBoard(tmp_path)
