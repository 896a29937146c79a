"""Moving a scene from one frame to another: positions, sizes, orientations and colours."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from scipy.special import sph_harm_y

from recon.gaussians import Gaussians
from recon.types import Similarity


def transformed(gaussians: Gaussians, similarity: Similarity) -> Gaussians:
    """Return the Gaussians as seen in the frame that the similarity leads to.

    Colours turn along: a Gaussian seen along `rotation @ d` has the colour it had along `d`.
    Computed in float64 on the CPU; returned in the precision and on the device of the input, with
    normalised quaternions and without gradients.
    """
    source = gaussians.detached().to(torch.device("cpu")).to(torch.float64)
    turn = Rotation.from_matrix(similarity.rotation.double().numpy())
    quaternions = turn * Rotation.from_quat(source.quaternions.numpy(), scalar_first=True)
    moved = Gaussians(
        means=similarity.apply(source.means),
        quaternions=torch.from_numpy(quaternions.as_quat(scalar_first=True)),
        log_scales=source.log_scales + np.log(similarity.scale),
        opacity_logits=source.opacity_logits,
        sh_base=source.sh_base,
        sh_rest=torch.from_numpy(harmonic_rotation(turn)) @ source.sh_rest,
    )
    return moved.to(gaussians.means.dtype).to(gaussians.means.device)


def harmonic_rotation(turn: Rotation) -> NDArray[np.float64]:
    """Return the 15 x 15 matrix that turns the coefficients of degrees 1 to 3.

    Each degree turns within itself. Its block D solves Y(turn d) D = Y(d) for the harmonics Y at
    directions d that more than determine it; the solution is exact up to rounding.
    """
    directions = np.random.default_rng(0).normal(size=(32, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    matrix = np.zeros((15, 15))
    for degree in (1, 2, 3):
        block = slice(degree**2 - 1, (degree + 1) ** 2 - 1)
        before = harmonics(degree, directions)
        after = harmonics(degree, turn.apply(directions))
        matrix[block, block] = np.linalg.lstsq(after, before, rcond=None)[0]
    return matrix


def harmonics(degree: int, directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the real spherical harmonics of one degree in the order and sign of 3DGS files.

    Args:
        degree: 0 to 3.
        directions: unit vectors, n x 3.

    Returns:
        n x (2 degree + 1), for orders -degree to degree: sqrt(2) times the imaginary part of the
        complex harmonic (Condon-Shortley phase included) for negative orders, the real part for
        positive ones.
    """
    polar = np.arccos(np.clip(directions[:, 2], -1, 1))
    azimuth = np.arctan2(directions[:, 1], directions[:, 0])
    columns = []
    for order in range(-degree, degree + 1):
        value = sph_harm_y(degree, abs(order), polar, azimuth)
        part = value.imag if order < 0 else value.real
        columns.append(part if order == 0 else np.sqrt(2) * part)
    return np.stack(columns, axis=1)
