"""The page is opened from the disk, in a browser without a network, and looked at."""

import math

import cv2
import numpy as np
import pytest
import torch
from splat_scenes import cloud, oblique, rigid
from surface_scenes import subject, views, wall_and_ball

from recon.counter import silent
from recon.errors import DataError
from recon.export.choose import exporter_for
from recon.export.seen_colors import with_seen_colors
from recon.raster.reference import ReferenceRasterizer

pytestmark = pytest.mark.usefixtures("one_thread")

WIDTH, HEIGHT = 320, 240


def test_the_page_opens_from_the_disk_and_shows_what_the_first_camera_saw(chromium, tmp_path):
    file = tmp_path / "my <scene>.html"
    seen_from = views()
    given = subject(wall_and_ball(), seen_from=seen_from)
    said = exporter_for("html").write(given, file, silent)
    assert f"{file.stat().st_size / 1e6:.1f} MB" in said
    context = chromium.new_context(viewport={"width": WIDTH, "height": HEIGHT}, offline=True)
    tab = context.new_page()
    asked, problems = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.goto(file.as_uri())
    drawn = given.stage().draw(seen_from[0].camera).color.clamp(0, 1).mul(255).cpu().numpy()
    expected = cv2.resize(drawn, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    for _ in range(60):
        tab.wait_for_timeout(250)
        screen = cv2.imdecode(np.frombuffer(tab.screenshot(), np.uint8), cv2.IMREAD_COLOR)
        # Below what the page itself says at its upper edge.
        off = np.abs(screen[..., ::-1].astype(float) - expected)[HEIGHT * 2 // 3 :]
        if off.mean() < 12:
            break
    assert off.mean() < 12
    red = expected[HEIGHT * 2 // 3 :, WIDTH // 2 - 5 : WIDTH // 2 + 5]
    assert red[0, :, 1].max() < 20  # The ball is part of what was compared.
    assert tab.title() == "my <scene>"
    assert not problems
    assert {url.split(":")[0] for url in asked} <= {"file", "blob", "data"}
    policy = tab.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
    assert policy.startswith("default-src 'none'")
    blocked = tab.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', e => e.name)")
    assert blocked == "TypeError"
    context.close()


def test_colours_are_those_that_the_cameras_saw():
    at = oblique()
    scene = cloud(1, seed=3)
    scene.means[0] = torch.tensor([0.1, 0.2, 3.0])
    scene.sh_base[:] *= 0.2
    rendered = ReferenceRasterizer().render(scene, at)
    faint = ReferenceRasterizer().render(with_seen_colors(scene, [at]), at, sh_degree=0)
    torch.testing.assert_close(faint.color, rendered.color)
    assert not torch.allclose(
        rendered.color, ReferenceRasterizer().render(scene, at, sh_degree=0).color, atol=1e-3
    )
    unseen = with_seen_colors(scene, [at.moved(rigid((0, math.pi, 0), (0, 0, 0)))])
    torch.testing.assert_close(unseen.sh_base, scene.sh_base)
    # Two cameras, one twice as far: the mean, by 2 and 1.
    near, far = (at.moved(rigid((0.0, 0.0, 0.0), (0.0, 0.0, z))) for z in (0.0, 3.0))
    one, other, both = (
        with_seen_colors(scene, cameras).sh_base for cameras in ([near], [far], [near, far])
    )
    torch.testing.assert_close(both, (2 * one + other) / 3)


def test_a_page_needs_a_scene_and_a_place_to_begin(tmp_path):
    empty = wall_and_ball()
    empty.opacity_logits[:] = -20
    for given, said in (
        (subject(empty), "no Gaussian that can be seen"),
        (subject(wall_and_ball(), seen_from=()), "no training view to begin at"),
    ):
        with pytest.raises(DataError, match=said):
            exporter_for("html").write(given, tmp_path / "a.html", silent)
    assert not list(tmp_path.iterdir())


def test_the_file_is_little_more_than_the_client_and_the_splats(tmp_path, capsys):
    scene = wall_and_ball()
    exporter_for("html").write(subject(scene), tmp_path / "a.html", silent)
    assert (tmp_path / "a.html").stat().st_size < 1_000_000 + 4 / 3 * 32 * len(scene)
    assert capsys.readouterr().out == ""
