import io
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from captures import Scene, make_scene, transforms, write_colmap_text, write_transforms
from PIL import Image
from rich.console import Console

from recon.datasets.reader import ReadOptions, read_capture
from recon.inspect import Forecast, inspect_capture, to_json
from recon.inspect_table import print_inspection
from recon.photo_facts import luminance, sharpness, spread
from recon.workload import Workload


def blurred(scene: Scene, index: int) -> Scene:
    photos = list(scene.photos)
    photos[index] = cv2.GaussianBlur(photos[index], (0, 0), 3)
    return replace(scene, photos=photos)


def test_the_words_that_scripts_rely_on(tmp_path: Path) -> None:
    write_colmap_text(tmp_path, make_scene())
    (tmp_path / "images/photo_03.png").unlink()
    found = json.loads(to_json(inspect_capture(read_capture(tmp_path))))
    assert found["format"] == "colmap"
    assert found["views"] == 8
    (warning,) = found["warnings"]
    assert "photo_03.png" in warning
    assert found["split"] == {"rule": "every 8th by name", "train": 7, "test": 1, "unused": 0}
    assert found["sizes"] == {"40x30": 8}
    assert found["points"]["count"] == 50
    assert found["unit"] == "scene units"
    assert found["forecast"] is None


def test_a_blurred_photo_stands_out(tmp_path: Path) -> None:
    write_transforms(tmp_path, blurred(make_scene(), 5))
    facts = inspect_capture(read_capture(tmp_path)).sharpness
    assert facts is not None
    assert facts.outliers == ("images/photo_05.png",)
    assert facts.lowest < facts.median / 10


def test_a_photo_of_another_exposure_stands_out(tmp_path: Path) -> None:
    scene = make_scene()
    photos = [photo // 2 + 60 for photo in scene.photos]
    photos[2] = photos[2] // 4
    write_transforms(tmp_path, replace(scene, photos=photos))
    facts = inspect_capture(read_capture(tmp_path)).exposure
    assert facts is not None
    assert facts.outliers == ("images/photo_02.png",)


def test_nothing_stands_out_among_equals(tmp_path: Path) -> None:
    write_transforms(tmp_path, make_scene())
    found = inspect_capture(read_capture(tmp_path))
    assert found.sharpness is not None
    assert found.exposure is not None
    assert found.sharpness.outliers == found.exposure.outliers == ()


def test_a_photo_that_breaks_later_is_a_warning(tmp_path: Path) -> None:
    write_transforms(tmp_path, make_scene())
    capture = read_capture(tmp_path)
    (tmp_path / "images/photo_01.png").write_bytes(b"gone")
    found = inspect_capture(capture)
    assert found.decoded == 8
    assert "images/photo_01.png" in found.warnings[0]


def test_depth_and_points_and_units(tmp_path: Path) -> None:
    scene = make_scene()
    content = transforms(scene) | {"metric": True}
    depth = np.zeros((30, 40), np.uint16)
    depth[:, :10] = 4000
    Image.fromarray(depth).save(tmp_path / "depth.png")
    write_transforms(tmp_path, scene)
    for frame in content["frames"][:4]:  # type: ignore[index]
        frame["depth_file_path"] = "depth.png"
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    found = inspect_capture(read_capture(tmp_path))
    assert found.unit == "m"
    assert found.depth is not None
    assert found.depth.views == 4
    assert found.depth.coverage == pytest.approx(0.25)
    assert found.depth.depths == (4.0, 4.0, 4.0)
    points = found.points
    assert points is not None
    assert points.behind_every_camera == 0
    assert points.depths is not None
    low, middle, high = points.depths  # The cameras stand 4 away from a cube of two.
    assert 2.5 < low < middle < high < 5.5


def test_cameras_are_counted_by_what_they_are(tmp_path: Path) -> None:
    scene = make_scene(4)
    scene.names[:] = ["a/0.png", "a/1.png", "a/2.png", "b/0.png"]
    write_colmap_text(tmp_path, scene)
    cameras = inspect_capture(read_capture(tmp_path)).cameras
    assert [(camera.sensor, camera.views) for camera in cameras] == [("a", 3), ("b", 1)]
    assert cameras[0].angle_of_view == pytest.approx(59.49, abs=0.01)


def test_the_lens_is_told_where_exif_tells_it(tmp_path: Path) -> None:
    scene = replace(make_scene(3), names=["0.jpg", "1.jpg", "2.jpg"])
    write_transforms(tmp_path, scene)
    for i, number in enumerate((2.0, 4.0)):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x829D] = number
        Image.fromarray(scene.photos[i]).save(tmp_path / f"images/{i}.jpg", exif=exif)
    lens = inspect_capture(read_capture(tmp_path)).lens
    assert list(lens) == ["f_number"]
    assert (lens["f_number"].lowest, lens["f_number"].highest, lens["f_number"].views) == (2, 4, 2)


