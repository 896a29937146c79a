"""COLMAP's camera models: their numbers and names, and what their parameters mean.

Source: COLMAP's documentation of camera models and of its output format, up to version 4.2.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from recon.camera import Intrinsics
from recon.datasets.colmap_model import ColmapCamera
from recon.distortion import (
    Brown,
    Distortion,
    Division,
    EnhancedUnified,
    FieldOfView,
    Fisheye,
    RadTanThinPrismFisheye,
    ThinPrismFisheye,
)
from recon.errors import DataError


@dataclass(frozen=True)
class CameraModel:
    """One of COLMAP's camera models."""

    number: int
    """In binary files."""
    name: str
    """In text files."""
    focal_lengths: int
    """1: f, cx, cy. 2: fx, fy, cx, cy. 0: not a camera that a pinhole can stand for."""
    extra: int
    """Parameters after the principal point."""
    lens: Callable[..., Distortion] | None = None
    """Builds the lens of the extra parameters, in their order."""

    @property
    def parameters(self) -> int:
        """How many parameters a file stores."""
        return self.focal_lengths + 2 + self.extra


MODELS = (
    CameraModel(0, "SIMPLE_PINHOLE", 1, 0),
    CameraModel(1, "PINHOLE", 2, 0),
    CameraModel(2, "SIMPLE_RADIAL", 1, 1, Brown),
    CameraModel(3, "RADIAL", 1, 2, Brown),
    CameraModel(4, "OPENCV", 2, 4, Brown),
    CameraModel(5, "OPENCV_FISHEYE", 2, 4, Fisheye),
    CameraModel(6, "FULL_OPENCV", 2, 8, Brown),
    CameraModel(7, "FOV", 2, 1, FieldOfView),
    CameraModel(8, "SIMPLE_RADIAL_FISHEYE", 1, 1, Fisheye),
    CameraModel(9, "RADIAL_FISHEYE", 1, 2, Fisheye),
    CameraModel(10, "THIN_PRISM_FISHEYE", 2, 8, ThinPrismFisheye),
    CameraModel(11, "RAD_TAN_THIN_PRISM_FISHEYE", 2, 12, RadTanThinPrismFisheye),
    CameraModel(12, "SIMPLE_DIVISION", 1, 1, Division),
    CameraModel(13, "DIVISION", 2, 1, Division),
    CameraModel(14, "SIMPLE_FISHEYE", 1, 0, Fisheye),
    CameraModel(15, "FISHEYE", 2, 0, Fisheye),
    CameraModel(16, "EUCM", 2, 2, EnhancedUnified),
    CameraModel(17, "EQUIRECTANGULAR", 0, 0),
)
BY_NUMBER = {model.number: model for model in MODELS}
BY_NAME = {model.name: model for model in MODELS}


def intrinsics(camera: ColmapCamera) -> Intrinsics:
    """Translate a COLMAP camera.

    Raises:
        DataError: the model is unknown or is no perspective camera, or its parameters are not
            finite or too few.
    """
    model = BY_NAME.get(camera.model)
    if model is None:
        raise DataError(
            f"camera {camera.number} has the model {camera.model}, which is not among COLMAP's "
            f"({', '.join(BY_NAME)}); convert it with `colmap image_undistorter`"
        )
    if model.focal_lengths == 0:
        raise DataError(
            f"camera {camera.number} has the model {model.name}: a panorama is no perspective "
            "photo; cut it into perspective views first, as COLMAP's panorama_sfm example does"
        )
    if len(camera.parameters) != model.parameters:
        raise DataError(
            f"camera {camera.number} has {len(camera.parameters)} parameters, "
            f"and {model.name} has {model.parameters}"
        )
    return Intrinsics(
        camera.width,
        camera.height,
        *pinhole_part(camera.parameters, model),
        lens_part(camera, model),
    )


def pinhole_part(
    parameters: Sequence[float], model: CameraModel
) -> tuple[float, float, float, float]:
    """Return fx, fy, cx, cy."""
    if model.focal_lengths == 1:
        return parameters[0], parameters[0], parameters[1], parameters[2]
    return parameters[0], parameters[1], parameters[2], parameters[3]


def lens_part(camera: ColmapCamera, model: CameraModel) -> Distortion | None:
    """Return the lens; None where every parameter of a polynomial is zero, which is a pinhole."""
    extra = camera.parameters[model.focal_lengths + 2 :]
    if model.lens is None or (model.lens is Brown and not any(extra)):
        return None
    return model.lens(*extra)
