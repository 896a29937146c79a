"""What a program must offer to be compared with: a fit of the training photos, and predictions."""

import abc
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from recon.brought import Brought
from recon.types import Capture


@dataclass(frozen=True, eq=False)
class Job:
    """One fit by another program."""

    capture: Capture
    """With held-out views, and points to begin with."""
    folder: Path
    """For all that is written."""
    steps: int
    arguments: tuple[str, ...] = ()
    """More of the program's own, as on its command line."""

    @property
    def log(self) -> Path:
        """What the program said."""
        return self.folder / "log.txt"


class Baseline(abc.ABC):
    """A program that fits a scene."""

    title: ClassVar[str]
    """For people."""

    @abc.abstractmethod
    def lacks(self) -> str | None:
        """Say what keeps it from running here, and what to do; None where nothing does."""

    @abc.abstractmethod
    def fit(self, job: Job) -> Brought:
        """Fit the training photos, and predict the held-out views.

        The program is shown the photos as recon's own fits see them, undistorted and resized, but
        not their masks.

        Raises:
            DataError: the capture is none that the program can hold out from, or what the program
                wrote cannot be read.
            ResourceError: the program fails; the message names its log.
        """
