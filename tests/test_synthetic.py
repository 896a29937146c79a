"""The renderer against closed forms, and a small capture against itself through other views."""

import dataclasses
import json
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from plyfile import PlyData

from recon.datasets.synthetic import DEMO, StreetSettings, synthesize
from recon.datasets.synthetic import capture as capturing
from recon.datasets.synthetic.camera import Aperture, Pinhole
from recon.datasets.synthetic.dome import dome, look_up
from recon.datasets.synthetic.lens import lens_of
from recon.datasets.synthetic.meshes import box, merge, rectangle
from recon.datasets.synthetic.renderer import Renderer
from recon.datasets.synthetic.rig import SENSORS, drive, focal_length
from recon.datasets.synthetic.scene import Light, Material, Part, Scene
from recon.datasets.synthetic.writer import DEPTH_UNIT, to_photo
from recon.errors import ResourceError, UsageError

TINY = dataclasses.replace(
    DEMO, width=72, height=48, steps=3, samples=4, lens_every=4, depth_every=1, points=3000
)
DARK = np.zeros((8, 16, 3), dtype=np.float32)
TO_SUN = (-0.8, 0.0, 0.6)


def scene(*parts, sun=0.0, sky=DARK):
    return Scene(tuple(parts), Light(TO_SUN, (sun,) * 3, sky))


