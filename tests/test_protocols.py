"""Protocols as data: they parse, they hold out what peers do, and they do not bend."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recon.datasets.source import DriveOptions, ReadOptions
from recon.datasets.split import split_views
from recon.depth_metrics import RANGES
from recon.errors import DataError, UsageError
from recon.protocols import known_protocols, load_protocol, parse
from recon.raster.interface import COVERED
from recon.regions import REGIONS
from recon.truth import TruthSource

STEPS = 198
PEERS = {
    "waymo-static/notr32@1": lambda n: np.arange(10, n, 10),
    "waymo-static/mini4@1": lambda n: np.arange(10, n, 10),
    "waymo-front/streetgs8@1": lambda n: np.arange(4, n, 4),
    "waymo-front/seed8@1": lambda n: np.arange(0, n, 8),
    "synthetic/lens@1": lambda n: np.arange(0, n, 8),
}
"""Indices of time steps, or of photos by name, within those that are read."""


@pytest.mark.parametrize("name", PEERS)
def test_what_is_held_out_is_what_peers_hold_out(name: str) -> None:
    protocol = load_protocol(name)
    cameras = protocol.photos.cameras or ("",)
    for scene in protocol.scenes or (protocol.scene(Path(), "waymo-v2", "any"),):
        options = protocol.applied(ReadOptions(), scene)
        first, last = options.drive.frames or (0, STEPS - 1)
        steps = list(range(first, min(last, STEPS - 1) + 1))
        views = [(f"{camera}/{step:04d}", step) for camera in sorted(cameras) for step in steps]
        drive = [step if "waymo" in name else None for _, step in views]
        split = split_views([view for view, _ in views], None, options, drive)
        held = [views[i][1] - first for i in split.test]
        assert held == [i for _ in cameras for i in PEERS[name](len(steps))]
        assert len(split.train) + len(split.test) == len(views)


@pytest.mark.parametrize("name", PEERS)
def test_files_say_what_is_computed(name: str) -> None:
    protocol = load_protocol(name)
    assert protocol.depth.ranges == RANGES
    assert protocol.depth.covered_from == COVERED
    assert set(protocol.image.regions) == {"full", *REGIONS}
    assert set(protocol.depth.truth) <= {source.value for source in TruthSource}
    names = [scene.name for scene in protocol.scenes]
    assert len(set(names)) == len(names)
    assert protocol.open == (not names)


def test_every_file_is_known_here() -> None:
    assert sorted(PEERS) == list(known_protocols())


def test_options_that_say_something_else_are_refused() -> None:
    protocol = load_protocol("waymo-static/notr32@1")
    scene = protocol.scenes[0]
    drive = DriveOptions()
    others = {
        "--downscale 2": ReadOptions(downscale=2),
        "--hold-every 8": ReadOptions(hold_every=8),
        "--hold-by name": ReadOptions(hold_by="name"),
        "--drive.cameras FRONT": ReadOptions(drive=replace(drive, cameras=("FRONT",))),
        "--drive.frames 0 50": ReadOptions(drive=replace(drive, frames=(0, 50))),
        "--drive.moving keep": ReadOptions(drive=replace(drive, moving="keep")),
    }
    for flag, options in others.items():
        with pytest.raises(UsageError, match=f"{flag} and --protocol waymo-static/notr32@1"):
            protocol.applied(options, scene)
    applied = protocol.applied(ReadOptions(hold_every=10, drive=replace(drive, lidar="A")), scene)
    assert applied.drive.lidar == "A"
    assert (applied.size, applied.drive.frames) == ((960, 640), (0, 163))
    assert protocol.applied(applied, scene) == applied


def test_other_scenes_and_formats_are_refused() -> None:
    protocol = load_protocol("waymo-static/mini4@1")
    with pytest.raises(DataError, match="none of the 4 scenes"):
        protocol.scene(Path("d"), "waymo-v2", "somewhere")
    with pytest.raises(DataError, match="read as colmap"):
        protocol.scene(Path("d"), "colmap", protocol.scenes[0].name)
    assert load_protocol("waymo-front/seed8@1").scene(Path(), "waymo-v1", "any").frames is None


def test_unknown_names_and_damaged_files() -> None:
    with pytest.raises(UsageError, match="Perhaps you meant waymo-static/mini4@1"):
        load_protocol("waymo-static/mini4")
    with pytest.raises(DataError, match="Install recon again"):
        parse("{", "a@1")
    with pytest.raises(DataError, match="Install recon again"):
        parse(json.dumps({"id": "a@1", "about": 3}), "a@1")
