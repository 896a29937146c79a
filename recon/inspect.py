"""What a capture holds, before anything is fitted: the facts behind `recon inspect`."""

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from recon.camera import inside, project
from recon.drive_facts import DriveFacts, drive_facts
from recon.errors import DataError
from recon.match_facts import MatchFacts
from recon.photo_facts import Spread, luminance, sharpness, spread
from recon.types import Capture, DepthMap, Exif, PointCloud, View
from recon.workload import Workload

BLURRED = 2.0
"""A photo is flagged as blurred when its sharpness is this factor below the median, or more."""
EXPOSED = 2.0
"""A photo is flagged for its exposure when its brightness is one stop off the median, or more."""
PHOTOS = 200
"""At most so many photos are decoded, evenly chosen."""
DEPTHS = 40
"""At most so many photos are asked for their depth, evenly chosen: it may have to be computed."""
POINTS = 20000
"""At most so many points are projected, evenly chosen."""


@dataclass(frozen=True)
class Forecast:
    """What the default fit will take on this machine, and on a GPU."""

    size: str
    """Of the largest view: "960x640"."""
    memory_bytes: int
    seconds: float
    gpu_memory_bytes: int
    """Of the GPU's own memory; an estimate."""
    gpu_seconds: float
    gpu: str
    """Which GPU that is, and where the estimate comes from."""


Forecaster = Callable[[Workload], Forecast]


@dataclass(frozen=True)
class CameraFacts:
    """One camera and how many views it took."""

    sensor: str
    width: int
    height: int
    fx: float
    fy: float
    angle_of_view: float
    """Horizontal, in degrees."""
    views: int


@dataclass(frozen=True)
class SplitFacts:
    """Which rule splits the views, and how many go where."""

    rule: str
    train: int
    test: int
    unused: int


@dataclass(frozen=True)
class PointFacts:
    """The points that came with the capture."""

    count: int
    behind_every_camera: float
    """Fraction."""
    outside_every_photo: float
    """Fraction; those behind count too."""
    depths: tuple[float, float, float] | None
    """5th, 50th and 95th percentile of their depth in the photos that see them."""


@dataclass(frozen=True)
class DepthFacts:
    """The depth that comes with the photos, of those that were looked at."""

    views: int
    coverage: float
    """Mean fraction of a photo's pixels that have a depth."""
    depths: tuple[float, float, float] | None
    """5th, 50th and 95th percentile."""
    measured: bool
    """False where photos were matched for it."""


@dataclass(frozen=True)
class Range:
    """The lowest and the highest value that photos state, and how many state one."""

    lowest: float
    highest: float
    views: int


@dataclass(frozen=True)
class Inspection:
    """Everything that `recon inspect` says; scripts rely on `format`, `views` and `warnings`."""

    path: str
    format: str
    views: int
    sizes: dict[str, int]
    """"504x378" and how many views have that size, at the working resolution."""
    cameras: tuple[CameraFacts, ...]
    unit: str
    """"m", or "scene units" where nobody says what a unit is."""
    extent: float
    """The radius of the cameras around their centre, times 1.1, in `unit`."""
    split: SplitFacts
    points: PointFacts | None
    depth: DepthFacts | None
    drive: DriveFacts | None
    """LiDAR, boxes and rolling shutter; None where the capture is no drive."""
    decoded: int
    """How many photos were decoded for what follows."""
    sharpness: Spread | None
    """Variance of the Laplacian."""
    exposure: Spread | None
    """Mean linear luminance, 0 to 1."""
    lens: dict[str, Range]
    """What EXIF states, by name; empty where it is silent."""
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    forecast: Forecast | None
    other_sizes: tuple[Forecast, ...]
    """The same fit with photos of other sizes."""
    matches: MatchFacts | None = None
    """What matching the photos found; None where nobody asked for it, or nothing overlaps."""


def inspect_capture(
    capture: Capture, forecast: Forecaster | None = None, widths: Sequence[int] = ()
) -> Inspection:
    """Gather what a person should know before a fit; decodes photos.

    Args:
        capture: what a reader found.
        forecast: says what a fit will take; nothing is said where it is absent.
        widths: of the largest view, at which the forecast is asked for as well.
    """
    photos = PhotoFacts.gather(capture.views)
    split = capture.split
    unused = len(capture.views) - len(split.train) - len(split.test)
    work, points = Workload.of(capture), capture.points
    warnings: list[str] = []
    drive = drive_facts(capture, warnings)
    return Inspection(
        path=str(capture.path),
        format=capture.format,
        views=len(capture.views),
        sizes=dict(Counter(f"{v.camera.width}x{v.camera.height}" for v in capture.views)),
        cameras=camera_facts(capture.views),
        unit="m" if capture.metric else "scene units",
        extent=capture.extent,
        split=SplitFacts(split.rule, len(split.train), len(split.test), unused),
        points=None if points is None else point_facts(points, capture.views),
        depth=photos.depth_facts(),
        drive=drive,
        decoded=len(photos.names),
        sharpness=photos.spread(photos.sharpness, BLURRED, low_only=True),
        exposure=photos.spread(photos.luminance, EXPOSED, low_only=False),
        lens=lens_facts([view.exif for view in capture.views]),
        notes=capture.notes,
        warnings=(*capture.warnings, *photos.warnings, *warnings),
        forecast=None if forecast is None else forecast(work),
        other_sizes=tuple(forecast(work.at_width(width)) for width in widths) if forecast else (),
    )


