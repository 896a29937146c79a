"""The renderer and its rays against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.datasets.synthetic import StreetSettings
from recon.datasets.synthetic.camera import Aperture, Pinhole
from recon.datasets.synthetic.dome import dome, look_up
from recon.datasets.synthetic.lens import lens_of
from recon.datasets.synthetic.meshes import box, merge, rectangle
from recon.datasets.synthetic.rays import Rays
from recon.datasets.synthetic.renderer import Renderer
from recon.datasets.synthetic.rig import drive, focal_length
from recon.datasets.synthetic.scene import Light, Material, Part, Scene

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
    rays = Rays.of([Part("box", ball, Material())])
    origins = np.array([[0.0, 0.0, 0.0], [0.0, 0.5, 0.0], [11.0, 0.0, 9.0], [0.0, 0.0, 0.0]])
    directions = np.array([[1.0, 0, 0], [2.0, 0, 0], [0, 0, -0.5], [0, 0, 1.0]])
    np.testing.assert_allclose(rays.distance(origins, directions), [10, 5, 16, np.inf])


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
    image = renderer.color(looking_along_x(), pinhole, 3, aperture, finer=3)[..., 0]
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
    settings = StreetSettings(focus_distance=focus, f_number=f_number)
    pinhole = Pinhole(focal_length(width), width, 100)
    lens = lens_of(settings, pinhole, 0)
    f = 1e-3 * lens.focal_length_mm

    def image_distance(distance):
        return f * distance / (distance - f)

    # Similar triangles between the aperture and the sensor, on the sensor's side of the lens.
    sensor, image = image_distance(focus), image_distance(z)
    on_sensor = f / f_number * abs(sensor - image) / image
    pixels = on_sensor * width / (1e-3 * settings.sensor_width_mm)
    expected = lens.strength(pinhole) * abs(1 / focus - 1 / z)
    assert pixels == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_a_sweep_turns_the_focus_for_each_camera_of_the_rig():
    settings = StreetSettings(focus_distance=6.0, focus_sweep=2.0)
    pinhole = Pinhole(330.0, 480, 320)
    distances = [lens_of(settings, pinhole, n).focus_distance for n in range(9)]
    assert set(distances) == {3.0, 6.0, 12.0}
    for camera in range(3):
        assert set(distances[camera::3]) == {3.0, 6.0, 12.0}


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
