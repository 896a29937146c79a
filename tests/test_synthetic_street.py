"""A small capture of the street against itself through other views."""

import json
import sys

import cv2
import numpy as np
import pytest
from PIL import Image
from plyfile import PlyData

from recon.commands.data import Synthesize
from recon.datasets.reader import read_capture
from recon.datasets.source import ReadOptions
from recon.datasets.synthetic import (
    DriveSettings,
    PhotoSettings,
    StreetSettings,
    street_capture,
    synthesize_street,
)
from recon.datasets.synthetic.layout import street
from recon.datasets.synthetic.meshes import box, rectangle
from recon.datasets.synthetic.rig import MOUNTS, near_detail
from recon.datasets.synthetic.scene import Light, Material, Part, Scene
from recon.datasets.synthetic.writer import DEPTH_UNIT, to_photo
from recon.errors import ResourceError, UsageError

TINY = PhotoSettings(width=72, height=48, steps=3, samples=4)
SETTINGS = StreetSettings(lens_every=4, points=3000)
SMALL = Scene(
    (Part("box", box((9.0, -4.0, -4.0), (10.0, 4.0, 4.0)), Material()),),
    Light((0.0, 0.0, 1.0), (1.0,) * 3, np.full((8, 16, 3), 0.5, dtype=np.float32)),
)


@pytest.fixture(scope="module", autouse=True)
def _needs_mitsuba():
    pytest.importorskip("mitsuba")


@pytest.fixture(scope="module")
def scene():
    return street(TINY.seed, near_detail(TINY.width))


@pytest.fixture(scope="module")
def capture(tmp_path_factory, scene):
    folder, done = tmp_path_factory.mktemp("streets") / "one", []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(street_capture, "street", lambda seed, detail: scene)
        synthesize_street(TINY, SETTINGS, folder, lambda *told: done.append(told))
    assert len(done) == 9 + 3
    assert done[-1] == ("002_right (lens)", 12, 12)
    return folder


def frames_of(folder, name="transforms.json"):
    content = json.loads((folder / name).read_text())
    return content, content["frames"]


def test_the_same_seed_gives_the_same_street(scene):
    again = street(TINY.seed, near_detail(TINY.width))
    assert len(scene.cars) == len(again.cars) >= 20
    for one, other in zip(scene.parts, again.parts, strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.mesh.vertices, other.mesh.vertices)
        np.testing.assert_array_equal(one.mesh.colors, other.mesh.colors)
        if one.material.texture is not None:
            np.testing.assert_array_equal(one.material.texture, other.material.texture)
    np.testing.assert_array_equal(scene.light.sky, again.light.sky)


def test_the_same_street_gives_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(street_capture, "street", lambda seed, detail: SMALL)
    for name in ("one", "two"):
        synthesize_street(TINY, SETTINGS, tmp_path / name, lambda *_: None)
    one, two = (
        {p.relative_to(c): p.read_bytes() for p in c.rglob("*") if p.is_file()}
        for c in (tmp_path / "one", tmp_path / "two")
    )
    assert len(one) == 9 + 9 + 3 + 4
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
    for sensor in (mount.sensor for mount in MOUNTS):
        here, there = (by_name[f"images/00{step}_{sensor}.jpg"] for step in (0, 1))
        depth, other = (read_depth(capture / v["depth_file_path"]) for v in (here, there))
        photo, photo_there = (
            cv2.blur(np.array(Image.open(capture / v["file_path"])).astype(float), (3, 3))
            for v in (here, there)
        )
        rows, columns = np.nonzero(depth)
        rays = np.stack([columns + 0.5 - w / 2, rows + 0.5 - h / 2, 0 * rows + f], axis=1) / f
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
    assert 1000 < len(points) <= SETTINGS.points
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


def linear(path):
    srgb = np.array(Image.open(path)).astype(np.float64) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def disc(diameter, fine=8):
    """A disc as a kernel of 13 by 13 pixels, each the mean of fine by fine samples."""
    x = (np.arange(13 * fine) + 0.5) / fine - 6.5
    inside = (x[:, None] ** 2 + x**2 <= (diameter / 2) ** 2).astype(np.float64)
    kernel = inside.reshape(13, fine, 13, fine).mean(axis=(1, 3))
    return kernel / kernel.sum()


def test_defocused_photos_train_and_sharp_ones_test(capture):
    read = read_capture(capture / "transforms_defocused.json", ReadOptions())
    held = {view.name for view in read_capture(capture, ReadOptions()).test}
    trained, tested = ([view.name for view in views] for views in (read.train, read.test))
    assert trained
    assert all("images_lens" in name for name in trained)
    assert set(tested) == held
    assert not {name.replace("images_lens", "images") for name in trained} & held


