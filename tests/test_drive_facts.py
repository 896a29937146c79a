"""What `recon inspect` says of a drive."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from captures import make_scene, write_transforms
from drives import make_drive
from photos import MemoryPhoto
from rich.console import Console

from recon.camera import look_at
from recon.datasets.reader import read_capture
from recon.datasets.waymo_write_v2 import write_v2
from recon.drive_facts import shutter_effect
from recon.drive_types import ReadOut, RollingShutter
from recon.inspect import inspect_capture, to_json
from recon.inspect_table import print_inspection
from recon.types import Camera, View


def test_a_drive_is_told(tmp_path: Path) -> None:
    write_v2(tmp_path, make_drive(12))
    found = inspect_capture(read_capture(tmp_path))
    facts = json.loads(to_json(found))["drive"]
    assert facts["steps"] == 12
    assert facts["lidar"]["sweeps"] == 12
    assert facts["lidar"]["training"] == 11
    assert facts["lidar"]["returns"] > 200
    assert 0.05 < facts["lidar"]["shown"] < 0.9
    assert facts["lidar"]["agreement"] < 0.6  # Whole pixels were recorded.
    assert facts["boxes"] == {"boxes": 24, "tracks": 2, "moving": 1}
    assert facts["shutter"]["readout"] == pytest.approx(0.044, abs=1e-5)
    text = io.StringIO()
    print_inspection(found, Console(file=text, width=200))
    for words in ("12 sweeps", "11 to train", "24 of 2 objects, 1 of them moving", "44 ms"):
        assert words in text.getvalue()


def test_other_captures_are_no_drives(tmp_path: Path) -> None:
    write_transforms(tmp_path, make_scene())
    assert inspect_capture(read_capture(tmp_path)).drive is None


def view(linear: list[float], angular: list[float]) -> View:
    pose = look_at(torch.tensor([1.0, 2, 3]), torch.tensor([1.0, 9, 3]), torch.tensor([0, 0, 1.0]))
    camera = Camera(pose, 500.0, 500.0, 320.0, 240.0, 640, 480)
    shutter = RollingShutter(0.05, ReadOut.RIGHT, torch.tensor(linear), torch.tensor(angular))
    photo = MemoryPhoto(torch.zeros(480, 640, 3, dtype=torch.uint8))
    return View("a", camera, photo, shutter=shutter)


def test_the_shutters_effect_in_closed_form() -> None:
    # To the side: f v t / z everywhere.
    assert shutter_effect(view([4.0, 0, 0], [0.0, 0, 0]), 10.0) == pytest.approx(10.0, abs=1e-3)
    # Ahead: the corners move most, by r (z / (z - v t) - 1).
    ahead = np.hypot(320, 240) * (10 / (10 - 0.5) - 1)
    assert shutter_effect(view([0, 10.0, 0], [0.0, 0, 0]), 10.0) == pytest.approx(ahead, abs=1e-3)
    # Turning about the vertical: the middle of a side moves by f (tan(a + w t) - tan a) at least.
    edge = np.arctan2(320, 500)
    turned = 500 * (np.tan(edge + 0.02) - np.tan(edge))
    assert shutter_effect(view([0.0, 0, 0], [0, 0, 0.4]), 10.0) >= turned - 1e-3
    assert shutter_effect(view([0.0, 0, 0], [0.0, 0, 0]), 10.0) < 1e-3
