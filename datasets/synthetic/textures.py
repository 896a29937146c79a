"""Textures of walls, roofs, doors and windows, painted by arithmetic."""

import numpy as np
from jaxtyping import Float, UInt8

from recon.datasets.synthetic.meshes import Color
from recon.datasets.synthetic.noise import fractal_noise, smooth_noise

Texture = UInt8[np.ndarray, "h w 3"]
Paint = Float[np.ndarray, "h w 3"]


def to_bytes(paint: Paint) -> Texture:
    """Quantise sRGB in [0, 1]."""
    texture: Texture = (np.clip(paint, 0, 1) * 255 + 0.5).astype(np.uint8)
    return texture


def plain(color: Color, shape: tuple[int, int]) -> Paint:
    """Fill an image with one colour."""
    return np.broadcast_to(np.asarray(color, dtype=np.float32), (*shape, 3)).copy()


def weathered(random: np.random.Generator, paint: Paint, strength: float) -> Paint:
    """Darken a wall by stains that run down, by patches, and by dirt at its foot."""
    shape = (paint.shape[0], paint.shape[1])
    patches = fractal_noise(random, shape, (3, 3), 7) - 0.5
    streaks = fractal_noise(random, shape, (2, 48), 3) - 0.5
    grain = random.random(shape, dtype=np.float32) - 0.5
    foot = np.exp(-np.linspace(14, 0, shape[0], dtype=np.float32))[:, None]
    shade = 1 + strength * (0.9 * patches + 0.5 * streaks + 0.25 * grain) - 0.25 * foot
    return paint * shade[..., None]


def bricks(
    random: np.random.Generator,
    size: tuple[float, float],
    pixels_per_meter: float,
    color: Color,
    mortar: Color = (0.66, 0.62, 0.57),
) -> Texture:
    """Lay stretcher-bond brickwork over a wall of width x height metres."""
    height, width = round(size[1] * pixels_per_meter), round(size[0] * pixels_per_meter)
    course, length, joint = 0.1, 0.3, 0.016
    z = (height - 0.5 - np.arange(height)) / pixels_per_meter
    x = (np.arange(width) + 0.5) / pixels_per_meter
    row = np.floor(z / course).astype(int)[:, None]
    shifted = x[None] / length + 0.5 * (row % 2)
    column = np.floor(shifted).astype(int)
    table = random.random((row.max() + 1, column.max() + 1, 2), dtype=np.float32)
    tone = table[np.broadcast_to(row, column.shape), column]
    paint = plain(color, (height, width)) * (0.74 + 0.44 * tone[..., :1])
    paint[..., 0] += 0.07 * (tone[..., 1] - 0.5)
    is_joint = ((z % course) < joint)[:, None] | ((shifted % 1) * length < joint)
    paint[is_joint] = np.asarray(mortar, dtype=np.float32)
    return to_bytes(weathered(random, paint, 0.3))


def plaster(
    random: np.random.Generator, size: tuple[float, float], pixels_per_meter: float, color: Color
) -> Texture:
    """Paint a rough-cast wall with a rusticated ground floor and faint trowel marks."""
    height, width = round(size[1] * pixels_per_meter), round(size[0] * pixels_per_meter)
    paint = plain(color, (height, width))
    trowel = fractal_noise(random, (height, width), (40, 56), 4)
    paint *= 0.93 + 0.14 * trowel[..., None]
    z = (height - 0.5 - np.arange(height)) / pixels_per_meter
    x = (np.arange(width) + 0.5) / pixels_per_meter
    row = np.floor(z / 0.5).astype(int)[:, None]
    groove = ((z % 0.5) < 0.03)[:, None] | (((x[None] + 0.5 * (row % 2)) % 1.0) < 0.03)
    paint[groove & (z < 3.4)[:, None]] *= 0.78
    return to_bytes(weathered(random, paint, 0.26))


def roof_tiles(random: np.random.Generator, color: Color) -> Texture:
    """Lay a repeating square of 2 m of roof tiles."""
    side, rows = 256, 10
    y, x = np.mgrid[0:side, 0:side] / side * rows
    row = np.floor(y).astype(int)
    column = np.floor(x + 0.5 * (row % 2)).astype(int) % rows
    tone = random.random((rows, rows), dtype=np.float32)[row, column]
    shade = (0.72 + 0.4 * tone) * (1 - 0.45 * ((y % 1) > 0.86))
    return to_bytes(plain(color, (side, side)) * shade[..., None])


def bark(random: np.random.Generator) -> Texture:
    """Grow bark: ridges that run along the trunk."""
    ridges = fractal_noise(random, (256, 256), (4, 24), 4)
    grain = fractal_noise(random, (256, 256), (16, 16), 4)
    shade = 0.45 + 0.75 * ridges * (0.5 + grain)
    return to_bytes(plain((0.44, 0.37, 0.30), (256, 256)) * shade[..., None])