def looking_along_x(at=(0.0, 0.0, 0.0)):
    pose = np.eye(4)
    pose[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
    pose[:3, 3] = at
    return pose


def pixel_rays(pinhole):
    """Directions with z = 1, in camera axes; written without the renderer's help."""
    x = (np.arange(pinhole.width) + 0.5 - 0.5 * pinhole.width) / pinhole.focal_length
    y = (np.arange(pinhole.height) + 0.5 - 0.5 * pinhole.height) / pinhole.focal_length
    x, y = np.meshgrid(x, y)
    return np.stack([x, y, np.ones_like(x)], axis=-1)


@pytest.fixture(scope="module", autouse=True)
def _needs_mitsuba():
    pytest.importorskip("mitsuba")


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    """Make the same capture twice."""
    folder = tmp_path_factory.mktemp("streets")
    done = []
    for name in ("one", "two"):
        synthesize(TINY, folder / name, lambda *told: done.append(told))
    assert len(done) == 2 * (9 + 3)
    assert done[-1] == ("002_right (lens)", 12, 12)
    return folder / "one", folder / "two"


@pytest.fixture(scope="module")
def capture(captures):
    return captures[0]


def frames_of(folder, name="transforms.json"):
    content = json.loads((folder / name).read_text())
    return content, content["frames"]


# --- the renderer ------------------------------------------------------------------------------


def test_depth_is_z_on_a_tilted_plane_and_infinite_in_the_sky():
    pinhole, pose = Pinhole(70.0, 80, 60), drive(3)[7].camera_to_world
    corner, right, up = np.array([9.0, -1.0, -2.0]), np.array([6.0, 9.0, 1]), np.array([-2.0, 1, 7])
    plane = rectangle(tuple(corner), tuple(right), tuple(up))
    depth = Renderer(scene(Part("plane", plane, Material())), 1).depth(pose, pinhole)

    rays = pixel_rays(pinhole) @ pose[:3, :3].T
    # Solve origin + z ray = corner + a right + b up for (z, a, b) at every pixel.
    system = np.stack(
        [rays, np.broadcast_to(-right, rays.shape), np.broadcast_to(-up, rays.shape)], axis=-1
    )
    z, a, b = np.moveaxis(np.linalg.solve(system, (corner - pose[:3, 3])[:, None])[..., 0], -1, 0)
    inside = (z > 0) & (abs(a - 0.5) < 0.49) & (abs(b - 0.5) < 0.49)
    outside = (z < 0) | (abs(a - 0.5) > 0.51) | (abs(b - 0.5) > 0.51)
    assert inside.sum() > 500
    assert outside.sum() > 500
    np.testing.assert_allclose(depth[inside], z[inside], rtol=2e-6)
    assert np.isinf(depth[outside]).all()


def test_distance_is_counted_in_lengths_of_the_ray():
    ball = box((10.0, -1.0, -1.0), (12.0, 1.0, 1.0))
    renderer = Renderer(scene(Part("box", ball, Material())), 1)
    origins = np.array([[0.0, 0.0, 0.0], [0.0, 0.5, 0.0], [11.0, 0.0, 9.0], [0.0, 0.0, 0.0]])
    directions = np.array([[1.0, 0, 0], [2.0, 0, 0], [0, 0, -0.5], [0, 0, 1.0]])
    np.testing.assert_allclose(renderer.distance(origins, directions), [10, 5, 16, np.inf])


def test_sun_and_sky_light_a_matt_ground_by_lamberts_law():
    sun, sky = 3.0, 0.25
    texture = np.full((2, 2, 3), 188, dtype=np.uint8)
    albedo = ((188 / 255 + 0.055) / 1.055) ** 2.4
    corner, right, up = (-500.0, -500.0, -2.0), (1000.0, 0, 0), (0, 1000.0, 0)
    ground = Part("ground", rectangle(corner, right, up), Material(texture), is_ground=True)
    renderer = Renderer(scene(ground, sun=sun, sky=np.full_like(DARK, sky)), 16)
    image = renderer.color(looking_along_x(), Pinhole(60.0, 32, 24), 0)
    # The dome's heights are the middles of equal steps, whose mean cosine is 1/2 exactly.
    np.testing.assert_allclose(image[-6:], albedo * (sun * TO_SUN[2] / np.pi + sky), rtol=1e-4)
    np.testing.assert_allclose(image[:6], sky, rtol=1e-5)


def test_light_from_the_ground_reaches_what_looks_down():
    corner, right, up = (-50.0, -50.0, -1.0), (100.0, 0, 0), (0, 100.0, 0)
    ground = Part("ground", rectangle(corner, right, up), Material(), is_ground=True)
    ceiling = Part("ceiling", rectangle((-50.0, -50.0, 3.0), right, up), Material())
    parts, light = (ground, ceiling), Light((0.0, 0.0, 1.0), (0.0,) * 3, DARK, (0.2, 0.3, 0.4))
    image = Renderer(Scene(parts, light), 16).color(looking_along_x(), Pinhole(60.0, 32, 24), 0)
    np.testing.assert_allclose(image[:4], np.broadcast_to(light.bounce, (4, 32, 3)), rtol=1e-4)
    assert (image[-4:] == 0).all()


def test_the_dome_reads_the_sky_where_it_is():
    sky = np.zeros((64, 128, 3), dtype=np.float32)
    sky[:, :64, 0] = 1.0  # +y.
    sky[:32, :, 1] = 1.0  # Above the horizon.
    toward = np.concatenate([dome(40), -dome(40)])
    np.testing.assert_allclose(np.linalg.norm(toward, axis=1), 1)
    seen = look_up(sky, toward)
    np.testing.assert_array_equal(seen[:, 0], toward[:, 1] > 0)
    np.testing.assert_array_equal(seen[:, 1], toward[:, 2] > 0)


def test_textures_are_the_right_way_round():
    texture = np.full((16, 16, 3), 60, dtype=np.uint8)
    texture[:8, :8], texture[8:, 8:] = (200, 0, 0), (0, 0, 200)
    # Seen along +x, the wall's own right is -y.
    wall = rectangle((4.0, 1.0, -1.0), (0, -2.0, 0), (0, 0, 2.0))
    renderer = Renderer(scene(Part("wall", wall, Material(texture)), sun=np.pi / 0.8), 16)
    image = renderer.color(looking_along_x(), Pinhole(40.0, 80, 80), 0)
    above_left, below_right, gray = image[34, 34], image[45, 45], image[34, 45]
    assert above_left[0] > 0.5
    assert above_left[2] < 0.01
    assert below_right[2] > 0.5
    assert below_right[0] < 0.01
    assert gray.std() < 1e-6


def test_the_sky_is_the_right_way_round():
    sky = np.zeros((32, 64, 3), dtype=np.float32)
    sky[:, :32, 0] = 0.5  # The left half of the sky: +y.
    sky[12, :, 2] = 0.25  # One row, about 20 degrees above the horizon.
    behind = Part("behind", box((-9.0, 0.0, 0.0), (-8.0, 1.0, 1.0)), Material())
    photo = Renderer(scene(behind, sky=sky), 16).color(looking_along_x(), Pinhole(40.0, 80, 80), 0)
    assert photo[70, 10, 0] == pytest.approx(0.5)
    assert photo[70, 70, 0] == pytest.approx(0.0)
    row = 40 - 40 * np.tan(np.pi / 2 - 12.5 / 32 * np.pi)
    assert photo[:, 40, 2].argmax() + 0.5 == pytest.approx(row, abs=1.5)


@pytest.mark.parametrize("distance", [3.0, 5.0, 24.0])
def test_a_bright_point_out_of_focus_has_the_predicted_diameter(distance):
    pinhole, aperture = Pinhole(80.0, 41, 41), Aperture(focus_distance=8.0, diameter=0.55)
    side = 1.5  # Pixels.
    half = 0.5 * side * distance / pinhole.focal_length
    point = rectangle(
        (distance, half, -half), (0, -2 * half, 0), (0, 0, 2 * half), color=(1.0, 1.0, 1.0)
    )
    renderer = Renderer(scene(Part("point", point, Material()), sun=3.0), 100)
    image = renderer.color(looking_along_x(), pinhole, 3, aperture, finer=6)[..., 0]
    image = image.astype(np.float64)
    assert image.sum() == pytest.approx(side**2 * 3.0 * 0.8 / np.pi, rel=0.03)
    diameter = aperture.strength(pinhole) * abs(1 / 8.0 - 1 / distance)
    assert diameter > 3
    rows, columns = np.mgrid[0:41, 0:41]
    weight = image / image.sum()
    x, y = (weight * columns).sum(), (weight * rows).sum()
    variance = (weight * ((columns - x) ** 2 + (rows - y) ** 2)).sum() / 2
    # Variances add: c²/16 for a disc of diameter c, 1/12 for the pixel, side²/12 for the square.
    measured = 4 * np.sqrt(variance - 1 / 12 - side**2 / 12)
    assert measured == pytest.approx(diameter, rel=0.03)


@given(
    focus=st.floats(1.0, 100.0),
    z=st.floats(0.5, 300.0),
    width=st.integers(100, 4000),
    f_number=st.floats(0.9, 22.0),
)
def test_the_strength_follows_from_the_thin_lens_equation(focus, z, width, f_number):
    settings = StreetSettings(width=width, focus_distance=focus, f_number=f_number)
    pinhole = Pinhole(focal_length(width), width, 100)
    lens = lens_of(settings, pinhole)
    f = 1e-3 * lens.focal_length_mm

    def image_distance(distance):
        return f * distance / (distance - f)

    # Similar triangles between the aperture and the sensor, on the sensor's side of the lens.
    sensor, image = image_distance(focus), image_distance(z)
    on_sensor = f / f_number * abs(sensor - image) / image
    pixels = on_sensor * width / (1e-3 * settings.sensor_width_mm)
    expected = lens.strength(pinhole) * abs(1 / focus - 1 / z)
    assert pixels == pytest.approx(expected, rel=1e-9, abs=1e-9)


# --- a capture ---------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes(captures):
    one, two = (
        {p.relative_to(c): p.read_bytes() for p in c.rglob("*") if p.is_file()} for c in captures
    )
    assert len(one) == 9 + 9 + 3 + 3
    assert one == two


def read_depth(path):
    return np.array(Image.open(path)).astype(np.float64) * DEPTH_UNIT


def test_views_agree_about_where_things_are(capture):
    """Lift each pixel of a view by its depth and look it up in the view one step later."""
    content, frames = frames_of(capture)
    f, w, h = content["fl_x"], content["w"], content["h"]
    assert content["depth_unit_scale_factor"] == DEPTH_UNIT
    assert (content["cx"], content["cy"]) == (w / 2, h / 2)
    by_name = {frame["file_path"]: frame for frame in frames}
    for sensor, _, _ in SENSORS:
        here, there = (by_name[f"images/00{step}_{sensor}.jpg"] for step in (0, 1))
        depth, other = (read_depth(capture / v["depth_file_path"]) for v in (here, there))
        photo, photo_there = (
            cv2.blur(np.array(Image.open(capture / v["file_path"])).astype(float), (3, 3))
            for v in (here, there)
        )
        rays = pixel_rays(Pinhole(f, w, h))[depth > 0]
        # OpenGL's axes: y up, z backward.
        points = np.array([1.0, -1.0, -1.0]) * rays * depth[depth > 0][:, None]
        a, b = (np.array(v["transform_matrix"]) for v in (here, there))
        world = points @ a[:3, :3].T + a[:3, 3]
        seen = (world - b[:3, 3]) @ b[:3, :3]
        z = -seen[:, 2]
        column, row = f * seen[:, 0] / z + w / 2, -f * seen[:, 1] / z + h / 2
        inside = (z > 0.5) & (column >= 0) & (column < w) & (row >= 0) & (row < h)
        column, row = column[inside].astype(int), row[inside].astype(int)
        agrees = abs(other[row, column] / z[inside] - 1) < 0.05
        assert inside.mean() > 0.5
        assert agrees.mean() > 0.75
        colors = photo[depth > 0][inside][agrees], photo_there[row, column][agrees]
        assert np.corrcoef(*(c.ravel() for c in colors))[0, 1] > 0.75


def test_points_lie_on_surfaces_with_the_noise_that_is_said(capture):
    content, frames = frames_of(capture)
    vertices = PlyData.read(capture / "sparse_pc.ply")["vertex"]
    points = np.stack([vertices[axis] for axis in "xyz"], axis=1).astype(np.float64)
    assert 1000 < len(points) <= TINY.points
    f, w, h = content["fl_x"], content["w"], content["h"]
    best = np.full(len(points), np.inf)
    for frame in frames:
        pose = np.array(frame["transform_matrix"])
        seen = (points - pose[:3, 3]) @ pose[:3, :3]
        z = np.maximum(-seen[:, 2], 1e-9)
        column = np.floor(f * seen[:, 0] / z + w / 2)
        row = np.floor(-f * seen[:, 1] / z + h / 2)
        inside = (z > 0.05) & (column >= 0) & (column < w) & (row >= 0) & (row < h)
        depth = read_depth(capture / frame["depth_file_path"])
        found = depth[row[inside].astype(int), column[inside].astype(int)]
        sigma = 0.01 + 0.004 * z[inside]
        error = np.where(found > 0, abs(found - z[inside]) / sigma, np.inf)
        best[inside] = np.minimum(best[inside], error)
    assert np.isfinite(best).mean() > 0.99
    assert 0.05 < np.median(best) < 1.0
    assert (best < 4).mean() > 0.95


def test_frames_name_their_sensor_time_and_lens(capture):
    _, frames = frames_of(capture)
    assert [frame["file_path"] for frame in frames] == sorted(f["file_path"] for f in frames)
    assert [frame["sensor"] for frame in frames[:3]] == ["front", "left", "right"]
    assert [frame["time"] for frame in frames] == pytest.approx(np.repeat([0, 1, 2], 3) / 8)
    held_out = {frame["sensor"] for frame in json.loads(json.dumps(frames * 3))[::8]}
    assert held_out == {"front", "left", "right"}
    content, blurred = frames_of(capture, "transforms_lens.json")
    sharp = {frame["file_path"]: frame for frame in frames}
    for frame in blurred:
        twin = sharp[frame["file_path"].replace("images_lens", "images")]
        assert frame["transform_matrix"] == twin["transform_matrix"]
        diameter = frame["focal_length_mm"] / frame["f_number"] / 1000
        assert frame["lens_strength_px_m"] == pytest.approx(diameter * content["fl_x"])
        exif = Image.open(capture / frame["file_path"]).getexif().get_ifd(0x8769)
        assert float(exif[0x829D]) == pytest.approx(frame["f_number"])
        assert float(exif[0x920A]) == pytest.approx(frame["focal_length_mm"], rel=1e-4)
        assert float(exif[0x9206]) == pytest.approx(frame["focus_distance"])


def test_photos_are_srgb_without_a_tone_curve():
    linear = np.linspace(0, 1.2, 600, dtype=np.float32).reshape(10, 20, 3)
    decoded = to_photo(linear) / 255
    back = np.where(decoded <= 0.04045, decoded / 12.92, ((decoded + 0.055) / 1.055) ** 2.4)
    np.testing.assert_allclose(back, np.minimum(linear, 1), atol=0.5 / 255 * 2.4)


def test_a_folder_that_is_in_use_is_left_alone(tmp_path):
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        synthesize(TINY, tmp_path, lambda *_: None)
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


def test_nothing_is_left_of_an_interrupted_capture(tmp_path, monkeypatch):
    small = scene(Part("box", box((9.0, -4.0, -4.0), (10.0, 4.0, 4.0)), Material()))
    monkeypatch.setattr(capturing, "street", lambda seed, detail: small)
    told = []

    def stop(name, done, total):
        assert len(list(tmp_path.iterdir())) == 1
        told.append((name, done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesize(TINY, tmp_path / "street", stop)
    assert told == [("000_front", 1, 12), ("000_left", 2, 12)]
    assert list(tmp_path.iterdir()) == []


def test_without_mitsuba_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mitsuba", None)
    with pytest.raises(ResourceError, match=r"defocus-recon\[synth\]"):
        synthesize(TINY, tmp_path / "street", lambda *_: None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"f_number": 0.0},
        {"jpeg_quality": -1},
        {"jpeg_quality": 99},
        {"hold_every": 1},
    ],
)
def test_settings_that_cannot_be_rendered_are_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        StreetSettings(**wrong)


def test_meshes_merge_and_move():
    one = box((0.0, 0.0, 0.0), (1.0, 2.0, 3.0))
    two = one.placed((5.0, 0.0, 0.0), np.pi / 2, 2.0)
    both = merge([one, two])
    triangles = both.vertices[both.faces]
    doubled = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    # By the divergence theorem: the volumes 6 and 8 * 6, only if every face looks outward.
    volume = (triangles.mean(axis=1) * doubled).sum() / 6
    assert volume == pytest.approx(6 + 48)
    np.testing.assert_allclose(two.vertices.min(0), [1, 0, 0], atol=1e-12)
