"""Small captures written in every format, for the tests of the readers.

The writers here follow the formats' documentations and share no code with the readers.
"""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

PINHOLE = 1


@dataclass(frozen=True)
class Scene:
    """What a small capture holds, in OpenCV axes."""

    names: list[str]
    world_to_camera: list[np.ndarray]
    points: np.ndarray
    colors: np.ndarray
    width: int = 40
    height: int = 30
    fx: float = 35.0
    fy: float = 36.5
    cx: float = 20.5
    cy: float = 14.25
    photos: list[np.ndarray] = field(default_factory=list)

    def centred(self) -> "Scene":
        """The same with what LLFF and Blender can express: one focal length, a middle."""
        return replace(self, fy=self.fx, cx=self.width / 2, cy=self.height / 2)


def make_scene(count: int = 9, seed: int = 3) -> Scene:
    """Cameras on an arc far from the origin, looking at points, with random photos."""
    random = np.random.default_rng(seed)
    middle = np.array([500.0, -80.0, 30.0])
    poses = []
    for i in range(count):
        rotation = Rotation.from_euler("yxz", [0.2 * (i - count / 2), 0.05 * i, 0.02 * i])
        centre = middle + rotation.inv().apply([0.0, 0.1 * i, -4.0])
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = rotation.as_matrix(), -rotation.apply(centre)
        poses.append(pose)
    points = middle + random.uniform(-1, 1, (50, 3))
    colors = random.integers(0, 256, (50, 3), dtype=np.uint8)
    photos = [random.integers(0, 256, (30, 40, 3), dtype=np.uint8) for _ in range(count)]
    names = [f"photo_{i:02d}.png" for i in range(count)]
    return Scene(names, poses, points, colors, photos=photos)


def write_photos(folder: Path, scene: Scene) -> None:
    for name, photo in zip(scene.names, scene.photos, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo).save(folder / name)


def quaternion(pose: np.ndarray) -> list[float]:
    x, y, z, w = Rotation.from_matrix(pose[:3, :3]).as_quat()
    return [w, x, y, z]


def write_colmap_text(folder: Path, scene: Scene, model: str = "sparse/0") -> None:
    write_photos(folder / "images", scene)
    sparse = folder / model
    sparse.mkdir(parents=True, exist_ok=True)
    lens = f"{scene.fx!r} {scene.fy!r} {scene.cx!r} {scene.cy!r}"
    (sparse / "cameras.txt").write_text(
        f"# Camera list\n7 PINHOLE {scene.width} {scene.height} {lens}\n"
    )
    lines = ["# Image list with two lines of data per image:"]
    for i, (name, pose) in enumerate(zip(scene.names, scene.world_to_camera, strict=True)):
        numbers = " ".join(repr(float(x)) for x in [*quaternion(pose), *pose[:3, 3]])
        observations = "1.5 2.5 -1 3.5 4.5 12" if i % 2 else ""
        lines += [f"{i + 1} {numbers} 7 {name}", observations]
    (sparse / "images.txt").write_text("\n".join(lines) + "\n")
    rows = [
        f"{i} {x!r} {y!r} {z!r} {r} {g} {b} 0.5 1 0 2 0"
        for i, ((x, y, z), (r, g, b)) in enumerate(
            zip(scene.points.tolist(), scene.colors.tolist(), strict=True)
        )
    ]
    (sparse / "points3D.txt").write_text("# 3D point list\n" + "\n".join(rows) + "\n")


