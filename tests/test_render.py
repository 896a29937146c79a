import json

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from recon.backdrop import Plain
from recon.errors import DataError, ResourceError, UsageError
from recon.gaussians import HARMONIC_BAND_0, Gaussians
from recon.optics import thin_lens
from recon.paths import wobble
from recon.pictures import LEGEND_WIDTH
from recon.raster.reference import ReferenceRasterizer
from recon.render import (
    Pictures,
    Shot,
    Stage,
    covered_depth,
    depth_scale,
    distance_at,
    render_shots,
)
from recon.scene import Scene
from recon.types import Camera
from recon.video import write_video

pytestmark = pytest.mark.usefixtures("one_thread")

WIDTH, HEIGHT = 32, 24


def camera(width: int = WIDTH, height: int = HEIGHT) -> Camera:
    return Camera(torch.eye(4), 0.9 * width, 0.9 * width, width / 2, height / 2, width, height)


def plane(z: float) -> Gaussians:
    """An opaque wall of white discs across the left half of the image, at one depth."""
    x, y = torch.meshgrid(
        torch.arange(-1.0, 0.01, 0.1), torch.arange(-1.0, 1.01, 0.1), indexing="ij"
    )
    means = torch.stack(
        [x.flatten() * z * 0.6, y.flatten() * z * 0.6, torch.full((x.numel(),), z)], 1
    )
    n = len(means)
    return Gaussians(
        means=means,
        quaternions=torch.tensor([[1.0, 0, 0, 0]]).repeat(n, 1),
        log_scales=torch.tensor([[0.06 * z, 0.06 * z, 1e-3]]).log().repeat(n, 1),
        opacity_logits=torch.full((n,), 4.0),
        sh_base=torch.full((n, 1, 3), 0.5 / HARMONIC_BAND_0),
        sh_rest=torch.zeros(n, 15, 3),
    )


def stage(z: float = 5.0, *, metric: bool = True) -> Stage:
    blue = Plain((0.0, 0.0, 1.0), torch.device("cpu"))
    return Stage(Scene(plane(z), blue), ReferenceRasterizer(), metric)