def test_photos_through_the_lens_show_the_blur_that_the_file_promises(tmp_path, monkeypatch):
    """Blur a wall's sharp photo by the circle of confusion times a factor: 1 must fit best."""
    stones = np.random.default_rng(0).integers(0, 256, (64, 64, 1), dtype=np.uint8)
    stones = stones.repeat(3, axis=-1)  # Grey, as JPEG blurs colours.
    wall = rectangle((12.0, 25.0, -20.0), (0, -50.0, 0), (0, 0, 50.0))
    scene = Scene(
        (Part("wall", wall, Material(stones)),),
        Light((-0.6, 0.0, 0.8), (4.0,) * 3, np.zeros((8, 16, 3), dtype=np.float32)),
    )
    monkeypatch.setattr(street_capture, "street", lambda seed, detail: scene)
    # So small a photo needs a large lens to show any blur.
    settings = StreetSettings(lens_every=3, points=10, f_number=0.12, focus_distance=30.0)
    photos = PhotoSettings(width=96, height=64, steps=1, samples=36, jpeg_quality=95)
    capture = tmp_path / "street"
    synthesize_street(photos, settings, capture, lambda *_: None)
    _, (frame,) = frames_of(capture, "transforms_lens.json")
    depth = read_depth(capture / frame["depth_file_path"])
    circle = frame["lens_strength_px_m"] * abs(1 / frame["focus_distance"] - 1 / depth)
    assert 2.5 < circle.min() < circle.max() < 4.5
    sharp = linear(capture / frame["file_path"].replace("images_lens", "images"))
    photo = linear(capture / frame["file_path"])
    factors, errors = (0.0, 0.7, 0.85, 1.0, 1.2, 1.4), []
    diameters = np.arange(0.5, 8.6, 0.25)
    stack = np.stack([cv2.filter2D(sharp, -1, disc(d)) for d in diameters])
    for factor in factors:
        # Laid over whole pixels, a disc is wider by a pixel's own variance, 1/12 an axis.
        wanted = np.sqrt(np.maximum((factor * circle) ** 2 - 16 / 12, 0))
        nearest = np.clip(np.round((wanted - 0.5) / 0.25).astype(int), 0, 32)
        blurred = np.take_along_axis(stack, nearest[None, ..., None], axis=0)[0]
        # What lies beyond the photo's border is not known.
        errors.append(((blurred - photo)[6:-6, 6:-6] ** 2).mean())
    assert factors[np.argmin(errors)] == 1.0
    assert min(errors) < errors[0] / 10, errors


def test_photos_are_srgb_without_a_tone_curve():
    linear = np.linspace(0, 1.2, 600, dtype=np.float32).reshape(10, 20, 3)
    decoded = to_photo(linear) / 255
    back = np.where(decoded <= 0.04045, decoded / 12.92, ((decoded + 0.055) / 1.055) ** 2.4)
    np.testing.assert_allclose(back, np.minimum(linear, 1), atol=0.5 / 255 * 2.4)


def test_a_folder_that_is_in_use_is_left_alone(tmp_path):
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        synthesize_street(TINY, SETTINGS, tmp_path, lambda *_: None)
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


def test_nothing_is_left_of_an_interrupted_capture(tmp_path, monkeypatch):
    monkeypatch.setattr(street_capture, "street", lambda seed, detail: SMALL)
    told = []

    def stop(name, done, total):
        assert len(list(tmp_path.iterdir())) == 1
        told.append((name, done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesize_street(TINY, SETTINGS, tmp_path / "street", stop)
    assert told == [("000_front", 1, 12), ("000_left", 2, 12)]
    assert list(tmp_path.iterdir()) == []


def test_without_mitsuba_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mitsuba", None)
    with pytest.raises(ResourceError, match=r"defocus-recon\[synth\]"):
        synthesize_street(TINY, SETTINGS, tmp_path / "street", lambda *_: None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        ("street", {"drive": DriveSettings(beams=3)}),
        ("drive", {"street": StreetSettings(points=3)}),
    ],
)
def test_settings_of_the_other_kind_are_refused(tmp_path, kind, other):
    with pytest.raises(UsageError, match=f"--{next(iter(other))}"):
        Synthesize(tmp_path / "new", kind=kind, **other)()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (PhotoSettings, {"steps": 0}),
        (PhotoSettings, {"jpeg_quality": -1}),
        (PhotoSettings, {"jpeg_quality": 99}),
        (StreetSettings, {"f_number": 0.0}),
        (StreetSettings, {"hold_every": 1}),
        (DriveSettings, {"beams": 0}),
        (DriveSettings, {"columns": 0}),
    ],
)
def test_settings_that_cannot_be_rendered_are_refused(kind, wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        kind(**wrong)
