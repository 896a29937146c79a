"""Lens distortion: from the ray of a pinhole camera to where a real lens puts it.

Every model maps normalised coordinates (x, y) = (X/Z, Y/Z) to distorted normalised coordinates; the
photo's pixel is then (fx * x + cx, fy * y + cy). Only this forward direction is needed to undo a
distortion, because undistortion asks for each pixel of the result where it came from.
Sources: the OpenCV calibration documentation, COLMAP's camera models, and the papers named below.
"""

import abc
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

Coordinates = Float64[np.ndarray, "*n"]


@dataclass(frozen=True)
class Distortion(abc.ABC):
    """A lens that is not a pinhole; its fields are its coefficients."""

    @abc.abstractmethod
    def distort(self, x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
        """Map normalised pinhole coordinates to distorted ones; beyond its domain, to NaN."""

    def limit(self, radius: float) -> float:
        """Return the normalised radius up to which the lens keeps the order of rays.

        Polynomials turn back beyond it and would show the photo's border twice.

        Args:
            radius: the largest radius of interest, also the answer where nothing turns back.
        """
        directions = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        steps = np.linspace(0, radius, 2048)
        x, y = self.distort(
            np.outer(steps, np.cos(directions)).ravel(), np.outer(steps, np.sin(directions)).ravel()
        )
        grows = np.diff(np.hypot(x, y).reshape(len(steps), -1), axis=0) > 0
        turned = ~grows.all(axis=1)
        return float(steps[turned.argmax()]) if turned.any() else radius


@dataclass(frozen=True)
class Brown(Distortion):
    """Radial and tangential distortion of OpenCV's pinhole model (Brown 1971), rational to k6."""

    k1: float = 0.0
    k2: float = 0.0
    p1: float = 0.0
    p2: float = 0.0
    k3: float = 0.0
    k4: float = 0.0
    k5: float = 0.0
    k6: float = 0.0

    def distort(self, x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
        """Map normalised pinhole coordinates to distorted ones."""
        r2 = x * x + y * y
        radial = polynomial(r2, self.k1, self.k2, self.k3)
        radial = radial / polynomial(r2, self.k4, self.k5, self.k6)
        return (
            x * radial + 2 * self.p1 * x * y + self.p2 * (r2 + 2 * x * x),
            y * radial + 2 * self.p2 * x * y + self.p1 * (r2 + 2 * y * y),
        )


@dataclass(frozen=True)
class Fisheye(Distortion):
    """The equidistant fisheye with a polynomial in the angle (Kannala and Brandt 2006)."""

    k1: float = 0.0
    k2: float = 0.0
    k3: float = 0.0
    k4: float = 0.0

    def distort(self, x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
        """Map normalised pinhole coordinates to distorted ones."""
        x, y = equidistant(x, y)
        radial = polynomial(x * x + y * y, self.k1, self.k2, self.k3, self.k4)
        return x * radial, y * radial


@dataclass(frozen=True)
class ThinPrismFisheye(Distortion):
    """COLMAP's THIN_PRISM_FISHEYE: the fisheye, then decentring and a thin prism, added up."""

    k1: float
    k2: float
    p1: float
    p2: float
    k3: float
    k4: float
    sx1: float
    sy1: float

    def distort(self, x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
        """Map normalised pinhole coordinates to distorted ones."""
        x, y = equidistant(x, y)
        r2 = x * x + y * y
        radial = polynomial(r2, self.k1, self.k2, self.k3, self.k4)
        return (
            x * radial + 2 * self.p1 * x * y + self.p2 * (r2 + 2 * x * x) + self.sx1 * r2,
            y * radial + 2 * self.p2 * x * y + self.p1 * (r2 + 2 * y * y) + self.sy1 * r2,
        )


@dataclass(frozen=True)
class RadTanThinPrismFisheye(Distortion):
    """COLMAP's RAD_TAN_THIN_PRISM_FISHEYE, which Project Aria calls Fisheye624.

    Unlike in `ThinPrismFisheye`, decentring and prism act on what the polynomial already bent.
    """

    k0: float
    k1: float
    k2: float
    k3: float
    k4: float
    k5: float
    p0: float
    p1: float
    s0: float
    s1: float
    s2: float
    s3: float

    def distort(self, x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
        """Map normalised pinhole coordinates to distorted ones."""
        x, y = equidistant(x, y)
        radial = polynomial(x * x + y * y, self.k0, self.k1, self.k2, self.k3, self.k4, self.k5)
        x, y = x * radial, y * radial
        r2 = x * x + y * y
        return (
            x + self.p0 * (r2 + 2 * x * x) + 2 * self.p1 * x * y + self.s0 * r2 + self.s1 * r2**2,
            y + self.p1 * (r2 + 2 * y * y) + 2 * self.p0 * x * y + self.s2 * r2 + self.s3 * r2**2,
        )


@dataclass(frozen=True)
class FieldOfView(Distortion):
    """A fisheye with one angle, in radians (Devernay and Faugeras 2001)."""

    omega: float

    def distort(self, x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
        """Map normalised pinhole coordinates to distorted ones."""
        r = np.maximum(np.hypot(x, y), 1e-12)
        slope = 2 * np.tan(self.omega / 2)
        # As omega goes to zero the ratio goes to one, and so does slope / omega.
        ratio = np.arctan(r * slope) / (r * self.omega) if abs(self.omega) > 1e-8 else 1.0
        return x * ratio, y * ratio


@dataclass(frozen=True)
class Division(Distortion):
    """Undistorted = distorted / (1 + k r²), r the distorted radius (Fitzgibbon 2001)."""

    k: float

    def distort(self, x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
        """Map normalised pinhole coordinates to distorted ones; NaN where no solution exists."""
        inside = 1 - 4 * self.k * (x * x + y * y)
        factor = 2 / (1 + np.sqrt(np.where(inside >= 0, inside, np.nan)))
        return x * factor, y * factor


@dataclass(frozen=True)
class EnhancedUnified(Distortion):
    """The enhanced unified camera model, EUCM (Khomutenko, Garcia and Martinet 2016)."""

    alpha: float
    beta: float

    def distort(self, x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
        """Map normalised pinhole coordinates to distorted ones."""
        depth = self.alpha * np.sqrt(self.beta * (x * x + y * y) + 1) + 1 - self.alpha
        return x / depth, y / depth


def polynomial(r2: Coordinates, *coefficients: float) -> Coordinates:
    """Return 1 + k1 r² + k2 r⁴ + ..., by Horner's rule."""
    total = np.zeros_like(r2)
    for coefficient in reversed(coefficients):
        total = (total + coefficient) * r2
    return 1 + total


def equidistant(x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
    """Map a ray at angle theta from the axis to the radius theta, its direction kept."""
    r = np.maximum(np.hypot(x, y), 1e-12)
    ratio = np.arctan(r) / r
    return x * ratio, y * ratio
