"""What stands where along the street.

The street runs along +x; the drive starts at x = 0. Kerbs are at |y| = 5.3 m, houses at 8.8 m.
Everything follows from one seed, each group from its own stream, so that adding to one group
leaves the others as they were.
"""

from collections import defaultdict

import numpy as np

from recon.datasets.synthetic import (
    atlases,
    buildings,
    cars,
    furniture,
    ground,
    house,
    textures,
    trees,
)
from recon.datasets.synthetic.meshes import Mesh, box, merge, quads, rectangle
from recon.datasets.synthetic.scene import Box, Material, Part, Pieces, Scene
from recon.datasets.synthetic.sky import daylight

KERB_HEIGHT = 0.13
FRONT = 8.8
"""Distance of the houses from the middle of the road, metres."""
STREET = (-24.0, 128.0)
"""Where houses stand."""
CROSS_STREET = (62.0, 72.0)
"""A gap in both rows of houses."""
FAR_END = 150.0
"""Where the street ends, at a church."""
_GROUND = ("road behind", "road", "road ahead", "slabs", "grass")


def street(seed: int, detail: float) -> Scene:
    """Build the street of a seed, with textures of so many pixels per metre near the drive."""
    streams = np.random.default_rng(seed).spawn(8)
    materials: dict[str, Material] = {
        "paint": Material(),
        "coat": cars.COAT,
        "glass": cars.PANE,
        "window": Material(atlases.window_atlas(streams[0]), gloss=0.5, glass=True),
        "door": Material(atlases.door_atlas(streams[0])),
        "shop": Material(atlases.shop_atlas(streams[0]), gloss=0.4, glass=True),
        "sign": Material(atlases.sign_atlas(streams[0])),
        "roof": Material(textures.roof_tiles(streams[0], (0.45, 0.27, 0.22)), size=(2.0, 2.0)),
        "bark": Material(textures.bark(streams[0]), size=(1.0, 1.0)),
        "grass": Material(ground.grass(streams[0]), size=(4.0, 4.0)),
    }
    pieces = _ground(streams[1], materials, detail)
    pieces += _houses(streams[2], materials, detail)
    parked, boxes = _parked(streams[3])
    pieces += parked
    pieces += _trees(streams[4])
    pieces += _furniture(streams[5])
    pieces += _far_end(streams[6])
    return Scene(gathered(pieces, materials), daylight(streams[7]), tuple(boxes))


def gathered(pieces: Pieces, materials: dict[str, Material]) -> tuple[Part, ...]:
    """Merge all meshes of one material into one part."""
    meshes: defaultdict[str, list[Mesh]] = defaultdict(list)
    for name, mesh in pieces:
        meshes[name].append(mesh)
    return tuple(
        Part(name, merge(meshes[name]), materials[name], name in _GROUND) for name in sorted(meshes)
    )


def _placed(pieces: Pieces, at: tuple[float, float, float], turn: float = 0.0) -> Pieces:
    return [(name, mesh.placed(at, turn)) for name, mesh in pieces]


def _ground(random: np.random.Generator, materials: dict[str, Material], detail: float) -> Pieces:
    """Lay the road in a fine and two coarse stretches, kerbs, pavements, and land beyond."""
    (paint,) = random.spawn(1)
    kerb, pieces = ground.KERB, Pieces()
    for name, start, end, density in (
        ("road behind", -30.0, -6.0, 0.4 * detail),
        ("road", -6.0, 54.0, 1.25 * detail),
        ("road ahead", 54.0, FAR_END, 0.4 * detail),
    ):
        materials[name] = Material(ground.road(paint, start, end, density))
        stretch = rectangle((start, -kerb, 0), (end - start, 0, 0), (0, 2 * kerb, 0))
        pieces.append((name, stretch))
    materials["slabs"] = Material(ground.slabs(paint), size=(6.0, 6.0))
    stone = (0.60, 0.59, 0.56)
    for side in (-1, 1):
        low, high = sorted((side * (kerb + 0.16), side * (FRONT + 0.4)))
        start, length = -30.0, FAR_END + 30.0
        uv = (start, low, start + length, high)
        pavement = rectangle((start, low, KERB_HEIGHT), (length, 0, 0), (0, high - low, 0), uv)
        pieces.append(("slabs", pavement))
        low, high = sorted((side * kerb, side * (kerb + 0.16)))
        stones = [
            box((x + 0.006, low, 0), (x + 0.994, high, KERB_HEIGHT), tuple(tone * c for c in stone))
            for x, tone in zip(
                np.arange(start, FAR_END), random.uniform(0.85, 1.1, 1000), strict=False
            )
        ]
        pieces.append(("paint", merge(stones)))
    land = rectangle((-80, -150, -0.05), (340, 0, 0), (0, 300, 0), (0, 0, 340, 300))
    return [*pieces, ("grass", land)]