def test_the_forecast_is_asked_with_what_there_is_to_do(tmp_path: Path) -> None:
    write_transforms(tmp_path, make_scene())
    asked = []

    def forecast(work: Workload) -> Forecast:
        asked.append(work)
        return Forecast(f"{work.width} px", 3 * 2**30, 90.0, 2**29, 30.0, "of some kind")

    found = inspect_capture(read_capture(tmp_path, ReadOptions(downscale=2.0)), forecast, [40])
    assert asked == [
        Workload(20, 15, 7, 7 * 20 * 15, 50),
        Workload(40, 30, 7, 7 * 40 * 30, 50),
    ]
    text = printed(found)
    for width in (20, 40):
        assert f"about 1.5 min and 3.0 GiB for the default fit at {width} px" in text
    assert "on a GPU 0.5 min and 0.5 GiB" in text
    assert "an estimate (of some kind)" in text


def printed(found: object) -> str:
    console = Console(file=io.StringIO(), width=160)
    print_inspection(found, console)  # type: ignore[arg-type]
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_says_what_people_ask(tmp_path: Path) -> None:
    scene = blurred(make_scene(), 5)
    write_transforms(tmp_path, scene)
    (tmp_path / "images/photo_03.png").unlink()
    text = printed(inspect_capture(read_capture(tmp_path)))
    for words in (
        "(transforms)",
        "8: 8 of 40x30",
        "7 train, 1 test (every 8th by name)",
        "blurred: images/photo_05.png",
        "scene units",
        "warning: skipped images/photo_03.png",
    ):
        assert words in text


def test_a_name_with_markup_is_printed_as_it_is(tmp_path: Path) -> None:
    scene = make_scene(3)
    scene.names[1] = "[bold]x.png"
    write_transforms(tmp_path, scene)
    (tmp_path / "images" / "[bold]x.png").unlink()
    assert "[bold]x.png" in printed(inspect_capture(read_capture(tmp_path)))


def test_sharpness_agrees_with_its_definition() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 14, 1), dtype=np.uint8).repeat(3, 2)
    grey = pixels[..., 0].astype(float)
    inner = (
        grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    )
    valid = torch.zeros(12, 14, dtype=torch.bool)
    valid[1:-1, 1:-1] = True
    assert sharpness(torch.from_numpy(pixels), valid) == pytest.approx(inner.var(), rel=1e-5)


def test_luminance_of_known_colours() -> None:
    def of(*color: int) -> float:
        return luminance(torch.tensor(color, dtype=torch.uint8).expand(4, 5, 3), None)

    assert of(255, 255, 255) == pytest.approx(1)
    assert of(255, 0, 0) == pytest.approx(0.2126)
    assert of(188, 188, 188) == pytest.approx(0.5, abs=0.005)  # Middle of the light, not of sRGB.


def test_outliers_need_distance_and_rarity() -> None:
    names = [str(i) for i in range(7)]

    def outliers(*values: float, low_only: bool = True) -> tuple[str, ...]:
        return spread(names, list(map(float, values)), 2.0, low_only).outliers

    assert outliers(100, 101, 99, 100, 102, 98, 70) == ()  # Rare, but near.
    assert outliers(100, 10, 30, 300, 1000, 50, 200) == ()  # Far, as all are.
    assert outliers(100, 101, 99, 100, 102, 98, 40) == ("6",)
    assert outliers(100, 101, 99, 100, 102, 98, 300) == ()
    assert outliers(100, 101, 99, 100, 102, 98, 300, low_only=False) == ("6",)


def test_a_real_capture(shared: Path) -> None:
    found = inspect_capture(
        read_capture(shared / "data/rgbd_7scenes_tsdf", ReadOptions(downscale=4.0))
    )
    assert found.views == found.decoded == 40
    assert found.depth is not None
    assert found.depth.views == 40
    assert found.depth.coverage > 0.5
    json.loads(to_json(found))
