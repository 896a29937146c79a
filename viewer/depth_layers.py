"""Layers made of depth: how far, how sure, which way it faces, and how much it is blurred."""

from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from recon.optics import signed_coc
from recon.pictures import DARK, Picture, as_8_bit, depth_picture, error_picture
from recon.render import covered_depth
from recon.types import Camera
from recon.viewer.layer import Layer, Vantage
from recon.viewer.legend import depth_legend, error_legend, linear_legend
from recon.viewer.look import Look

LARGEST_SPREAD = 0.2
"""Of the depth; drawn brightest."""
LARGEST_COC = 1 / 50
"""Of the picture's width; a circle of confusion this large has the full colour."""


@final
class ExpectedDepth(Layer):
    """Mean depth along each ray."""

    title = "Depth, expected"
    about = "Mean depth along the optical axis of what the pixel shows, red near and blue far."
    spans_depth = True

    def picture(self, vantage: Vantage) -> Picture:
        """Colour it."""
        depth = covered_depth(vantage.sharp, "expected")
        return depth_picture(depth, vantage.covered, vantage.look.depths)

    def legend(self, look: Look, unit: str) -> Picture:
        """Return the scale of depths."""
        return depth_legend(look.depths)


@final
class MedianDepth(Layer):
    """Depth at which half of the light is absorbed."""

    title = "Depth, median"
    about = "Depth at which half of the pixel's light is absorbed: surfaces without flying pixels."
    spans_depth = True

    def picture(self, vantage: Vantage) -> Picture:
        """Colour it."""
        return depth_picture(vantage.surface, vantage.covered, vantage.look.depths)

    def legend(self, look: Look, unit: str) -> Picture:
        """Return the scale of depths."""
        return depth_legend(look.depths)


@final
class Uncertainty(Layer):
    """How far the Gaussians of one ray lie apart."""

    title = "Uncertainty"
    about = (
        "Standard deviation of depth along the ray, as a share of the depth: dark where the scene "
        "is one surface, bright where it is fog."
    )

    def picture(self, vantage: Vantage) -> Picture:
        """Colour it."""
        return error_picture(depth_spread(vantage), vantage.covered, LARGEST_SPREAD)

    def legend(self, look: Look, unit: str) -> Picture:
        """Return the scale of shares."""
        return error_legend(LARGEST_SPREAD, [f"{LARGEST_SPREAD:.0%} and more", "10%", "0%"])


@final
class Normals(Layer):
    """Which way surfaces face."""

    title = "Normals"
    about = (
        "Which way the rendered surface faces, from its depth: red to the right, green upwards, "
        "blue towards the camera."
    )

    def picture(self, vantage: Vantage) -> Picture:
        """Colour them."""
        depth = covered_depth(vantage.sharp, "expected")
        normals = normals_of(depth, vantage.camera)
        drawn = vantage.covered & normals.isfinite().all(dim=-1)
        colors = as_8_bit((normals.nan_to_num() * torch.tensor([1.0, -1.0, -1.0])) / 2 + 0.5)
        return np.where(drawn.cpu().numpy()[..., None], colors, np.array(DARK, np.uint8))


@final
class Blur(Layer):
    """Circle of confusion."""

    title = "Circle of confusion"
    about = (
        "How much the lens blurs: white is in focus, blue before the focus, red behind it. White "
        "everywhere while everything is sharp."
    )

    def picture(self, vantage: Vantage) -> Picture:
        """Colour it."""
        if vantage.lens is None:
            shares = torch.zeros_like(vantage.surface)
        else:
            shares = signed_coc(vantage.surface, vantage.lens) / vantage.camera.width
        colors = two_sided(shares / LARGEST_COC)
        return np.where(vantage.covered.cpu().numpy()[..., None], colors, np.array(DARK, np.uint8))

    def legend(self, look: Look, unit: str) -> Picture:
        """Return the scale of widths."""
        colors = two_sided(torch.linspace(1, -1, 64)[:, None])
        words = [f"{LARGEST_COC:.0%} of the width", "in focus", f"{LARGEST_COC:.0%} of the width"]
        return linear_legend(colors, words)


def depth_spread(vantage: Vantage) -> Float[Tensor, "h w"]:
    """Return the standard deviation of depth over its mean, of the Gaussians along each ray.

    The variance is E[z²] - E[z]² with the weights of the picture, which is drawn with z, z² and 1
    in the place of colours. Spreads below a thousandth of the depth drown in rounding, and are 0.
    """
    means = vantage.stage.scene.gaussians.means
    pose = vantage.camera.world_to_camera.to(means)
    depths = (means @ pose[2, :3] + pose[2, 3]).detach()
    # Only what stands before the camera is drawn; colours must not be negative.
    depths = depths.clamp(min=0)
    drawn = vantage.drawn_with(torch.stack([depths, depths.square(), torch.ones_like(depths)], -1))
    weight = drawn[..., 2].double().clamp(min=1e-6)
    mean = drawn[..., 0].double() / weight
    variance = drawn[..., 1].double() / weight - mean.square()
    share = (variance / mean.square().clamp(min=1e-12)).clamp(min=0).sqrt()
    return torch.where(share > 1e-3, share, 0).float()


def normals_of(depth: Float[Tensor, "h w"], camera: Camera) -> Float[Tensor, "h w 3"]:
    """Return unit normals in the camera's axes, towards the camera; NaN where there is none.

    A normal is the cross product of the differences between a pixel's neighbours, left to right
    and top to bottom; pixels at a border, or beside one without depth, have none.
    """
    rows, columns = depth.shape
    x = (torch.arange(columns).to(depth) + 0.5 - camera.cx) / camera.fx
    y = (torch.arange(rows).to(depth) + 0.5 - camera.cy) / camera.fy
    z = torch.where(depth > 0, depth, torch.nan)
    points = torch.stack([x * z, y[:, None] * z, z], dim=-1)
    across, down = (torch.full_like(points, torch.nan) for _ in range(2))
    across[:, 1:-1] = points[:, 2:] - points[:, :-2]
    down[1:-1] = points[2:] - points[:-2]
    normals = torch.linalg.cross(down, across)
    normals = normals / normals.norm(dim=-1, keepdim=True)
    return torch.where(depth[..., None] > 0, normals, torch.nan)


def two_sided(shares: Float[Tensor, "h w"]) -> Picture:
    """Colour -1 blue, 0 white and 1 red, with even steps between."""
    place = shares.detach().cpu().clamp(-1, 1)[..., None]
    white = torch.tensor([0.97, 0.97, 0.97])
    end = torch.where(place > 0, torch.tensor([0.79, 0.0, 0.13]), torch.tensor([0.02, 0.35, 0.70]))
    return as_8_bit(white + place.abs() * (end - white))
