"""Patterns of many kinds for surfaces of no particular meaning: noise, stripes, blots, writing."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from jaxtyping import Float

from recon.datasets.synthetic.noise import fractal_noise
from recon.datasets.synthetic.textures import Paint

Field = Float[np.ndarray, "h w"]
"""Values in [0, 1]."""
LETTERS = "ABCDEFGHKLMNPRSTUVXYZ0123456789abcdeghkmnprstuvwxyz"


def pattern(random: np.random.Generator, height: int, width: int) -> Paint:
    """Paint a surface with two or three colours by a field of a random kind, sRGB in [0, 1].

    Kinds differ in how their contrast is spread over scales, so that blur cannot be told from the
    spectrum of one of them.
    """
    kind = KINDS[int(random.integers(len(KINDS)))]
    field = kind(random, height, width)
    dark, light = _two_colors(random)
    paint = dark + field[..., None] * (light - dark)
    if random.random() < 0.4:
        second = KINDS[int(random.integers(len(KINDS)))](random, height, width)
        strength = np.float32(random.uniform(0.1, 0.6))
        paint = paint * (1 + strength * (second[..., None] - 0.5))
    grain = random.uniform(0.01, 0.1) * random.standard_normal((height, width, 1), np.float32)
    made: Paint = np.clip(paint * (1 + np.float32(grain)), 0.01, 0.99).astype(np.float32)
    return made


def _two_colors(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return greys with a tint; most of what tells of blur in photos is brightness."""
    middle, half = random.uniform(0.3, 0.6), random.uniform(0.12, 0.35)
    greys = np.array([middle - half, middle + half])[:, None]
    tints = random.uniform(0, 0.35) * random.standard_normal((2, 3))
    base, away = np.clip(greys * (1 + tints), 0, 1).astype(np.float32)
    return base, base + np.float32(random.uniform(0.5, 1)) * (away - base)


def _fractal(random: np.random.Generator, height: int, width: int) -> Field:
    cells = int(random.integers(2, 14))
    field = fractal_noise(random, (height, width), (cells, cells), 8, random.uniform(0.65, 1.1))
    return np.clip(0.5 + random.uniform(1, 3) * (field - 0.5), 0, 1).astype(np.float32)


def _blots(random: np.random.Generator, height: int, width: int) -> Field:
    """Cut fractal noise into flat regions with sharp borders."""
    cells = int(random.integers(3, 20))
    field = fractal_noise(random, (height, width), (cells, cells), 4, 0.5)
    steps = int(random.integers(2, 6))
    return np.asarray(np.floor(np.clip(field, 0, 0.999) * steps) / (steps - 1)).astype(np.float32)


def _stripes(random: np.random.Generator, height: int, width: int) -> Field:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = random.uniform(0, np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y
    place = (along / random.uniform(4, 40)) % 1
    duty = random.uniform(0.2, 0.8)
    soft = random.random() < 0.3
    made: Field = (0.5 + 0.5 * np.sin(2 * np.pi * place)) if soft else place < duty
    return made.astype(np.float32)


def _checks(random: np.random.Generator, height: int, width: int) -> Field:
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle, size = random.uniform(0, np.pi / 2), random.uniform(4, 30)
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    tone = random.random((64, 64), dtype=np.float32) if random.random() < 0.5 else None
    row, column = np.floor(v / size).astype(int), np.floor(u / size).astype(int)
    made: Field = (row + column) % 2 if tone is None else tone[row % 64, column % 64]
    return made.astype(np.float32)


def _speckle(random: np.random.Generator, height: int, width: int) -> Field:
    """Scatter dots of one size over a plain ground."""
    field = np.full((height, width), random.uniform(0, 0.3), np.float32)
    radius = int(random.integers(1, 6))
    count = int(height * width * random.uniform(0.01, 0.15) / radius**2)
    centres = random.integers(0, [width, height], (count, 2))
    for (x, y), tone in zip(centres.tolist(), random.random(count).tolist(), strict=True):
        cv2.circle(field, (x, y), radius, 0.4 + 0.6 * tone, -1)
    return field


def _writing(random: np.random.Generator, height: int, width: int) -> Field:
    field = np.zeros((height, width), np.uint8)
    size = random.uniform(0.3, 1.4)
    for y in range(0, height + 20, max(8, int(26 * size))):
        text = "".join(LETTERS[i] for i in random.integers(0, len(LETTERS), width // 8 + 2))
        font = cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(field, text, (-4, y), font, size, 255, 1 + int(2 * size), cv2.LINE_AA)
    return (field / np.float32(255)).astype(np.float32)


def _plain(random: np.random.Generator, height: int, width: int) -> Field:
    """Shade evenly from one side to the other."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = random.uniform(0, 2 * np.pi)
    slope = np.cos(angle) * x / width + np.sin(angle) * y / height
    made: Field = (0.5 + 0.35 * slope).astype(np.float32)
    return made


KINDS: Sequence[Callable[[np.random.Generator, int, int], Field]] = (
    _fractal,
    _fractal,
    _fractal,
    _blots,
    _blots,
    _stripes,
    _checks,
    _speckle,
    _writing,
    _plain,
)
"""Those listed more often are chosen more often."""
