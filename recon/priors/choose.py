"""From a prior's name to the prior: the one place that knows them all."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from recon.errors import UsageError
from recon.networks.meter_canvas import weights_of
from recon.priors import depth_anything, metric3d
from recon.priors.bokeh_depth import bokeh_depth
from recon.priors.bokeh_depth_anything import bokeh_depth_anything
from recon.priors.depth_anything import DepthAnything
from recon.priors.file import DepthFiles, FilePrior
from recon.priors.interface import DepthPrior
from recon.priors.lidar import Lidar, LidarSettings
from recon.priors.meter import Meter
from recon.priors.metric3d import Metric3d
from recon.priors.siamese import Siamese, weights_at

NetworkName = Literal[
    "meter-kitti",
    "meter-nyu",
    "metric3d-s",
    "metric3d-l",
    "depth-anything-s",
    "depth-anything-b",
    "depth-anything-l",
    "depth-anything-indoor-s",
    "depth-anything-indoor-b",
    "depth-anything-indoor-l",
    "depth-anything-outdoor-s",
    "depth-anything-outdoor-b",
    "depth-anything-outdoor-l",
    "siamese",
    "bokeh-depth-kitti",
    "bokeh-depth-nyu",
    "bokeh-depth-anything",
]
PriorName = Literal[NetworkName, "lidar", "file"]
PRIOR_NAMES: tuple[PriorName, ...] = get_args(PriorName)


@dataclass(frozen=True)
class PriorChoice:
    """Where depth before a fit comes from."""

    model: PriorName
    """meter, metric3d and depth-anything are networks; siamese tells depth by blur; bokeh-depth
    shows METER the photo through wider lenses too; lidar completes
    returns; file reads depth that another program worked out."""
    weights: Path | None = None
    """The network's file, or a folder with it. Where not given: $RECON_WEIGHTS, Hugging Face's
    cache, a download."""
    files: DepthFiles | None = None
    """For file."""
    lidar: LidarSettings = field(default_factory=LidarSettings)
    """For lidar."""


def choose_prior(choice: PriorChoice) -> DepthPrior:
    """Return the prior asked for, its weights found; networks load at first use.

    Raises:
        DataError: a path given is not there, or holds something else.
        ResourceError: the weights are nowhere; the message lists the places.
        UsageError: the choice lacks what its model needs.
    """
    match choice.model:
        case "lidar":
            return Lidar(choice.lidar)
        case "file":
            if choice.files is None:
                raise UsageError("the prior `file` needs a folder of depth files: give --files.")
            return FilePrior(choice.files)
        case "siamese":
            return Siamese(weights_at(choice.weights))
        case "meter-kitti":
            return Meter("kitti", weights_of("kitti").find(choice.weights))
        case "meter-nyu":
            return Meter("nyu", weights_of("nyu").find(choice.weights))
        case "bokeh-depth-kitti":
            return bokeh_depth("kitti", choice.weights)
        case "bokeh-depth-nyu":
            return bokeh_depth("nyu", choice.weights)
        case "bokeh-depth-anything":
            return bokeh_depth_anything(choice.weights)
        case "metric3d-s":
            return Metric3d("s", metric3d.weights_of("s").find(choice.weights))
        case "metric3d-l":
            return Metric3d("l", metric3d.weights_of("l").find(choice.weights))
    # What is left is called depth-anything-[scene-]size.
    *words, size = choice.model.removeprefix("depth-anything-").split("-")
    for scene in get_args(depth_anything.DepthAnythingScene):
        for known in get_args(depth_anything.DepthAnythingSize):
            if ("".join(words) or "any", size) == (scene, known):
                weights = depth_anything.weights_of(scene, known).find(choice.weights)
                return DepthAnything(scene, known, weights)
    raise AssertionError(choice.model)