def load(path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize("which", ["expected", "median"])
def test_pictures_hold_colour_depth_and_alpha(tmp_path, which):
    stems = render_shots(
        stage(), [Shot("a/b.png", camera())], tmp_path, Pictures(depth=which, alpha=True)
    )
    assert stems == ["a_b"]
    color = np.asarray(Image.open(tmp_path / "color/a_b.png"))
    assert color[12, 8].tolist() == [255, 255, 255]
    assert color[12, 30].tolist() == [0, 0, 255]
    alpha = load(tmp_path / "alpha/a_b.png")
    assert alpha[12, 8] > 250
    assert alpha[12, 30] == 0
    notes = json.loads((tmp_path / "depth.json").read_text())
    depth = load(tmp_path / "depth/a_b.png") / notes["steps_per_unit"]
    assert depth[12, 8] == pytest.approx(5.0, abs=0.5 / notes["steps_per_unit"])
    assert depth[12, 30] == notes["no_depth"]
    assert (notes["unit"], notes["depth"]) == ("metres", f"{which}, along the optical axis")
    colors = load(tmp_path / "depth_colors/a_b.png")
    assert colors.shape == (HEIGHT, WIDTH + LEGEND_WIDTH, 3)


@pytest.mark.parametrize(("z", "steps"), [(0.3, 1e5), (5.0, 1e4), (20.0, 1e3), (200.0, 100.0)])
def test_16_bits_hold_the_depth_of_any_scene(tmp_path, z, steps):
    render_shots(stage(z, metric=False), [Shot("a", camera())], tmp_path)
    notes = json.loads((tmp_path / "depth.json").read_text())
    assert notes["steps_per_unit"] == steps
    assert notes["unit"] == "scene units"
    stored = load(tmp_path / "depth/a.png")
    assert stored.dtype == np.uint16
    assert 5000 < stored.max() < 65535
    assert stored.max() / steps == pytest.approx(z, rel=1e-3)


def test_faint_pixels_have_no_depth():
    faint = stage()
    faint.scene.gaussians.opacity_logits[:] = -3
    render = faint.draw(camera())
    assert float(render.expected_depth.max()) > 0
    assert not covered_depth(render, "expected").any()
    assert depth_scale(faint, [Shot("a", camera())], "expected").steps_per_unit > 0


def test_a_scene_can_be_rendered_without_depth_and_at_any_size(tmp_path):
    render_shots(stage(), [Shot("a", camera(50, 20))], tmp_path, Pictures(depth="none"))
    assert load(tmp_path / "color/a.png").shape == (20, 50, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["color"]


def test_a_lens_blurs_what_it_is_not_focused_on(tmp_path):
    def edge(name: str, focus: float) -> int:
        lens = thin_lens(80.0, focus)
        render_shots(stage(), [Shot(name, camera())], tmp_path, Pictures(depth="none"), lens=lens)
        row = load(tmp_path / f"color/{name}.png")[12, :, 2].astype(int)
        return int(((row > 20) & (row < 235)).sum())

    assert edge("near", 2.0) > edge("sharp", 5.0) + 3


def test_progress_is_told_in_order(tmp_path):
    shots = [Shot(name, camera()) for name in "cab"]
    told = []
    stems = render_shots(stage(), shots, tmp_path, Pictures("none"), on_shot=told.append)
    assert [shot.name for shot in told] == stems == ["c", "a", "b"]


def test_nothing_to_render_is_said(tmp_path):
    with pytest.raises(DataError, match="no views to render"):
        render_shots(stage(), [], tmp_path)


def test_the_distance_at_a_place_of_the_image():
    assert distance_at(stage(), camera(), 0.2, 0.5) == pytest.approx(5.0)
    with pytest.raises(DataError, match="nothing of the scene is seen"):
        distance_at(stage(), camera(), 1.0, 1.0)


def frames(tmp_path, count: int = 6, width: int = 65, height: int = 48):
    shots = [Shot(str(i), c) for i, c in enumerate(wobble(camera(width, height), count, 0.5, 5.0))]
    stems = render_shots(stage(), shots, tmp_path, Pictures("none"))
    return [tmp_path / "color" / f"{stem}.png" for stem in stems]


@pytest.mark.parametrize("suffix", ["mp4", "webm"])
def test_a_video_shows_the_pictures_at_their_speed(tmp_path, suffix):
    pictures = frames(tmp_path)
    path = tmp_path / f"out.{suffix}"
    write_video(path, pictures, 12.0)
    video = cv2.VideoCapture(str(path))
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(12)
    shown = []
    while (read := video.read())[0]:
        shown.append(read[1])
    assert len(shown) == len(pictures)
    for frame, picture in zip(shown, pictures, strict=True):
        assert frame.shape == (48, 64, 3)
        assert np.abs(frame.astype(int) - load(picture)[:, :64]).mean() < 8
    assert not list(tmp_path.glob(".*"))


def test_videos_that_cannot_be_made_leave_no_file(tmp_path, monkeypatch):
    pictures = frames(tmp_path, 2)
    for name, given, fps in (
        ("a.avi", pictures, 12.0),
        ("a.mp4", [], 12.0),
        ("a.mp4", pictures, 0.0),
    ):
        with pytest.raises(UsageError, match="expected a name that ends in"):
            write_video(tmp_path / name, given, fps)
    cv2.imwrite(str(pictures[1]), np.zeros((10, 10, 3), np.uint8))
    with pytest.raises(DataError, match="is 10x10; expected 64x48"):
        write_video(tmp_path / "a.mp4", pictures, 12.0)
    pictures[1].unlink()
    with pytest.raises(DataError, match="cannot be read"):
        write_video(tmp_path / "a.mp4", pictures, 12.0)
    monkeypatch.setattr("recon.video.CODECS", {".mp4": "xxxx"})
    with pytest.raises(ResourceError, match="cannot encode xxxx"):
        write_video(tmp_path / "a.mp4", pictures[:1], 12.0)
    assert not (tmp_path / "a.mp4").exists()
    assert not list(tmp_path.glob(".*"))
