"""Photos of a textured wall, exact to the camera: what matchers and geometry are tried on."""

import cv2
import numpy as np
import torch
from captures import Scene
from homographies import texture
from scipy.spatial.transform import Rotation

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


def wall_depth(world_to_camera: torch.Tensor, rays: torch.Tensor) -> torch.Tensor:
    """The wall's depth along rays with z = 1 in a camera's axes."""
    rotation, translation = world_to_camera[:3, :3], world_to_camera[:3, 3]
    position = -rotation.T @ translation
    depth: torch.Tensor = -position[2] / (rays @ rotation)[:, 2]
    return depth