def to_json(inspection: Inspection) -> str:
    """Return one JSON object, on one line."""
    return json.dumps(dataclasses.asdict(inspection), allow_nan=False)


@dataclass
class PhotoFacts:
    """What decoding photos one after the other gathers."""

    names: list[str]
    sharpness: list[float]
    luminance: list[float]
    coverage: list[float]
    depths: list[torch.Tensor]
    measured: bool
    warnings: list[str]

    @staticmethod
    def gather(views: Sequence[View]) -> "PhotoFacts":
        """Decode photos; one that cannot be decoded becomes a warning."""
        facts = PhotoFacts([], [], [], [], [], True, [])
        chosen = evenly(views, PHOTOS)
        asked = {view.name for view in evenly(chosen, DEPTHS)}
        for view in chosen:
            try:
                pixels, valid = view.photo.pixels(), view.photo.valid()
                depth = view.photo.depth() if view.name in asked else None
            except DataError as error:
                facts.warnings.append(f"{view.name}: {error}")
                continue
            facts.names.append(view.name)
            facts.sharpness.append(sharpness(pixels, valid))
            facts.luminance.append(luminance(pixels, valid))
            if depth is not None:
                facts.add_depth(depth)
        return facts

    def add_depth(self, depth: DepthMap) -> None:
        """Note how much of a photo has depth, and a sample of it."""
        z = depth.z[depth.valid]
        self.measured &= depth.measured
        self.coverage.append(z.numel() / depth.z.numel())
        self.depths.append(z[:: max(1, z.numel() // 1000)])

    def depth_facts(self) -> DepthFacts | None:
        """Summarise depth; None where no photo brought any."""
        if not self.coverage:
            return None
        coverage = sum(self.coverage) / len(self.coverage)
        depths = percentiles(torch.cat(self.depths))
        return DepthFacts(len(self.coverage), coverage, depths, self.measured)

    def spread(self, values: list[float], ratio: float, low_only: bool) -> Spread | None:
        """Summarise a number; None where no photo could be decoded."""
        return spread(self.names, values, ratio, low_only) if values else None


def evenly(views: Sequence[View], most: int) -> Sequence[View]:
    """Choose at most so many, over the whole range."""
    return views[:: math.ceil(len(views) / most)]


def camera_facts(views: Sequence[View]) -> tuple[CameraFacts, ...]:
    """Count the views of each camera, the busiest first."""
    counts: Counter[tuple[str, int, int, float, float]] = Counter()
    for view in views:
        camera = view.camera
        counts[view.sensor, camera.width, camera.height, camera.fx, camera.fy] += 1
    return tuple(
        CameraFacts(s, w, h, fx, fy, math.degrees(2 * math.atan(w / (2 * fx))), count)
        for (s, w, h, fx, fy), count in counts.most_common()
    )


def point_facts(points: PointCloud, views: Sequence[View]) -> PointFacts:
    """Project a sample of the points into every view."""
    sample = points.positions[:: math.ceil(len(points) / POINTS)]
    before = torch.zeros(len(sample), dtype=torch.bool)
    seen = torch.zeros(len(sample), dtype=torch.bool)
    depths = []
    for view in views:
        pixels, depth = project(view.camera, sample)
        visible = inside(view.camera, pixels, depth)
        before |= depth > 0
        seen |= visible
        depths.append(depth[visible][:: max(1, len(views) // 20)])
    return PointFacts(
        count=len(points),
        behind_every_camera=1 - float(before.float().mean()),
        outside_every_photo=1 - float(seen.float().mean()),
        depths=percentiles(torch.cat(depths)),
    )


def percentiles(values: torch.Tensor) -> tuple[float, float, float] | None:
    """Return the 5th, 50th and 95th percentile; None of nothing."""
    if values.numel() == 0:
        return None
    ordered = values.sort().values
    low, middle, high = (
        float(ordered[round(part * (len(ordered) - 1))]) for part in (0.05, 0.5, 0.95)
    )
    return low, middle, high


def lens_facts(exifs: Sequence[Exif]) -> dict[str, Range]:
    """Return the range of each EXIF value that any photo states."""
    facts = {}
    for field in dataclasses.fields(Exif):
        stated = [value for exif in exifs if (value := getattr(exif, field.name)) is not None]
        if stated:
            facts[field.name] = Range(min(stated), max(stated), len(stated))
    return facts
