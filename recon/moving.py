"""Where moving objects are: the points in their boxes, and the parts of photos that show them."""

from collections.abc import Collection

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float64, Num

from recon.drive_types import Boxes
from recon.types import Camera

MARGIN = 0.2
"""Metres by which boxes are widened on each side, as their borders are not exact."""
TAKEN = 0.05
"""Seconds before or after its box, half a turn of a LiDAR, at which a photo may show an object."""
NEAREST = 0.1
"""Boxes are cut off at this depth; what is nearer cannot be projected."""
Outline = Float64[np.ndarray, "_ 2"]
"""Corners of a convex polygon, in pixels, in order."""


def in_boxes(
    points: Float[np.ndarray, "n 3"],
    poses: Float[np.ndarray, "m 4 4"],
    sizes: Float[np.ndarray, "m 3"],
) -> Bool[np.ndarray, " n"]:
    """Return which points lie in one of some boxes, widened by `MARGIN`.

    Args:
        points: in any frame.
        poses: from the boxes' axes to that frame.
        sizes: length, width and height.
    """
    inside = np.zeros(len(points), np.bool_)
    for pose, size in zip(poses, sizes, strict=True):
        # Axis by axis, because few points are near along one already.
        reach, near = np.linalg.norm(size) / 2 + 1, np.arange(len(points))
        for axis in range(3):
            near = near[np.abs(points[near, axis] - pose[axis, 3]) <= reach]
        local = (points[near] - pose[:3, 3]) @ pose[:3, :3]
        inside[near] |= (np.abs(local) <= size / 2 + MARGIN).all(axis=1)
    return inside


def outlines(camera: Camera, boxes: Boxes) -> tuple[Outline, ...]:
    """Return where a photo may show objects: the convex hulls of their projected boxes.

    The boxes are widened by `MARGIN`, and as far as their objects move in `TAKEN`. Of a box that
    is partly behind the camera, the part before it counts.

    Args:
        camera: of the photo.
        boxes: of the objects, at the photo's time step.

    Returns:
        The polygons that reach into the photo.
    """
    pose = camera.world_to_camera.double().numpy()
    corners = _corners(boxes) @ pose[:3, :3].T + pose[:3, 3]
    focal, centre = np.array([camera.fx, camera.fy]), np.array([camera.cx, camera.cy])
    size = np.array([camera.width, camera.height], np.float64)
    ahead = corners[..., 2] > NEAREST
    # Most boxes lie to one side of the photo with all their corners, and need no outline.
    x, y = (corners[..., k] * focal[k] + centre[k] * corners[..., 2] for k in (0, 1))
    edges = size[:, None, None] * corners[..., 2]
    sides = [x <= 0, y <= 0, x >= edges[0], y >= edges[1]]
    beside = np.any([side.all(axis=1) for side in sides], axis=0) & ahead.all(axis=1)
    found = []
    for local in corners[ahead.any(axis=1) & ~beside]:
        visible = _before(local)
        outline = _hull(visible[:, :2] / visible[:, 2:] * focal + centre)
        shown = ((outline > 0) & (outline < size)).all(axis=1).any()
        if shown or bool(_touch(outline, np.zeros(2), size)):
            found.append(outline)
    return tuple(found)


def covered(found: Collection[Outline], width: int, height: int) -> Bool[np.ndarray, "h w"]:
    """Return the pixels of a photo that outlines touch."""
    mask = np.zeros((height, width), np.bool_)
    for outline in found:
        left, top = np.floor(outline.min(axis=0)).clip(0).astype(int)
        right, bottom = np.ceil(outline.max(axis=0)).clip(0, [width, height]).astype(int)
        low = np.stack(np.meshgrid(np.arange(left, right), np.arange(top, bottom)), axis=-1)
        mask[top:bottom, left:right] |= _touch(outline, low, low + 1)
    return mask


def _corners(boxes: Boxes) -> Float64[np.ndarray, "m 16 3"]:
    """Return the corners of widened boxes at the first and the last time of a photo."""
    poses = boxes.poses.double().numpy()
    half = boxes.sizes.double().numpy() / 2 + MARGIN
    signs = np.stack(np.meshgrid(*[[-1.0, 1.0]] * 3), axis=-1).reshape(8, 3)
    local = signs * half[:, None]
    world = np.einsum("mij,mkj->mki", poses[:, :3, :3], local) + poses[:, None, :3, 3]
    shift = TAKEN * np.nan_to_num(boxes.velocities.double().numpy())[:, None]
    return np.concatenate([world - shift, world + shift], axis=1)


def _before(corners: Float64[np.ndarray, "k 3"]) -> Float64[np.ndarray, "n 3"]:
    """Cut a convex body at the near plane; return points of which it is the convex hull.

    The body's section is the hull of the points in which lines between corners meet the plane.
    """
    ahead = corners[:, 2] >= NEAREST
    front, back = corners[ahead], corners[~ahead]
    share = (NEAREST - back[:, None, 2]) / (front[None, :, 2] - back[:, None, 2])
    section = back[:, None] + share[..., None] * (front[None] - back[:, None])
    return np.concatenate([front, section.reshape(-1, 3)])


def _hull(pixels: Float64[np.ndarray, "n 2"]) -> Outline:
    """Return the convex hull of some points."""
    return cv2.convexHull(pixels.astype(np.float32))[:, 0].astype(np.float64)


def _touch(
    outline: Outline, low: Num[np.ndarray, "*n 2"], high: Num[np.ndarray, "*n 2"]
) -> Bool[np.ndarray, "*n"]:
    """Return which upright rectangles share a point with a convex polygon.

    Two convex shapes are apart where a line along an edge of one of them parts them.
    """
    beside = (outline.max(axis=0) <= low) | (outline.min(axis=0) >= high)
    apart = beside.any(axis=-1)
    along = np.roll(outline, -1, axis=0) - outline
    normals = np.stack([along[:, 1], -along[:, 0]], axis=-1)
    if _area(outline) < 0:
        normals = -normals
    for corner, normal in zip(outline, normals, strict=True):
        # The rectangle's corner that lies farthest inwards.
        nearest = np.where(normal > 0, low, high)
        apart |= (nearest - corner) @ normal >= 0
    return np.asarray(~apart)


def _area(outline: Outline) -> float:
    """Return a polygon's area, negative where its corners go the other way round."""
    x, y = outline.T
    return float(x @ np.roll(y, -1) - np.roll(x, -1) @ y) / 2
