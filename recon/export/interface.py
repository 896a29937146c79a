"""What there is to export, and what an exporter does with it."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from recon.counter import Counter
from recon.errors import DataError
from recon.gaussians import Gaussians
from recon.raster.interface import ALPHA_MIN
from recon.render import Stage
from recon.types import Similarity, View


@dataclass(frozen=True, eq=False)
class Subject:
    """A fitted scene, and from where it was seen."""

    gaussians: Gaussians
    """In the working frame."""
    to_source: Similarity
    """From the working frame to the input's, in which everything is written."""
    metric: bool
    """Whether the input's lengths are metres."""
    views: tuple[View, ...]
    """Those it was fitted to."""
    stage: Callable[[], Stage]
    """Makes ready to draw it, which most formats do without."""

    @property
    def unit(self) -> str:
        """What follows a length, for people."""
        return " m" if self.metric else " units of the input"


class Exporter(abc.ABC):
    """Writes a scene in one format."""

    file_name: ClassVar[str]
    """Of the file in a run's folder."""

    @abc.abstractmethod
    def write(self, subject: Subject, path: Path, counter: Counter) -> str:
        """Write the file, which appears whole or not at all; what stood there is replaced.

        Args:
            subject: the scene.
            path: of the file.
            counter: shows how far it is.

        Returns:
            What a person should know of it, in a line; empty where there is nothing to say.

        Raises:
            DataError: there is nothing to write, or values are not finite.
            UsageError: a package is not installed that it needs.
            ResourceError: the disk is full, or the folder cannot be written to.
        """


def check_visible(gaussians: Gaussians, path: Path) -> None:
    """Refuse a scene that shows nothing, or is broken.

    Raises:
        DataError: it holds no visible Gaussian, or values that are not finite.
    """
    for name, values in gaussians.named().items():
        # gsplat would leave such Gaussians out without a word.
        if not bool(values.isfinite().all()):
            raise DataError(
                f"{path}: not written, because {name} of the scene holds values that are not "
                "finite; expected none, export an earlier checkpoint"
            )
    if not bool((gaussians.opacities > ALPHA_MIN).any()):
        raise DataError(
            f"{path}: not written, because the scene holds no Gaussian that can be seen; "
            "fit it again, or export an earlier checkpoint"
        )
