"""Cars: bodies lofted from a side profile, with glass, wheels and lights.

A car stands in its own frame, its nose towards +x, its wheels on z = 0.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from recon.datasets.synthetic.meshes import Color, Mesh, box, disc, grid, merge, rectangle, tube
from recon.datasets.synthetic.scene import Material, Pieces

GLASS: Color = (0.055, 0.07, 0.08)
BLACK: Color = (0.035, 0.035, 0.04)
PAINTS: tuple[Color, ...] = (
    (0.62, 0.08, 0.07),
    (0.80, 0.81, 0.82),
    (0.10, 0.20, 0.42),
    (0.20, 0.21, 0.23),
    (0.88, 0.87, 0.84),
    (0.16, 0.34, 0.30),
    (0.85, 0.62, 0.12),
    (0.42, 0.52, 0.60),
)


@dataclass(frozen=True)
class Profile:
    """A side view as functions of x, given at their corners: (x, z) in metres."""

    belt: tuple[tuple[float, float], ...]
    """Where glass begins; the top of bonnet and boot."""
    roof: tuple[tuple[float, float], ...]
    """The top of the body; above the belt only where there is glass."""
    pillars: tuple[tuple[float, float], ...]
    """Stretches of x where the side windows are interrupted."""
    wheels: tuple[float, float]
    half_width: float
    roof_half_width: float


SALOON = Profile(
    belt=((-2.15, 0.80), (-2.05, 0.93), (-1.7, 0.97), (0.9, 0.93), (1.9, 0.76), (2.15, 0.62)),
    roof=((-2.15, 0.80), (-2.05, 0.93), (-1.75, 0.98), (-1.1, 1.40), (-0.5, 1.46), (0.15, 1.44),
          (0.95, 0.93), (1.9, 0.76), (2.15, 0.62)),
    pillars=((-1.2, -1.05), (-0.42, -0.32), (0.30, 0.38)),
    wheels=(-1.32, 1.33),
    half_width=0.88,
    roof_half_width=0.60,
)  # fmt: skip
HATCHBACK = Profile(
    belt=((-1.95, 0.72), (-1.9, 0.95), (0.85, 0.93), (1.65, 0.80), (1.9, 0.62)),
    roof=((-1.95, 0.72), (-1.9, 0.95), (-1.55, 1.44), (-0.6, 1.52), (0.1, 1.50), (0.9, 0.93),
          (1.65, 0.80), (1.9, 0.62)),
    pillars=((-1.5, -1.2), (-0.35, -0.25), (0.30, 0.38)),
    wheels=(-1.22, 1.22),
    half_width=0.86,
    roof_half_width=0.62,
)  # fmt: skip
VAN = Profile(
    belt=((-2.5, 0.9), (-2.48, 1.25), (1.4, 1.22), (2.1, 1.02), (2.35, 0.7)),
    roof=((-2.5, 0.9), (-2.48, 1.25), (-2.42, 2.05), (-1.0, 2.14), (0.75, 2.10), (1.45, 1.25),
          (2.1, 1.02), (2.35, 0.7)),
    pillars=((-2.5, 0.05), (0.62, 0.70)),
    wheels=(-1.55, 1.5),
    half_width=0.96,
    roof_half_width=0.84,
)  # fmt: skip
COAT, PANE = Material(gloss=0.5), Material(gloss=0.5, glass=True)
"""What bodies and their windows are made of."""
PROFILES = (SALOON, HATCHBACK, SALOON, HATCHBACK, VAN)

_SILL, _ARCH = 0.24, 0.37


def _stations(profile: Profile) -> Float[np.ndarray, " m"]:
    """Cut the body where its profile bends, at pillars, and finely over the wheels."""
    bends = [x for x, _ in (*profile.belt, *profile.roof)]
    bends += [x for pillar in profile.pillars for x in pillar]
    arches = [w + _ARCH * np.cos(a) for w in profile.wheels for a in np.linspace(0, np.pi, 13)]
    inside = (min(bends), max(bends))
    return np.unique(np.round([x for x in (*bends, *arches) if inside[0] <= x <= inside[1]], 4))


def _loft(profile: Profile, paint: Color) -> Mesh:
    """Skin the left half of the body and mirror it."""
    x = _stations(profile)
    belt = np.interp(x, *np.array(profile.belt).T)
    roof = np.maximum(np.interp(x, *np.array(profile.roof).T), belt)
    bottom = np.full_like(x, _SILL)
    for wheel in profile.wheels:
        arch = 0.31 + np.sqrt(np.maximum(_ARCH**2 - (x - wheel) ** 2, 0))
        bottom = np.where(abs(x - wheel) < _ARCH, np.maximum(arch, bottom), bottom)
    length = x[-1] - x[0]
    nose = np.minimum((x - x[0]) / length, (x[-1] - x) / length)
    half = profile.half_width * (1 - 0.16 * np.exp(-nose / 0.04))
    rise = np.clip((roof - belt) / (max(roof) - belt), 0, 1)
    top = (half - 0.10) + (profile.roof_half_width - half + 0.10) * rise
    shoulder = np.maximum(0.62 * belt, bottom)
    rings = [(half - 0.03, bottom), (half, shoulder), (half - 0.05, belt), (top, roof)]
    rings.append((0 * x, roof + 0.035))
    points = np.stack([np.stack([x, y, z], axis=-1) for y, z in rings], axis=1)
    colors = np.broadcast_to(np.array(paint), (len(x) - 1, 4, 3)).copy()
    middle = (x[1:] + x[:-1]) / 2
    pillar = np.zeros(len(middle), dtype=bool)
    for begin, end in profile.pillars:
        pillar |= (middle > begin) & (middle < end)
    mean_rise = (rise[1:] + rise[:-1]) / 2
    colors[(mean_rise > 0.02) & ~pillar, 2] = GLASS
    screen = (abs(np.diff(rise)) > 0.3) & (abs(np.diff(roof) / np.diff(x)) > 0.3)
    if profile is VAN:
        screen &= middle > 0
    colors[screen, 3] = GLASS
    left = grid(points, None, colors.reshape(-1, 3))
    right = grid(points * [1, -1, 1], None, colors.reshape(-1, 3))
    return merge([left, right])


def _wheel(x: float, y: float) -> Pieces:
    """Make a tyre and a spoked rim; y is its outer face."""
    side = np.sign(y)
    path = np.array([[x, y - side * 0.2, 0.31], [x, y - side * 0.1, 0.31], [x, y, 0.31]])
    out = (0.0, float(side), 0.0)
    tyre = [
        tube(path, np.full(3, 0.31), 24, BLACK),
        disc((x, y, 0.31), out, 0.31, BLACK, 24, 0.2),
    ]
    face = (x, y - side * 0.012, 0.31)
    rim = [
        disc(face, out, 0.205, (0.10, 0.10, 0.11), 24),
        disc((x, y, 0.31), out, 0.05, (0.7,) * 3),
    ]
    for angle in np.arange(5) * 2 * np.pi / 5:
        along = np.array([np.cos(angle), 0, np.sin(angle)])
        across = 0.03 * np.array([-np.sin(angle), 0, np.cos(angle)])
        origin = np.array([x, y - side * 0.004, 0.31]) - across
        rim.append(rectangle(origin, 0.2 * along, 2 * across, color=(0.66, 0.67, 0.69)))
    ring = disc((x, y - side * 0.004, 0.31), out, 0.21, (0.66, 0.67, 0.69), 24, 0.185)
    return [("paint", merge(tyre)), ("coat", merge([*rim, ring]))]


def build(random: np.random.Generator, profile: Profile, paint: Color) -> Pieces:
    """Make a car."""
    hw, tail, nose = profile.half_width, profile.belt[0][0], profile.belt[-1][0]
    body = _loft(profile, paint)
    panes = (body.colors[body.faces[:, 0]] == GLASS).all(axis=1)
    pieces: Pieces = [("coat", body.only(~panes)), ("glass", body.only(panes))]
    inner = box((tail + 0.1, -hw + 0.25, 0.2), (nose - 0.1, hw - 0.25, 0.66), BLACK)
    pieces.append(("paint", inner))
    for x in profile.wheels:
        pieces += _wheel(x, hw - 0.015) + _wheel(x, -hw + 0.015)
    grille = box((nose - 0.06, -0.45, 0.36), (nose + 0.015, 0.45, 0.52), BLACK)
    bumpers = [
        box((tail - 0.05, -hw + 0.12, 0.28), (tail + 0.1, hw - 0.12, 0.46), (0.09, 0.09, 0.10)),
        box((nose - 0.1, -hw + 0.12, 0.26), (nose + 0.03, hw - 0.12, 0.34), (0.09, 0.09, 0.10)),
    ]
    plates = [
        box((tail - 0.06, -0.26, 0.50), (tail + 0.04, 0.26, 0.61), (0.88, 0.87, 0.80)),
        box((nose, -0.26, 0.38), (nose + 0.025, 0.26, 0.48), (0.88, 0.87, 0.80)),
    ]
    plates += [
        box((tail - 0.065, y, 0.525), (tail, y + random.uniform(0.02, 0.05), 0.585), BLACK)
        for y in np.arange(-0.22, 0.2, 0.075)
    ]
    pieces.append(("paint", merge([grille, *bumpers, *plates])))
    lights = []
    for y in (-1, 1):
        a, b = sorted((y * (hw - 0.34), y * (hw - 0.06)))
        lights.append(box((nose - 0.22, a, 0.56), (nose - 0.03, b, 0.68), (0.86, 0.88, 0.90)))
        lights.append(box((tail - 0.03, a, 0.66), (tail + 0.2, b, 0.80), (0.55, 0.04, 0.04)))
        mirror = sorted((y * (hw - 0.06), y * (hw + 0.13)))
        lights.append(box((0.62, mirror[0], 0.94), (0.76, mirror[1], 1.06), paint))
        handle = sorted((y * (hw - 0.03), y * (hw + 0.012)))
        lights += [box((x, handle[0], 0.80), (x + 0.16, handle[1], 0.825), (0.5,) * 3)
                   for x in (-0.28, -1.0)]  # fmt: skip
    pieces.append(("coat", merge(lights)))
    return pieces