def _houses(random: np.random.Generator, materials: dict[str, Material], detail: float) -> Pieces:
    """Line both sides with houses up to a cross street and beyond; near walls are finer."""
    (paint,) = random.spawn(1)
    pieces, count = Pieces(), int(random.integers(len(house.WALL_COLORS)))
    for side in (-1, 1):
        x = STREET[0] + (0.0 if side < 0 else -5.0)
        while x < STREET[1]:
            width = float(random.uniform(8.0, 13.0))
            if x < CROSS_STREET[1] and x + width > CROSS_STREET[0]:
                x = CROSS_STREET[1]
            kind, color = house.WALL_COLORS[count % len(house.WALL_COLORS)]
            home = house.design(random, f"wall {count:02d}", width)
            density = detail if x < 50 else 0.5 * detail
            texture = house.wall_texture(paint, home, kind, color, density)
            materials[home.wall] = Material(texture)
            turn = 0.0 if side > 0 else np.pi
            corner = (x if side > 0 else x + width, side * FRONT, KERB_HEIGHT)
            pieces += _placed(buildings.build(random, home), corner, turn)
            x += width
            count += 1
    return pieces


def _parked(random: np.random.Generator) -> tuple[Pieces, list[Box]]:
    """Park cars on both sides; a van on the right stands a little into the lane."""
    pieces, boxes = Pieces(), list[Box]()
    lane = ground.LANE + ground.PARKING / 2 - 0.02
    begin, end = ground.CROSSING
    paints = iter(np.tile(random.permutation(len(cars.PAINTS)), 20))
    for side in (-1, 1):
        for bay in np.arange(-15.0, 110.0, 6.0):
            x = bay + random.uniform(-0.35, 0.35)
            blocked = begin - 5.0 < x < end + 5.0 or abs(x - sum(CROSS_STREET) / 2) < 7
            if blocked or random.random() < 0.22:
                continue
            profile = cars.PROFILES[random.integers(len(cars.PROFILES))]
            paint = cars.PAINTS[next(paints)]
            car = cars.build(random, profile, paint)
            turn = (0.0 if side < 0 else np.pi) + random.normal(0, 0.02)
            at = (float(x), float(side * (lane + random.uniform(-0.1, 0.1))), 0.0)
            pieces += _placed(car, at, turn)
            boxes.append(Box.around(car, at, turn))
    return pieces, boxes


def _trees(random: np.random.Generator) -> Pieces:
    """Plant an avenue on the pavements, and a park at the far end and along the cross street."""
    pieces = Pieces()
    for side, first in ((-1, -8.0), (1, -3.0)):
        for x in np.arange(first, 118.0, 15.0):
            if abs(x - sum(ground.CROSSING) / 2) < 4 or abs(x - sum(CROSS_STREET) / 2) < 6:
                continue
            near = x < 60
            tree = trees.build(
                random,
                float(random.uniform(5.8, 7.6)),
                leaves=6500 if near else 2600,
                leaf=0.17 if near else 0.27,
            )
            at = (x + random.uniform(-0.8, 0.8), side * 6.3, KERB_HEIGHT)
            pieces += _placed(tree, at, random.uniform(0, 6))
    park = [
        (FAR_END + dx, y) for dx, y in ((-4, -15), (0, -9), (6, 14), (-3, 10), (12, -20), (9, 24))
    ]
    alley = [(sum(CROSS_STREET) / 2 + dx, y) for dx, y in ((3, 34), (-4, 46), (4, -38), (-3, -50))]
    for x, y in (*park, *alley):
        tree = trees.build(random, float(random.uniform(8, 11)), leaves=3000, leaf=0.36)
        pieces += _placed(tree, (float(x), float(y), 0.0), random.uniform(0, 6))
    return pieces


