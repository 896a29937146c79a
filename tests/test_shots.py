from pathlib import Path

import numpy as np
import pytest
import torch
from photos import NoPhoto

from recon.backdrop import Plain
from recon.camera import look_at
from recon.errors import DataError, UsageError
from recon.gaussians import Gaussians
from recon.raster.reference import ReferenceRasterizer
from recon.render import Shot, Stage
from recon.scene import Scene
from recon.shots import PathSettings, at_width, shots_along, shots_of_views
from recon.types import Camera, Capture, Similarity, Split, View

pytestmark = pytest.mark.usefixtures("one_thread")


def capture(count: int = 8, sensors: tuple[str, ...] = ("",)) -> Capture:
    views = []
    for sensor in sensors:
        for i, angle in enumerate(np.linspace(0, 5, count)):
            place = torch.tensor([3 * np.cos(angle), 3 * np.sin(angle), 0.5 + len(sensor)])
            pose = look_at(place.float(), torch.zeros(3), torch.tensor([0.0, 0.0, 1.0]))
            camera = Camera(pose, 40.0, 40.0, 20.0, 15.0, 40, 30)
            views.append(View(f"images{sensor}/{i:02d}.png", camera, NoPhoto(), sensor=sensor))
    test = tuple(range(0, len(views), 4))
    train = tuple(i for i in range(len(views)) if i not in test)
    split = Split(train, test, "every 4th")
    return Capture(
        Path("a"), "test", tuple(views), split, None, True, Similarity.shift(torch.zeros(3))
    )


def ball() -> Stage:
    n = 200
    directions = torch.nn.functional.normalize(
        torch.randn(n, 3, generator=torch.Generator().manual_seed(0)), dim=1
    )
    g = Gaussians(
        means=directions,
        quaternions=torch.tensor([[1.0, 0, 0, 0]]).repeat(n, 1),
        log_scales=torch.full((n, 3), 0.15).log(),
        opacity_logits=torch.full((n,), 3.0),
        sh_base=torch.zeros(n, 1, 3),
        sh_rest=torch.zeros(n, 15, 3),
    )
    black = Plain((0.0, 0.0, 0.0), torch.device("cpu"))
    return Stage(Scene(g, black), ReferenceRasterizer(), True)


def positions(shots: list[Shot]) -> np.ndarray:
    return np.stack([shot.camera.position.numpy() for shot in shots])


def test_views_are_shots_under_their_own_names():
    found = {which: shots_of_views(capture(), which) for which in ("test", "train", "all")}
    assert [shot.name for shot in found["test"]] == ["images/00.png", "images/04.png"]
    assert len(found["train"]) == 6
    assert [shot.name for shot in found["all"]] == [view.name for view in capture().views]


def test_a_choice_without_views_is_refused():
    empty = Split(tuple(range(8)), (), "none")
    with pytest.raises(DataError, match="no test views"):
        shots_of_views(Capture(**{**vars(capture()), "split": empty}), "test")


def test_a_path_through_a_rig_follows_its_first_sensor():
    rig = capture(sensors=("front", "left"))
    shots = shots_along(rig, ball(), PathSettings("through", frames=8))
    wanted = np.stack([view.camera.position.numpy() for view in rig.views[:8]])
    np.testing.assert_allclose(positions(shots), wanted, atol=1e-5)
    assert [shot.name for shot in shots] == [f"{i:05d}" for i in range(8)]


def test_a_spin_circles_the_ball():
    shots = shots_along(capture(), ball(), PathSettings("spin", frames=10))
    np.testing.assert_allclose(np.linalg.norm(positions(shots)[:, :2], axis=1), 3, rtol=0.01)


@pytest.mark.parametrize("name", ["images/03.png", "03.png", "03"])
def test_a_wobble_turns_about_the_surface_that_the_view_sees(name):
    settings = PathSettings("wobble", frames=8, view=name, radius=0.1)
    shots = shots_along(capture(), ball(), settings)
    camera = capture().views[3].camera
    offsets = positions(shots) - camera.position.numpy()
    widest = np.abs(offsets @ camera.world_to_camera[0, :3].numpy()).max()
    # The ball's surface is about 2 from a camera that is 3 from its centre.
    assert widest == pytest.approx(0.1 * 2, rel=0.15)


@pytest.mark.parametrize("name", ["77", "mages/03.png", "images"])
def test_an_unknown_view_is_refused_with_an_example(name):
    with pytest.raises(DataError, match=r"0 views are called .* such as images/00.png"):
        shots_along(capture(), ball(), PathSettings("wobble", view=name))


def test_an_ambiguous_view_is_refused():
    with pytest.raises(DataError, match="2 views are called 03"):
        shots_along(capture(sensors=("front", "left")), ball(), PathSettings("wobble", view="03"))


def test_any_width_keeps_the_aspect():
    (shot,) = at_width([Shot("a", capture().views[0].camera)], 101)
    assert (shot.camera.width, shot.camera.height) == (101, 76)
    assert shot.camera.fx == pytest.approx(40 * 101 / 40)
    assert shot.camera.cy == pytest.approx(38)


def test_no_pictures_and_no_pixels_are_refused():
    with pytest.raises(UsageError, match="a path of 0 frames"):
        shots_along(capture(), ball(), PathSettings(frames=0))
    with pytest.raises(UsageError, match="--radius"):
        shots_along(capture(), ball(), PathSettings("wobble", radius=float("nan")))
    with pytest.raises(UsageError, match="0 pixels wide"):
        at_width([Shot("a", capture().views[0].camera)], 0)
