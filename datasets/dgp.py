"""Scenes of DDAD and of other data sets in DGP's format."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from recon.datasets.box_tracks import with_velocities
from recon.datasets.dgp_boxes import read_boxes, read_kinds
from recon.datasets.dgp_calibration import DgpCalibration
from recon.datasets.dgp_scene import DgpCloud, DgpImage, DgpScene, below
from recon.datasets.dgp_sweep import DgpSweep
from recon.datasets.drive_cameras import choose_cameras, with_photos
from recon.datasets.drive_source import DriveOptions, SourceBoxes
from recon.datasets.drive_steps import choose_steps
from recon.datasets.json_node import JsonNode
from recon.datasets.poses import from_camera_to_world
from recon.datasets.source import Reader, ReadOptions, SourceCapture, SourceView
from recon.errors import DataError

LISTED = 12
"""At most so many scenes are listed in an error."""


class DgpReader(Reader):
    """Reads scene_*.json with the photos, point clouds and boxes that it names."""

    name: ClassVar[str] = "dgp"
    needs: ClassVar[str] = (
        "scene_*.json of DGP (DDAD) and the folders that it names; or scene_dataset*.json or "
        "ddad*.json of a data set with one scene"
    )

    def recognises(self, path: Path) -> bool:
        """Say whether there is a scene file, or the list of a data set's scenes."""
        return bool(scene_files(path) or lists_of_scenes(path))

    def read(self, path: Path, options: ReadOptions) -> SourceCapture:
        """Read the scene that a path means."""
        file = only_scene(path)
        return to_source(path, DgpScene.load(file), file, options.drive)


def scene_files(path: Path) -> list[Path]:
    """Return the scene files in a folder."""
    return sorted(file for file in path.glob("scene_*.json") if not is_list(file))


def lists_of_scenes(path: Path) -> list[Path]:
    """Return the files in a folder that list scenes."""
    return sorted(file for file in path.glob("*.json") if is_list(file))


def is_list(file: Path) -> bool:
    """Say whether a file lists the scenes of a data set, from its name."""
    return file.name.startswith(("scene_dataset", "ddad"))


def only_scene(path: Path) -> Path:
    """Return the scene file in a folder, or the only one that a data set lists.

    Raises:
        DataError: there is none, or more than one.
    """
    files = scene_files(path)
    if not files:
        for scenes in lists_of_scenes(path):
            names = [
                name
                for split in JsonNode.load(scenes).get("scene_splits").members().values()
                for name in split.get("filenames").items()
            ]
            files += [below(path, name) for name in names]
    files = sorted(set(files))
    if not files:
        raise DataError(f"{path}: no scene_*.json, and --format dgp needs one.")
    if len(files) > 1:
        more = f" and {len(files) - LISTED} more" if len(files) > LISTED else ""
        listed = ", ".join(str(file.relative_to(path)) for file in files[:LISTED])
        if files[0].parent == path:
            raise DataError(f"{path}: {len(files)} scene files ({listed}{more}); keep one there.")
        raise DataError(
            f"{path}: a data set of {len(files)} scenes ({listed}{more}); give the folder of one, "
            f"such as {files[0].parent}."
        )
    return files[0]


def to_source(path: Path, scene: DgpScene, file: Path, options: DriveOptions) -> SourceCapture:
    """Translate the cameras and time steps asked for.

    Raises:
        DataError: the scene or a calibration is damaged, or a camera asked for has no photo.
        UsageError: an option is out of its range.
    """
    steps = choose_steps(len(scene.samples), options)
    samples = {step: scene.sample(step) for step in steps}
    began = min(sample.time for sample in samples.values())
    with suppress(DataError):
        began = scene.sample(0).time
    there = sorted({image.sensor for sample in samples.values() for image in sample.images})
    cameras = choose_cameras(file, there, options.cameras)
    calibrations = {
        sample.calibration: DgpCalibration(
            scene.folder / "calibration" / f"{sample.calibration}.json", instead(scene.folder)
        )
        for sample in samples.values()
    }
    notes = [f"scene {scene.folder.name}, {len(steps)} of {len(scene.samples)} time steps"]
    warnings: list[str] = []
    unused = {name for found in calibrations.values() for name in found.cameras} - set(there)
    if unused and not options.cameras:
        warnings.append(f"calibrated cameras without any photo: {', '.join(sorted(unused))}")
    views = with_photos(
        [
            to_view(step, image, calibrations[sample.calibration], began)
            for step, sample in samples.items()
            for image in sample.images
            if image.sensor in cameras
        ],
        steps,
        warnings,
    )
    lidar = [
        to_sweep(step, cloud, views, cameras, began)
        for step, sample in samples.items()
        for cloud in sample.clouds
    ]
    notes.append(
        "the LiDAR's points are found in the photos by the poses of both, and what lies behind "
        "others is left out; on things that move they are off"
        if lidar
        else "no LiDAR: the scene lists no point cloud"
    )
    return SourceCapture(
        path,
        DgpReader.name,
        views,
        metric=True,
        notes=notes,
        warnings=warnings,
        lidar=sorted(lidar, key=lambda sweep: sweep.time),
        boxes=boxes_of(scene, steps, began, notes, warnings),
    )


def instead(folder: Path) -> str:
    """Say what can be read of a scene without its calibration."""
    there = (folder / "transforms.json").is_file()
    return ", or read transforms.json, which is there, with --format transforms" if there else ""


def to_view(step: int, image: DgpImage, calibration: DgpCalibration, began: float) -> SourceView:
    """Translate a photo."""
    return SourceView(
        image.name,
        image.file,
        from_camera_to_world(image.camera_to_world),
        calibration.lens(image.sensor, image.width, image.height),
        sensor=image.sensor,
        time=image.time - began,
        step=step,
    )


def to_sweep(
    step: int, cloud: DgpCloud, views: list[SourceView], cameras: tuple[str, ...], began: float
) -> DgpSweep:
    """Translate a point cloud."""
    return DgpSweep(
        cloud.time - began,
        step,
        (cloud.sensor,),
        cameras,
        cloud,
        tuple(view for view in views if view.step == step),
        recorded=False,
    )


def boxes_of(
    scene: DgpScene,
    steps: Sequence[int],
    began: float,
    notes: list[str],
    warnings: list[str],
) -> list[SourceBoxes]:
    """Read the boxes of time steps; velocities need those of the steps around them too."""
    try:
        kinds = read_kinds(scene)
    except DataError as error:
        kinds = {}
        notes.append(f"the kinds of boxes are unknown: {error}")
    frames = []
    for step in range(len(scene.samples)):
        try:
            sample = scene.sample(step)
            times = [cloud.time - began for cloud in sample.clouds if cloud.boxes is not None]
            found = read_boxes(step, min(times, default=0.0), sample.clouds, kinds)
        except DataError as error:
            if step in steps:
                warnings.append(f"no boxes in time step {step}: {error}")
            continue
        if found is not None:
            frames.append(found)
    return with_velocities(frames, steps)
