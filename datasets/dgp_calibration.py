"""The lenses of a DGP scene, as `calibration/*.json` states them."""

from contextlib import suppress
from pathlib import Path

from recon.camera import Intrinsics
from recon.datasets.dgp_scene import number
from recon.datasets.json_node import JsonNode
from recon.distortion import Brown, Distortion, Fisheye
from recon.errors import DataError

BROWN = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
FISHEYE = ("k1", "k2", "k3", "k4")
STRANGE = (
    "skew", "s1", "s2", "s3", "s4", "taux", "tauy", "alpha", "beta", "w", "xi", "equirectangular",
)  # fmt: skip
"""Parameters of lenses that are not read; 0 in a lens without them."""
MODELS: dict[float, tuple[str, ...]] = {0: BROWN, 1: FISHEYE}
"""By the number of `fisheye`: OpenCV's pinhole and fisheye models."""


class DgpCalibration:
    """One calibration file."""

    def __init__(self, file: Path, help_for_missing: str = "") -> None:
        """Read a file.

        Args:
            file: calibration/*.json.
            help_for_missing: what can be read without it, for people.

        Raises:
            DataError: it is missing or no calibration.
        """
        if not file.is_file():
            raise DataError(
                f"{file}: no such calibration, which the scene names; copy the folder calibration "
                f"from the data set{help_for_missing}."
            )
        content = JsonNode.load(file)
        names = [name.text() for name in content.get("names").items()]
        lenses = content.get("intrinsics").items()
        if len(names) != len(lenses):
            raise content.get("intrinsics").unlike(f"a list of {len(names)}, one for each name")
        self._file = file
        self._lenses = dict(zip(names, lenses, strict=True))

    @property
    def cameras(self) -> tuple[str, ...]:
        """The sensors that have a focal length."""
        found = []
        for name, lens in self._lenses.items():
            with suppress(DataError):
                found += [name] if number(lens, "fx") > 0 else []
        return tuple(found)

    def lens(self, sensor: str, width: int, height: int) -> Intrinsics:
        """Return a camera's lens for photos of a size.

        Raises:
            DataError: the camera is not there, or its lens is of a kind that is not read.
        """
        if sensor not in self._lenses:
            raise DataError(
                f"{self._file}: no intrinsics of {sensor}, which has photos; there are those of "
                f"{', '.join(self.cameras) or 'none'}, which --drive.cameras can name."
            )
        lens = self._lenses[sensor]
        fx, fy, cx, cy = (number(lens, key) for key in ("fx", "fy", "cx", "cy"))
        if min(fx, fy) <= 0:
            raise DataError(
                f"{self._file}: the focal lengths of {sensor} are {fx} and {fy}, expected positive "
                "ones; copy the file again, or name the others with --drive.cameras."
            )
        return Intrinsics(width, height, fx, fy, cx, cy, distortion(lens, sensor))


def distortion(lens: JsonNode, sensor: str) -> Distortion | None:
    """Return the distortion of a lens, None where there is none.

    Raises:
        DataError: the model is none that is read.
    """
    strange = [key for key in STRANGE if number(lens, key) != 0]
    flag = lens.find("fisheye")
    kind = 0 if flag is None else flag.value
    model = MODELS.get(kind) if isinstance(kind, int | float) else None
    if strange or model is None:
        raise DataError(
            f"{lens.file}: the lens of {sensor} has {', '.join(strange) or f'fisheye {kind}'}, a "
            "model that is not read; undistort its photos, or name the others with "
            "--drive.cameras."
        )
    numbers = [number(lens, key) for key in model]
    if model is FISHEYE:
        return Fisheye(*numbers)
    return Brown(*numbers) if any(numbers) else None
