"""Textures of the ground: asphalt with its markings, paving slabs, grass."""

import numpy as np

from recon.datasets.synthetic.meshes import Color
from recon.datasets.synthetic.noise import fractal_noise, smooth_noise
from recon.datasets.synthetic.textures import Paint, Texture, plain, to_bytes

LANE = 3.2
"""Width of a driving lane, metres."""
PARKING = 2.1
"""Width of the strip of parked cars on either side."""
KERB = LANE + PARKING
"""Distance of the kerb from the middle of the road."""
WHITE_PAINT: Color = (0.87, 0.87, 0.84)
CROSSING = (13.0, 16.5)
"""Where the zebra crossing lies along the street."""


def road(random: np.random.Generator, start: float, end: float, pixels_per_meter: float) -> Texture:
    """Paint a stretch of the road from kerb to kerb; its first row is the left kerb."""
    height, width = round(2 * KERB * pixels_per_meter), round((end - start) * pixels_per_meter)
    y = (KERB - (np.arange(height, dtype=np.float32) + 0.5) / pixels_per_meter)[:, None]
    x = (start + (np.arange(width, dtype=np.float32) + 0.5) / pixels_per_meter)[None]
    paint = _asphalt(random, (height, width), pixels_per_meter)
    for track in (-LANE / 2 - 0.75, -LANE / 2 + 0.75, LANE / 2 - 0.75, LANE / 2 + 0.75):
        paint *= 1 - 0.10 * np.exp(-(((y - track) / 0.28) ** 2))[..., None]
    _patches(random, paint, pixels_per_meter)
    worn = smooth_noise(random, (height, width), (height // 3, width // 3))
    marked = _markings(x, y) & (worn > 0.09)
    paint[marked] = paint[marked] * 0.25 + 0.75 * np.asarray(WHITE_PAINT, dtype=np.float32)
    gutter = np.abs(y) > KERB - 0.3
    paint *= np.where(gutter, 0.88, 1.0)[..., None]
    return to_bytes(paint)


def _asphalt(random: np.random.Generator, shape: tuple[int, int], pixels_per_meter: float) -> Paint:
    """Mix stone grain, stains of some decimetres, and slow changes of tone."""
    length = max(1, round(shape[1] / pixels_per_meter / 4))
    slow = fractal_noise(random, shape, (3, length), 4)
    stones = fractal_noise(random, shape, (shape[0] // 5, shape[1] // 5), 2, 0.9)
    grain = random.random(shape, dtype=np.float32)
    shade = 0.33 + 0.16 * (slow - 0.5) + 0.16 * (stones - 0.5) + 0.16 * (grain - 0.5)
    paint: Paint = shade[..., None] * np.array([1.02, 1.0, 0.98], dtype=np.float32)
    return paint


def _patches(random: np.random.Generator, paint: Paint, pixels_per_meter: float) -> None:
    """Add mended rectangles, tar-filled cracks and manhole covers, in place."""
    height, width = paint.shape[:2]
    meters = width / pixels_per_meter
    for _ in range(int(meters / 7)):
        w, h = (random.uniform(0.8, 3.5, 2) * pixels_per_meter).astype(int)
        left, top = int(random.integers(width)), int(random.integers(height))
        paint[top : top + h, left : left + w] *= random.uniform(0.72, 0.88)
    for _ in range(int(meters / 4)):
        steps = int(random.uniform(1, 5) * pixels_per_meter)
        row = random.integers(height) + np.cumsum(random.normal(0, 0.45, steps))
        left, across = int(random.integers(width)), int(random.integers(height))
        wander = np.clip(row, 0, height - 1).astype(int)
        along = np.clip(left + np.arange(steps), 0, width - 1)
        if random.random() < 0.4:
            wander = np.clip(across + np.arange(steps), 0, height - 1)
            along = np.clip(left + row - row[0], 0, width - 1).astype(int)
        for shift in range(max(1, round(0.025 * pixels_per_meter))):
            paint[np.clip(wander + shift, 0, height - 1), along] *= 0.55
    for position in np.arange(6.0, meters, 17.0):
        _manhole(paint, int(position * pixels_per_meter), int(0.62 * height), pixels_per_meter)


def _manhole(paint: Paint, column: int, row: int, pixels_per_meter: float) -> None:
    """Set a cast-iron cover into the road, in place."""
    radius = int(0.34 * pixels_per_meter)
    v, u = np.mgrid[-radius : radius + 1, -radius : radius + 1] / pixels_per_meter
    r = np.hypot(u, v)
    ribs = 0.22 + 0.12 * (np.sin(60 * u) * np.sin(60 * v) > 0)
    iron = np.where(r > 0.29, 0.16, ribs)[..., None] * np.array([1.0, 0.97, 0.92])
    target = paint[row - radius : row + radius + 1, column - radius : column + radius + 1]
    inside = (r < 0.33)[: target.shape[0], : target.shape[1]]
    target[inside] = iron[: target.shape[0], : target.shape[1]][inside]


def _markings(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return where paint lies: centre dashes, parking bays, and a crossing with its stop line."""
    begin, end = CROSSING
    on_crossing = (x > begin - 2.5) & (x < end + 2.5)
    dashes = (np.abs(y) < 0.07) & (x % 6 < 3)
    bays = (np.abs(np.abs(y) - LANE) < 0.05) & (x % 1.0 < 0.62)
    tees = (np.abs(y) > LANE) & (np.abs(y) < KERB - 0.35) & (np.abs(x % 6 - 3) < 0.06)
    stripes = (x > begin) & (x < end) & (np.abs(y) < KERB - 0.5) & (y % 1.0 < 0.52)
    stop = (y < -0.1) & (y > -LANE) & (np.abs(x - (begin - 1.6)) < 0.2)
    marked: np.ndarray = ((dashes | bays | tees) & ~on_crossing) | stripes | stop
    return marked


def slabs(random: np.random.Generator, pixels_per_meter: int = 64) -> Texture:
    """Lay a repeating square of 6 m of concrete paving slabs, each half a metre."""
    count, slab = 12, pixels_per_meter // 2
    side = count * slab
    tone = np.kron(random.random((count, count), dtype=np.float32), np.ones((slab, slab)))
    grain = fractal_noise(random, (side, side), (side // 6, side // 6), 2)
    stains = fractal_noise(random, (side, side), (5, 5), 5)
    shade = 0.56 + 0.11 * (tone - 0.5) + 0.16 * (grain - 0.5) + 0.2 * (stains - 0.5)
    edge = np.arange(side) % slab < 2
    shade[edge] *= 0.66
    shade[:, edge] *= 0.66
    gum = random.integers(0, side - 3, (160, 2))
    for row, column in gum:
        shade[row : row + 2, column : column + 3] *= 0.7
    return to_bytes(shade[..., None] * np.array([1.0, 0.98, 0.94]))


def grass(random: np.random.Generator) -> Texture:
    """Sow a repeating square of lawn."""
    blades = fractal_noise(random, (512, 512), (16, 16), 5, 0.8)
    patches = fractal_noise(random, (512, 512), (3, 3), 4)
    shade = 0.55 + 0.5 * blades + 0.3 * (patches - 0.5)
    return to_bytes(plain((0.34, 0.43, 0.20), (512, 512)) * shade[..., None])