def write_colmap_binary(folder: Path, scene: Scene, model: str = "sparse/0") -> None:
    write_photos(folder / "images", scene)
    sparse = folder / model
    sparse.mkdir(parents=True, exist_ok=True)
    camera = struct.pack("<QIiQQ", 1, 7, PINHOLE, scene.width, scene.height)
    lens = struct.pack("<4d", scene.fx, scene.fy, scene.cx, scene.cy)
    (sparse / "cameras.bin").write_bytes(camera + lens)
    images = struct.pack("<Q", len(scene.names))
    for i, (name, pose) in enumerate(zip(scene.names, scene.world_to_camera, strict=True)):
        images += struct.pack("<I7dI", i + 1, *quaternion(pose), *pose[:3, 3], 7)
        images += name.encode() + b"\0" + struct.pack("<Q", i)
        images += struct.pack("<ddq", 1.5, 2.5, -1) * i
    (sparse / "images.bin").write_bytes(images)
    points = struct.pack("<Q", len(scene.points))
    for i, (position, color) in enumerate(zip(scene.points, scene.colors, strict=True)):
        points += struct.pack("<Q3d3BdQ", i, *position, *color.tolist(), 0.5, 2)
        points += struct.pack("<IIII", 1, 0, 2, 0)
    (sparse / "points3D.bin").write_bytes(points)
    # Newer COLMAP writes these too.
    (sparse / "rigs.bin").write_bytes(struct.pack("<Q", 0))
    (sparse / "frames.bin").write_bytes(struct.pack("<Q", 0))


def opengl(world_to_camera: np.ndarray) -> list[list[float]]:
    """Camera to world, the camera looking along -z with y up."""
    pose: list[list[float]] = (np.linalg.inv(world_to_camera) @ np.diag([1, -1, -1, 1])).tolist()
    return pose


def transforms(scene: Scene) -> dict[str, object]:
    """The content of a transforms.json."""
    return {
        "camera_model": "OPENCV",
        "fl_x": scene.fx,
        "fl_y": scene.fy,
        "cx": scene.cx,
        "cy": scene.cy,
        "w": scene.width,
        "h": scene.height,
        "ply_file_path": "points.ply",
        "frames": [
            {"file_path": f"./images/{name}", "transform_matrix": opengl(pose)}
            for name, pose in zip(scene.names, scene.world_to_camera, strict=True)
        ],
    }


def write_transforms(folder: Path, scene: Scene, **changes: object) -> None:
    write_photos(folder / "images", scene)
    (folder / "transforms.json").write_text(json.dumps(transforms(scene) | changes))
    write_ply(folder / "points.ply", scene)


def write_ply(path: Path, scene: Scene) -> None:
    header = "ply\nformat ascii 1.0\n" + f"element vertex {len(scene.points)}\n"
    header += "".join(f"property double {axis}\n" for axis in "xyz")
    header += "".join(f"property uchar {c}\n" for c in ("red", "green", "blue")) + "end_header\n"
    rows = zip(scene.points.tolist(), scene.colors.tolist(), strict=True)
    path.write_text(header + "".join(" ".join(map(repr, p + c)) + "\n" for p, c in rows))


def write_llff(folder: Path, scene: Scene) -> None:
    write_photos(folder / "images", scene)
    rows = []
    for pose in scene.world_to_camera:
        camera_to_world = np.linalg.inv(pose)
        right, down, forward = camera_to_world[:3, :3].T
        size = np.array([scene.height, scene.width, scene.fx])
        matrix = np.stack([down, right, -forward, camera_to_world[:3, 3], size], axis=1)
        rows.append([*matrix.ravel(), 1.0, 10.0])
    np.save(folder / "poses_bounds.npy", np.array(rows))


def write_blender(folder: Path, scene: Scene) -> None:
    """Every third view tests, every third is for validation; photos are RGBA."""
    angle = 2 * np.arctan(0.5 * scene.width / scene.fx)
    for start, part in enumerate(("test", "val", "train")):
        chosen = range(start, len(scene.names), 3)
        frames = []
        for i in chosen:
            stem = Path(scene.names[i]).stem
            alpha = np.full((*scene.photos[i].shape[:2], 1), 255, np.uint8)
            alpha[: scene.height // 2] = 0
            (folder / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.concatenate([scene.photos[i], alpha], axis=-1)).save(
                folder / part / f"{stem}.png"
            )
            pose = opengl(scene.world_to_camera[i])
            frames.append({"file_path": f"./{part}/{stem}", "transform_matrix": pose})
        content = {"camera_angle_x": angle, "frames": frames}
        (folder / f"transforms_{part}.json").write_text(json.dumps(content))


WRITERS: dict[str, Callable[[Path, Scene], None]] = {
    "colmap-text": write_colmap_text,
    "colmap-binary": write_colmap_binary,
    "transforms": write_transforms,
    "llff": write_llff,
    "blender": write_blender,
}
