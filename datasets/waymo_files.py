"""Where the components of a Waymo v2 segment lie."""

from pathlib import Path

from recon.errors import DataError

COMPONENTS = {
    "camera_image": "CameraImageComponent",
    "camera_calibration": "CameraCalibrationComponent",
    "vehicle_pose": "VehiclePoseComponent",
    "lidar": "LiDARComponent",
    "lidar_calibration": "LiDARCalibrationComponent",
    "lidar_camera_projection": "LiDARCameraProjectionComponent",
    "lidar_pose": "LiDARPoseComponent",
    "lidar_box": "LiDARBoxComponent",
}
"""Those that recon reads, by the name of their folder, and what their columns begin with."""
SUFFIX = ".parquet"


def is_root(folder: Path) -> bool:
    """Say whether a folder holds folders of components."""
    return any(next((folder / name).glob(f"*{SUFFIX}"), None) for name in COMPONENTS)


def looks_like_segment(path: Path) -> bool:
    """Say whether a path means a segment, from file names alone."""
    if path.is_dir():
        return is_root(path) or any(path.glob(f"*{SUFFIX}"))
    return path.suffix == SUFFIX or (not path.exists() and is_root(path.parent))


def locate(path: Path) -> dict[str, Path]:
    """Find the files of one segment, by component.

    Args:
        path: a folder of components with a single segment, such a folder and below it the name of
            one of its segments, one of its files, or a folder that holds one segment's files.

    Raises:
        DataError: there is no segment, or more than one.
    """
    if path.is_file() and path.parent.name in COMPONENTS:
        return by_name(path.parent.parent, path.stem)
    if path.is_dir() and path.name in COMPONENTS and is_root(path.parent):
        return locate(path.parent)
    if path.is_dir() and is_root(path):
        return by_name(path, only_segment(path))
    if not path.exists():
        return by_name(path.parent, path.name.removesuffix(SUFFIX))
    return by_columns(path if path.is_dir() else path.parent)


def segments(root: Path) -> list[str]:
    """List the segments that any component has."""
    return sorted({file.stem for name in COMPONENTS for file in (root / name).glob(f"*{SUFFIX}")})


def only_segment(root: Path) -> str:
    """Return the name of the only segment.

    Raises:
        DataError: there are several.
    """
    names = segments(root)
    if len(names) > 1:
        raise DataError(
            f"{root}: holds {len(names)} segments, and a capture is one; name one, such as "
            f"{root / names[0]}."
        )
    return names[0]


def by_name(root: Path, segment: str) -> dict[str, Path]:
    """Return the files of a segment below a folder of components.

    Raises:
        DataError: no component has it.
    """
    files = {name: root / name / f"{segment}{SUFFIX}" for name in COMPONENTS}
    found = {name: file for name, file in files.items() if file.is_file()}
    if not found:
        names = segments(root)
        more = ", ..." if len(names) > 3 else ""
        raise DataError(
            f"{root}: no segment {segment}; there are {len(names)}: {', '.join(names[:3])}{more}."
        )
    return found


def by_columns(folder: Path) -> dict[str, Path]:
    """Return the files of a folder by the components that their columns name.

    Raises:
        DataError: two files hold the same component, or none holds any.
    """
    from recon.datasets.parquet_rows import ParquetRows

    found: dict[str, Path] = {}
    for file in sorted(folder.glob(f"*{SUFFIX}")):
        heads = {column.partition("]")[0][1:] for column in ParquetRows(file, file.stem).columns}
        for name in (name for name, head in COMPONENTS.items() if head in heads):
            if name in found:
                raise DataError(
                    f"{folder}: {found[name].name} and {file.name} both hold {name}, so they are "
                    "of different segments; put each segment into a folder of its own."
                )
            found[name] = file
    if not found:
        raise DataError(f"{folder}: no file has the columns of a Waymo component.")
    return found
