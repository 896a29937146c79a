"""`recon inspect` for people: the facts of a capture as a table."""

from collections.abc import Iterator

from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from recon.drive_facts import DriveFacts
from recon.inspect import CameraFacts, Forecast, Inspection, Range
from recon.match_facts import MatchFacts
from recon.photo_facts import Spread
from recon.words import counted

CAMERAS = 8
"""At most so many cameras are listed."""
NAMES = 5
"""At most so many photos that stand out are named."""
LENS = {
    "f_number": "f/{}",
    "focal_length_mm": "{} mm",
    "focal_length_35mm": "{} mm as on 35 mm film",
    "focus_distance": "focused at {} m",
    "exposure_seconds": "{} s",
    "iso": "ISO {}",
}


def print_inspection(inspection: Inspection, console: Console) -> None:
    """Print what was found, then what was chosen, then what was skipped."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in rows(inspection):
        table.add_row(label, escape(text))
    notes = [Text(f"note: {note}") for note in inspection.notes]
    warnings = [Text(f"warning: {warning}", style="yellow") for warning in inspection.warnings]
    console.print(Group(table, *notes, *warnings))


def rows(inspection: Inspection) -> Iterator[tuple[str, str]]:
    """Yield label and text of each line of the table."""
    i = inspection
    yield "data", f"{i.path} ({i.format})"
    yield "views", f"{i.views}: {', '.join(f'{n} of {size}' for size, n in i.sizes.items())}"
    yield "cameras", "\n".join(cameras(i.cameras))
    yield "units", f"{i.unit}; cameras within {i.extent:.3g} {i.unit} of their centre"
    unused = f", {i.split.unused} in neither" if i.split.unused else ""
    yield "split", f"{i.split.train} train, {i.split.test} test{unused} ({i.split.rule})"
    yield "points", points(i)
    if i.depth is not None:
        at = depths(i.depth.depths, i.unit)
        how = "" if i.depth.measured else ", matched in stereo, not measured"
        views = counted(i.depth.views, "view")
        yield "depth", f"{views}, {i.depth.coverage:.0%} of their pixels{at}{how}"
    if i.drive is not None:
        yield from drive_rows(i.drive)
    if i.matches is not None:
        yield from match_rows(i.matches)
    if i.sharpness is not None:
        yield "sharpness", spread(i.sharpness, "perhaps blurred")
    if i.exposure is not None:
        yield "exposure", spread(i.exposure, "darker or brighter")
    if i.lens:
        yield "lens", ", ".join(LENS[k].format(span(r)) for k, r in i.lens.items()) + " (EXIF)"
    if i.forecast is not None:
        yield "forecast", "\n".join(forecast_lines(i.forecast, i.other_sizes))


def drive_rows(facts: DriveFacts) -> Iterator[tuple[str, str]]:
    """Yield the lines of a drive."""
    lidar, boxes, shutter = facts.lidar, facts.boxes, facts.shutter
    if lidar is not None:
        near = lidar.agreement
        fit = "" if near is None else f", {near:.2f} px from where they project"
        how = "have recorded pixels" if lidar.recorded else "are in a photo, by projection"
        yield (
            "LiDAR",
            f"{counted(lidar.sweeps, 'sweep')} of about {counted(lidar.returns, 'point')}, "
            f"{lidar.training} to train; {lidar.shown:.0%} of the points {how}{fit}",
        )
    if boxes is not None:
        yield "boxes", f"{boxes.boxes} of {boxes.tracks} objects, {boxes.moving} of them moving"
    if shutter is not None:
        yield (
            "shutter",
            f"rolling, {1000 * shutter.readout:.0f} ms: first and last lines disagree by "
            f"{shutter.median:.1f} px (at most {shutter.largest:.1f}) on things 10 m away",
        )


def match_rows(facts: MatchFacts) -> Iterator[tuple[str, str]]:
    """Yield the lines about matches."""
    off = ""
    if facts.median_distance is not None:
        off = (
            f": {facts.median_distance:.2f} px off their epipolar lines in the median pair, "
            f"{facts.within_a_pixel:.0%} within 1 px, {facts.kept} kept"
        )
    alone = facts.alone
    names = f"{', '.join(alone[:NAMES])}{', ...' if len(alone) > NAMES else ''}"
    missing = f"; none in {counted(len(alone), 'view')}: {names}" if alone else ""
    yield (
        "matches",
        f"{facts.matches} in {counted(facts.pairs, 'pair')} ({facts.matcher}){off}{missing}",
    )
    if facts.points is not None:
        found = facts.points
        yield (
            "triangulated",
            f"{found.count} points, each in {found.views:.1f} views, under {found.angle:.1f}°; "
            f"their depth is certain to {found.depth_deviation:.2%} if the poses are right",
        )


def cameras(facts: tuple[CameraFacts, ...]) -> Iterator[str]:
    """Yield a line for each of the busiest cameras."""
    for camera in facts[:CAMERAS]:
        name = f"{camera.sensor}: " if camera.sensor else ""
        yield (
            f"{name}{camera.width}x{camera.height}, focal length {camera.fx:.1f} px, "
            f"{camera.angle_of_view:.0f}° across, {counted(camera.views, 'view')}"
        )
    if len(facts) > CAMERAS:
        yield f"and {len(facts) - CAMERAS} more"


def forecast_lines(own: Forecast, others: tuple[Forecast, ...]) -> Iterator[str]:
    """Say what the default fit takes at several sizes."""
    for forecast in (own, *others):
        memory, minutes = forecast.memory_bytes / 2**30, forecast.seconds / 60
        gpu_memory, gpu_minutes = forecast.gpu_memory_bytes / 2**30, forecast.gpu_seconds / 60
        yield (
            f"about {minutes:.1f} min and {memory:.1f} GiB for the default fit at {forecast.size}; "
            f"on a GPU {gpu_minutes:.1f} min and {gpu_memory:.1f} GiB"
        )
    yield f"GPU figures are an estimate ({own.gpu})"


def points(inspection: Inspection) -> str:
    """Say how many points there are and how well they fit the views."""
    facts = inspection.points
    if facts is None:
        return "none: the fit starts from points spread before the cameras"
    lost = ""
    if facts.outside_every_photo > 0:
        lost = f", {facts.outside_every_photo:.1%} in no photo"
    return f"{facts.count}{depths(facts.depths, inspection.unit)}{lost}"


def depths(percentiles: tuple[float, float, float] | None, unit: str) -> str:
    """Say how far things are, if anything is known of it."""
    if percentiles is None:
        return ""
    low, middle, high = percentiles
    return f", {low:.3g} to {high:.3g} {unit} away (half within {middle:.3g})"


def spread(facts: Spread, what: str) -> str:
    """Say how a number varies, and which photos stand out."""
    text = f"{facts.lowest:.3g} to {facts.highest:.3g}, median {facts.median:.3g}"
    if not facts.outliers:
        return text
    more = ", ..." if len(facts.outliers) > NAMES else ""
    return f"{text}; {what}: {', '.join(facts.outliers[:NAMES])}{more}"


def span(facts: Range) -> str:
    """Write one number where all photos agree, else two."""
    if facts.lowest == facts.highest:
        return f"{facts.lowest:.4g}"
    return f"{facts.lowest:.4g} to {facts.highest:.4g}"