def _furniture(random: np.random.Generator) -> Pieces:
    """Set lamps with wires across the street, signs, bollards, bins, benches and tubs."""
    pieces, z = Pieces(), KERB_HEIGHT
    for x in np.arange(-11.0, 118.0, 18.0):
        for side in (-1, 1):
            turn = 0.0 if side < 0 else np.pi
            pieces += _placed(furniture.lamp(), (x, side * 5.65, z), turn)
        pieces += furniture.wire((x, -5.65, 6.6), (x, 5.65, 6.6), 0.3)
    for y in (-1.6, 1.6):
        for x in np.arange(-11.0, 100.0, 18.0):
            pieces += furniture.wire((x, y, 6.4), (x + 18.0, y, 6.4), 0.22)
    begin, end = ground.CROSSING
    for x in (4.0, 27.5, 52.0):
        pieces += _placed(furniture.no_parking(), (x, -5.7, z))
    pieces += _placed(furniture.crossing_sign(), (begin - 0.7, -5.7, z))
    pieces += _placed(furniture.crossing_sign(), (end + 0.7, 5.7, z), np.pi)
    for side in (-1, 1):
        for x in (begin - 3.4, begin - 1.9, end + 1.9, end + 3.4):
            pieces += _placed(furniture.bollard(), (x, side * 5.62, z))
    for x, side in ((10.2, 1), (20.5, -1), (39.0, 1), (44.0, -1)):
        pieces += _placed(furniture.bin_(), (x, side * 6.0, z))
    for x, side in ((6.5, 1), (23.8, -1), (33.0, 1), (50.0, -1)):
        pieces += _placed(furniture.bench(), (x, side * 7.9, z), np.pi if side > 0 else 0.0)
    for x, side in ((2.0, -1), (9.0, 1), (18.5, 1), (19.3, -1), (29.0, -1), (36.0, 1), (41.0, -1)):
        pieces += _placed(furniture.planter(random), (x, side * 8.2, z))
    return pieces


def _far_end(random: np.random.Generator) -> Pieces:
    """Close the view with a church, its tower 160 m from the start, and a row of distant blocks."""
    x, stone, dark = FAR_END + 10.0, (0.70, 0.64, 0.54), (0.17, 0.17, 0.19)
    parts = [
        box((x, 1.0, 0), (x + 7, 8.0, 27), stone),
        box((x + 5, -9.0, 0), (x + 30, 10.0, 11), stone),
    ]
    for z in (26.2, 18.0, 10.5):
        parts.append(box((x - 0.3, 0.7, z), (x + 7.3, 8.3, z + 0.8), (0.78, 0.72, 0.62)))
    parts += [box((x - 0.05, y, z), (x + 0.2, y + 1.1, z + h), dark)
              for y in (2.5, 5.4) for z, h in ((20.0, 4.2), (12.5, 3.2))]  # fmt: skip
    parts += [box((x + 4.9, y, 2.5), (x + 5.2, y + 1.3, 8.0), dark) for y in (-7.5, -4.5, -1.5)]
    apex = np.array([x + 3.5, 4.5, 43.0])
    corners = np.array([[x, 1, 27], [x + 7, 1, 27], [x + 7, 8, 27], [x, 8, 27]], dtype=np.float64)
    faces = np.stack(
        [
            np.stack([a, b, apex, apex])
            for a, b in zip(corners, np.roll(corners, -1, 0), strict=True)
        ]
    )
    parts.append(quads(faces, None, (0.33, 0.45, 0.42)))
    for y in np.arange(-110.0, 110.0, 17.0):
        height = float(random.uniform(8, 17))
        tone = random.uniform(0.55, 0.8)
        parts.append(
            box((x + 32, y, 0), (x + 45, y + 15.5, height), (tone, 0.93 * tone, 0.84 * tone))
        )
    return [("paint", merge(parts))]
