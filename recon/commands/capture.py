"""From the words on the command line to a capture, a run's checkpoint and a rasterizer."""

import hashlib
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import recon
from recon import checkpoint
from recon.aligned_stack import with_aligned_slices
from recon.checkpoint import Checkpoint
from recon.commands.progress import counting
from recon.config import FitSettings
from recon.core import HAS_CORE, MISSING
from recon.datasets.reader import identify, read_capture
from recon.dense_points import with_dense_points
from recon.errors import DataError
from recon.parts import scene_of
from recon.prior_points import with_points_from_prior
from recon.protocols import load_protocol
from recon.raster.choose import Wish, choose_rasterizer
from recon.raster.interface import Rasterizer
from recon.run import Run
from recon.scene import Scene
from recon.start_points import with_points_from_matches
from recon.types import Capture

DEMO = Path(recon.__file__).parent / "demo"


def resolve(data: Path) -> Path:
    """Return the folder meant; `demo` is the drive that comes with recon."""
    return DEMO if str(data) == "demo" and not data.exists() else data


def under_protocol(settings: FitSettings) -> FitSettings:
    """Let a protocol decide what it decides; without one, settings stay what they are.

    Raises:
        DataError: the capture is none of the protocol's scenes.
        UsageError: there is no such protocol, or a setting says something else.
    """
    if settings.protocol is None:
        return settings
    protocol, path = load_protocol(settings.protocol), resolve(settings.data)
    scene = protocol.scene(path, *identify(path, settings.read))
    return replace(settings, read=protocol.applied(settings.read, scene))


def capture_of(settings: FitSettings, *, start_points: bool = True, quiet: bool = False) -> Capture:
    """Read the capture that a fit's settings name, with points to begin with if wanted.

    Raises:
        DataError: it cannot be read.
        ResourceError: what would find points needs what is not there.
    """
    path, options = resolve(settings.data), settings.read
    capture = with_aligned_slices(read_capture(path, options, start_points=start_points))
    if not (start_points and capture.train):
        return capture
    counter = partial(counting, quiet=quiet)
    found = with_points_from_matches(capture, options.start, settings.matching, counter)
    if options.start == "prior":
        return with_points_from_prior(found, settings.prior, settings.seed, counter)
    poses_only = options.start == "points" and capture.points is None
    if found.points is not None and (options.start == "dense" or poses_only):
        return with_dense_points(found, settings.cap, settings.seed, counter)
    return found


def rasterizer_for(wish: Wish) -> Rasterizer:
    """Choose what renders, and say in a line where it is slow for want of the core.

    Raises:
        ResourceError: the one asked for does not work here.
    """
    rasterizer = choose_rasterizer(wish)
    if not HAS_CORE and wish == "auto" and rasterizer.device.type == "cpu":
        print(MISSING, file=sys.stderr)
    return rasterizer


def reopen(
    run: Run, moved: Path | None, *, start_points: bool = False
) -> tuple[FitSettings, Capture]:
    """Read a run's settings and the capture that it was fitted to.

    Args:
        run: finished or not.
        moved: where the capture is now, if it is no longer where it was.
        start_points: whether a fit goes on, and needs the points that it began with.

    Raises:
        DataError: the folder is no run's, or the capture is not there or another.
    """
    settings = run.settings()
    if moved is not None:
        settings = replace(settings, data=moved).resolved()
    elif not resolve(settings.data).exists():
        raise DataError(
            f"{settings.data}: the data of {run.path} is no longer there. Put it back, or say "
            "where it is with --data."
        )
    expected = run.data_fingerprint()
    capture = capture_of(settings, start_points=start_points)
    if fingerprint(capture) != expected:
        raise DataError(
            f"{capture.path}: the views or their cameras are not those this run was fitted "
            "to. Restore the data, or start a new run with `recon fit`."
        )
    return settings, capture


def newest(run: Run) -> Checkpoint:
    """Read a run's newest whole checkpoint, and say which newer ones are damaged.

    Raises:
        DataError: there is none.
    """
    saved, problems = checkpoint.load_latest(run.checkpoints)
    for problem in problems:
        print(problem, file=sys.stderr)
    return saved


def scene_at(
    run: Run, settings: FitSettings, capture: Capture, saved: Checkpoint, rasterizer: Rasterizer
) -> Scene:
    """Return a run's scene as a checkpoint holds it, on the rasterizer's device.

    Raises:
        DataError: the checkpoint is not one of these settings.
    """
    device = rasterizer.device
    try:
        return scene_of(settings.parts, capture, saved.gaussians, saved.part("parts"), device)
    except ValueError as why:
        raise DataError(
            f"{run.checkpoints}: the scene at step {saved.step} does not belong to "
            f"{run.settings_file}: {why}. Restore that file, or fit again."
        ) from why


def tell_unfinished(run: Run, settings: FitSettings, saved: Checkpoint) -> None:
    """Say so where a checkpoint is not the end of its fit."""
    if settings.budget.progress(saved.step, saved.seconds) < 1:
        print(
            f"{run.path}: not finished, this is step {saved.step} of {settings.steps}. To go on: "
            f"recon resume {run.path}",
            file=sys.stderr,
        )


def fingerprint(capture: Capture) -> str:
    """Digest the views' names and cameras, and which are held out."""
    digest = hashlib.sha256(repr(capture.split).encode())
    for view in capture.views:
        camera = view.camera
        numbers = (camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height)
        digest.update(repr((view.name, numbers, camera.world_to_camera.tolist())).encode())
    return digest.hexdigest()
