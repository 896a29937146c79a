"""The depth that comes with a photo: stored in a file, or matched in another photo."""

import abc
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float64

from recon.datasets.decode import decode_depth
from recon.datasets.folders import is_file
from recon.errors import DataError


@dataclass(frozen=True)
class DepthSource(abc.ABC):
    """A photo's depth along the optical axis, on the photo's own grid as stored."""

    measured: ClassVar[bool]
    """False where it is computed from photos, and as wrong as they are misleading."""

    @abc.abstractmethod
    def check(self) -> None:
        """Look whether it can be had, without computing it.

        Raises:
            DataError: a file is missing.
        """

    @abc.abstractmethod
    def read(self) -> Float64[np.ndarray, "h w"]:
        """Return depth in the capture's unit; what is not positive and finite is not known.

        Raises:
            DataError: it cannot be read.
        """


@dataclass(frozen=True)
class DepthFile(DepthSource):
    """16-bit PNG or .npy; it may be smaller than the photo."""

    measured: ClassVar[bool] = True
    path: Path
    unit: float = 1.0
    """What a stored value of 1 counts."""

    def check(self) -> None:
        """Look for the file."""
        if not is_file(self.path):
            raise DataError(f"{self.path}: no such depth; put it there or take its entry out.")

    def read(self) -> Float64[np.ndarray, "h w"]:
        """Decode the file."""
        return decode_depth(self.path) * self.unit
