"""What `recon view` opens, and what it says of what it cannot open."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from captures import make_scene, write_transforms
from hypothesis import given
from hypothesis import strategies as st
from plyfile import PlyData, PlyElement
from viewer_scenes import walls

from recon.browser_splats import browser_splats
from recon.commands.capture import capture_of, fingerprint
from recon.commands.view import View, file_subject, run_subject
from recon.config import FitSettings
from recon.errors import DataError, UsageError
from recon.gaussians import rotations
from recon.run import Run, create
from recon.scene_file import PROPERTIES, write_ply
from recon.types import Similarity

pytestmark = pytest.mark.usefixtures("one_thread")


def written(path: Path, drop: str = "", reverse: bool = False) -> Path:
    """Write the walls by another program, far from the origin, in another order of properties."""
    gaussians = walls(0.6)
    offset = torch.tensor([5e5, 4e6, 100.0], dtype=torch.float64)
    write_ply(path, gaussians, Similarity.shift(offset), metric=True)
    table = PlyData.read(path)["vertex"].data
    names = [n for n in PROPERTIES if not (drop and n.startswith(drop))]
    other = np.empty(len(table), [(n, "f4") for n in (names[::-1] if reverse else names)])
    for name in names:
        other[name] = table[name]
    PlyData([PlyElement.describe(other, "vertex")]).write(path)
    return path


def test_a_file_in_another_order_is_the_same_scene(tmp_path: Path) -> None:
    plain = file_subject(written(tmp_path / "a.ply"), "reference", metric=True)
    turned = file_subject(written(tmp_path / "b.ply", reverse=True), "reference", metric=True)
    one, two = (s.stage.scene.gaussians.named() for s in (plain, turned))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert plain.depths == turned.depths


def test_a_file_without_harmonics_or_normals_is_seen_from_its_start(tmp_path: Path) -> None:
    subject = file_subject(written(tmp_path / "a.ply", drop="f_rest"), "reference", metric=False)
    assert not subject.stage.scene.gaussians.sh_rest.any()
    # Coordinates of a map, whose float32 steps are half a metre, are brought near the origin.
    assert float(subject.stage.scene.gaussians.means.abs().max()) < 20
    render = subject.stage.draw(subject.home, sh_degree=0)
    assert float((render.alpha > 0.5).float().mean()) > 0.05
    assert subject.unit == ""


def test_files_that_are_no_scene_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.ply: cannot be read"):
        View(tmp_path / "gone.ply")()
    empty = written(tmp_path / "empty.ply")
    data = PlyData.read(empty)
    PlyData([PlyElement.describe(data["vertex"].data[:0], "vertex")]).write(empty)
    with pytest.raises(DataError, match="holds no Gaussians"):
        file_subject(empty, "reference", metric=True)
    text = tmp_path / "text.ply"
    text.write_text("no scene")
    with pytest.raises(DataError, match="does not begin with 'ply'"):
        file_subject(text, "reference", metric=True)


def test_data_belongs_to_a_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--data"):
        View(written(tmp_path / "a.ply"), data=tmp_path)()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    write_transforms(tmp_path / "data", make_scene())
    settings = FitSettings(data=tmp_path / "data", backend="reference").resolved()
    found = {"data_fingerprint": fingerprint(capture_of(settings))}
    return create(tmp_path / "run", settings, found)


def test_a_run_without_a_checkpoint_yet_says_so(run: Run) -> None:
    with pytest.raises(DataError, match="checkpoint"):
        run_subject(run, None)


def test_a_run_of_another_version_says_so(run: Run) -> None:
    settings = json.loads(run.settings_file.read_text())
    settings["schema"] = "recon-config-of-the-future"
    run.settings_file.write_text(json.dumps(settings))
    with pytest.raises(DataError, match="schema recon-config-of-the-future"):
        run_subject(run, None)


@pytest.mark.parametrize("name", ["gone", ""])
def test_a_folder_that_is_no_run_says_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="not a run's folder"):
        View(tmp_path / name)()


@given(st.lists(st.floats(-2, 2), min_size=4, max_size=4).filter(lambda q: sum(map(abs, q)) > 0.1))
def test_the_browser_gets_the_covariances_of_the_definition(quaternion: list[float]) -> None:
    """R S Sᵀ Rᵀ in float64, to float32 steps of the largest variance; and only what can be seen."""
    gaussians = walls(0.9)
    gaussians.quaternions[:] = torch.tensor(quaternion)
    gaussians.opacity_logits[0] = -9.0
    splats = browser_splats(gaussians)
    assert len(splats.centers) == len(gaussians) - 1
    turn = rotations(gaussians.quaternions.double())
    spread = torch.diag_embed(gaussians.log_scales.double().exp().square())
    exact = (turn @ spread @ turn.transpose(1, 2))[1:].numpy()
    assert np.allclose(splats.covariances, exact, rtol=1e-4, atol=5e-6)
    assert np.allclose(splats.opacities, 1 / (1 + np.exp(-4.0)))
    assert np.allclose(splats.colors[0], [0.9, 0.1, 0.1], atol=1e-6)