def _ramp(shape: tuple[int, int], top: Color, bottom: Color) -> Paint:
    """Blend two colours from top to bottom."""
    t = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None, None]
    row = (1 - t) * np.asarray(top, dtype=np.float32) + t * np.asarray(bottom, dtype=np.float32)
    return np.broadcast_to(row, (*shape, 3)).copy()


def window(random: np.random.Generator, frame: Color, behind: int) -> Texture:
    """Draw a casement window: frame, bars, panes; behind are curtains, a blind, plants, or none."""
    height, width = 192, 128
    paint = _ramp((height, width), (0.38, 0.46, 0.54), (0.12, 0.14, 0.16))
    paint *= (0.6 + 0.8 * smooth_noise(random, (height, width), (4, 3)))[..., None]
    if behind == 0:
        x = np.arange(width)
        folds = 0.80 + 0.12 * np.sin(x * random.uniform(0.5, 0.8))
        edge = random.uniform(0.18, 0.34) * width
        curtain = (x < edge) | (x > width - edge)
        paint[:, curtain] = folds[curtain][None, :, None] * np.array([0.93, 0.90, 0.84])
    elif behind == 1:
        bottom = int(random.uniform(0.3, 0.7) * height)
        slats = 0.74 + 0.12 * ((np.arange(bottom) // 4) % 2)
        paint[:bottom] = slats[:, None, None] * np.array([0.93, 0.92, 0.88])
    elif behind == 2:
        top = int(0.72 * height)
        plant = smooth_noise(random, (height - top, width), (6, 18))
        paint[top:][plant > 0.55] = (0.22, 0.38, 0.16)
    bars = np.zeros((height, width), dtype=bool)
    bars[:9] = bars[-9:] = bars[:, :8] = bars[:, -8:] = True
    bars[:, 60:68] = True
    bars[int(0.34 * height) : int(0.34 * height) + 6] = True
    paint[bars] = frame
    return to_bytes(paint)


def door(random: np.random.Generator, color: Color) -> Texture:
    """Draw a panelled front door with a fanlight and a brass handle."""
    height, width = 288, 128
    paint = plain(color, (height, width))
    paint *= (0.92 + 0.16 * fractal_noise(random, (height, width), (2, 24), 3))[..., None]
    for top, bottom in ((70, 130), (142, 202), (214, 274)):
        for left, right in ((14, 58), (70, 114)):
            paint[top:bottom, left:right] *= 0.62
            paint[top + 5 : bottom - 3, left + 5 : right - 3] /= 0.62 * 0.92
    paint[8:56, 12:116] = (0.16, 0.20, 0.23)
    paint[8:56, 62:66] = color
    paint[160:176, 60:66] = (0.80, 0.66, 0.32)
    return to_bytes(paint)


def shop_front(random: np.random.Generator, frame: Color) -> Texture:
    """Draw a shop window: goods on shelves behind glass, above a panelled base."""
    height, width = 256, 320
    paint = _ramp((height, width), (0.36, 0.34, 0.29), (0.20, 0.17, 0.14))
    for shelf in (92, 146, 200):
        x = 14
        while x < width - 30:
            w, h = int(random.integers(7, 22)), int(random.integers(14, 40))
            paint[shelf - h : shelf, x : x + w] = 0.25 + 0.65 * random.random(3)
            paint[shelf - h // 2 : shelf - h // 2 + 4, x : x + w] *= 1.3
            x += w + int(random.integers(1, 9))
        paint[shelf : shelf + 5] = (0.50, 0.40, 0.28)
    paint[:8] = paint[216:] = paint[:, :9] = paint[:, -9:] = frame
    paint[:, 156:164] = frame
    paint[226:248, 20:146] *= 0.8
    paint[226:248, 174:300] *= 0.8
    return to_bytes(paint)


def sign_board(random: np.random.Generator, color: Color) -> Texture:
    """Paint a fascia with the blocks and strokes of unreadable lettering."""
    height, width = 48, 320
    paint = plain(color, (height, width))
    ink = (0.96, 0.93, 0.84) if sum(color) < 1.5 else (0.12, 0.12, 0.16)
    x = int(random.integers(20, 60))
    while x < width - 50:
        w = int(random.integers(9, 17))
        top = 10 if random.random() < 0.6 else 18
        paint[top:39, x : x + 4] = ink
        if random.random() < 0.7:
            paint[top : top + 4, x : x + w] = ink
        if random.random() < 0.6:
            paint[35:39, x : x + w] = ink
        if random.random() < 0.5:
            paint[top:39, x + w - 4 : x + w] = ink
        x += w + (5 if random.random() < 0.8 else 18)
    return to_bytes(paint)
