"""Photos of a textured wall, exact to the camera: what matchers and geometry are tried on."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from captures import Scene
from homographies import texture
from photos import MemoryPhoto, NoPhoto
from scipy.spatial.transform import Rotation

from recon.types import Camera, Capture, PointCloud, Similarity, Split, View

DISTANCE = 4.0
"""Of the wall z = 0 from the cameras' line."""


def wall_scene(count: int = 4, width: int = 320, height: int = 240) -> Scene:
    """Cameras in a row before a wall, each turned a little towards the middle."""
    fx, fy, cx, cy = 300.0, 305.0, width / 2 + 3, height / 2 - 2
    K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    painting = texture(900, 700, seed=2).numpy()
    # Its pixels on the wall: 150 a unit, the middle at the origin; centres at +0.5.
    to_wall = np.array([[1 / 150, 0, -449.5 / 150], [0, 1 / 150, -349.5 / 150], [0, 0, 1]])
    poses, photos = [], []
    for i in range(count):
        side = 0.5 * (i - (count - 1) / 2)
        rotation = Rotation.from_euler("yx", [-0.1 * (i - 1.5), 0.03 * i]).as_matrix()
        pose = np.eye(4)
        pose[:3, :3] = rotation
        pose[:3, 3] = -rotation @ np.array([side, 0.1 * i, -DISTANCE])
        poses.append(pose)
        seen = K @ pose[:3, [0, 1, 3]] @ to_wall
        to_index = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
        photos.append(cv2.warpPerspective(painting, to_index @ seen, (width, height)))
    x, y = np.meshgrid(np.linspace(-1.5, 1.5, 12), np.linspace(-1, 1, 9))
    points = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1)
    colors = np.full(points.shape, 128, np.uint8)
    names = [f"wall_{i}.png" for i in range(count)]
    return Scene(names, poses, points, colors, width, height, fx, fy, cx, cy, photos=photos)


def wall_capture(scene: Scene, held_out: tuple[int, ...] = (), points: bool = False) -> Capture:
    """A capture in memory, whose working frame is the scene's; held out photos are not for eyes."""
    size = (scene.fx, scene.fy, scene.cx, scene.cy, scene.width, scene.height)
    views = tuple(
        View(
            name,
            Camera(torch.from_numpy(pose).float(), *size),
            NoPhoto() if i in held_out else MemoryPhoto(torch.from_numpy(photo)),
        )
        for i, (name, pose, photo) in enumerate(
            zip(scene.names, scene.world_to_camera, scene.photos, strict=True)
        )
    )
    train = tuple(i for i in range(len(views)) if i not in held_out)
    cloud = PointCloud(torch.from_numpy(scene.points).float(), torch.from_numpy(scene.colors))
    return Capture(
        Path("wall"),
        "made",
        views,
        Split(train, held_out, "made"),
        cloud if points else None,
        False,
        Similarity.shift(torch.zeros(3)),
    )


def from_one_place(scene: Scene) -> Scene:
    """The same cameras, turned as they are, at one place."""
    poses = []
    for pose in scene.world_to_camera:
        here = pose.copy()
        here[:3, 3] = -here[:3, :3] @ np.array([0.0, 0.0, -DISTANCE])
        poses.append(here)
    return replace(scene, world_to_camera=poses)


def wall_depth(world_to_camera: torch.Tensor, rays: torch.Tensor) -> torch.Tensor:
    """The wall's depth along rays with z = 1 in a camera's axes."""
    rotation, translation = world_to_camera[:3, :3], world_to_camera[:3, 3]
    position = -rotation.T @ translation
    depth: torch.Tensor = -position[2] / (rays @ rotation)[:, 2]
    return depth
