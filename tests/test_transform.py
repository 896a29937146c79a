import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from recon.gaussians import Gaussians
from recon.transform import harmonic_rotation, harmonics, transformed
from recon.types import Similarity


def polynomials(d: np.ndarray) -> np.ndarray:
    """The harmonics of degree 1 to 3 as the original 3DGS code spells them."""
    x, y, z = d.T
    c1 = 0.4886025119029199
    c2 = [1.0925484305920792, 0.31539156525252005, 0.5462742152960396]
    c3 = [0.5900435899266435, 2.890611442640554, 0.4570457994644658]
    return np.stack(
        [
            -c1 * y,
            c1 * z,
            -c1 * x,
            c2[0] * x * y,
            -c2[0] * y * z,
            c2[1] * (2 * z**2 - x**2 - y**2),
            -c2[0] * x * z,
            c2[2] * (x**2 - y**2),
            -c3[0] * y * (3 * x**2 - y**2),
            c3[1] * x * y * z,
            -c3[2] * y * (4 * z**2 - x**2 - y**2),
            0.3731763325901154 * z * (2 * z**2 - 3 * x**2 - 3 * y**2),
            -c3[2] * x * (4 * z**2 - x**2 - y**2),
            1.445305721320277 * z * (x**2 - y**2),
            -c3[0] * x * (x**2 - 3 * y**2),
        ],
        axis=1,
    )


def directions(count: int, seed: int = 1) -> np.ndarray:
    d = np.random.default_rng(seed).normal(size=(count, 3))
    return d / np.linalg.norm(d, axis=1, keepdims=True)


def scene(count: int, seed: int = 0) -> Gaussians:
    g = torch.Generator().manual_seed(seed)
    shapes = [(count, 3), (count, 4), (count, 3), (count,), (count, 1, 3), (count, 15, 3)]
    tensors = [torch.randn(s, generator=g, dtype=torch.float64) for s in shapes]
    return Gaussians(*tensors)


def covariance(g: Gaussians) -> np.ndarray:
    r = Rotation.from_quat(g.quaternions.numpy(), scalar_first=True).as_matrix()
    return r @ (np.eye(3) * np.exp(2 * g.log_scales.numpy())[:, None]) @ r.transpose(0, 2, 1)


rotations = st.integers(0, 2**31).map(lambda seed: Rotation.random(rng=seed))


def similarity(turn: Rotation, scale: float, offset: list[float]) -> Similarity:
    return Similarity(
        scale, torch.from_numpy(turn.as_matrix()), torch.tensor(offset, dtype=torch.float64)
    )


def test_the_harmonics_are_those_of_3dgs():
    d = directions(100)
    ours = np.concatenate([harmonics(degree, d) for degree in (1, 2, 3)], axis=1)
    np.testing.assert_allclose(ours, polynomials(d), atol=1e-9)


@given(rotations)
@settings(max_examples=25, deadline=None)
def test_colours_turn_with_the_scene(turn):
    d = directions(40)
    coefficients = np.random.default_rng(3).normal(size=(15, 3))
    before = polynomials(d) @ coefficients
    after = polynomials(turn.apply(d)) @ (harmonic_rotation(turn) @ coefficients)
    np.testing.assert_allclose(after, before, atol=1e-9)


def test_no_rotation_leaves_colours_alone():
    np.testing.assert_allclose(harmonic_rotation(Rotation.identity()), np.eye(15), atol=1e-13)


@given(rotations, st.floats(0.01, 100), st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3))
@settings(max_examples=25, deadline=None)
def test_shapes_follow_the_similarity(turn, scale, offset):
    before = scene(8)
    after = transformed(before, similarity(turn, scale, offset))
    r = turn.as_matrix()
    np.testing.assert_allclose(
        after.means.numpy(), scale * before.means.numpy() @ r.T + offset, rtol=1e-9, atol=1e-9
    )
    np.testing.assert_allclose(
        covariance(after) / scale**2, r @ covariance(before) @ r.T, rtol=1e-8, atol=1e-8
    )
    torch.testing.assert_close(after.opacity_logits, before.opacity_logits)
    torch.testing.assert_close(after.sh_base, before.sh_base)


@given(rotations, st.floats(0.01, 100))
@settings(max_examples=10, deadline=None)
def test_there_and_back_again(turn, scale):
    there = similarity(turn, scale, [1.0, -2.0, 30.0])
    before = scene(5)
    after = transformed(transformed(before, there), there.inverse())
    for name, values in before.named().items():
        if name != "quaternions":
            torch.testing.assert_close(after.named()[name], values, rtol=1e-9, atol=1e-9)
    # A quaternion and its negative are the same rotation.
    np.testing.assert_allclose(covariance(after), covariance(before), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_precision_of_the_input_is_kept_and_gradients_are_not(dtype):
    trainable = scene(3).to(dtype).trainable()
    after = transformed(trainable, Similarity.shift(torch.ones(3)))
    assert all(v.dtype == dtype and not v.requires_grad for v in after.named().values())
