"""Adam against torch.optim.Adam, and under gsplat's densification."""

import copy

import pytest
import torch
from torch.nn import Parameter

from recon.optimizer import Adam

EPSILON = 1e-15


def gradients(shape, steps, seed=1, dtype=torch.float32):
    """Gradients of very different sizes, some of them exactly 0, as rare Gaussians have."""
    generator = torch.Generator().manual_seed(seed)
    size = torch.rand(shape, generator=generator, dtype=dtype) ** 16
    for _ in range(steps):
        drawn = torch.randn(shape, generator=generator, dtype=dtype) * size
        yield drawn * (torch.rand(shape, generator=generator) > 0.2)


def start(shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def run(optimizer, parameter, steps, seed=1):
    for gradient in gradients(parameter.shape, steps, seed, parameter.dtype):
        parameter.grad = gradient
        optimizer.step()


@pytest.mark.parametrize("shape", [(1,), (1001, 3), (40_000,)])
def test_equals_torch_over_fifty_steps(instruction_set, shape):
    ours, theirs = Parameter(start(shape)), Parameter(start(shape).double())
    optimizer, oracle = Adam([ours], lr=0.01), torch.optim.Adam([theirs], lr=0.01, eps=EPSILON)
    for gradient in gradients(shape, 50):
        ours.grad, theirs.grad = gradient, gradient.double()
        optimizer.step()
        oracle.step()
    # 50 steps of at most about 0.01, each rounded to float32, move a number of size 1.
    torch.testing.assert_close(ours.double(), theirs, rtol=0, atol=50 * 2**-23)
    state, expected = optimizer.state[ours], oracle.state[theirs]
    assert state.keys() == expected.keys()
    assert state["step"] == expected["step"] == 50
    for key in ("exp_avg", "exp_avg_sq"):
        error = (state[key] - expected[key]).abs()
        assert (error <= 1e-5 * expected[key].abs() + 1e-6 * state[key].abs().max()).all()


def test_gives_the_same_bytes_for_any_number_of_threads(instruction_set):
    from recon import _core

    threads = _core.threads()
    outcomes = []
    try:
        for count in (1, 2, 3):
            _core.use_threads(count)
            parameter = Parameter(start((100_003,)))
            run(Adam([parameter], lr=0.01), parameter, 5)
            outcomes.append(parameter.detach().numpy().tobytes())
    finally:
        _core.use_threads(threads)
    assert outcomes[0] == outcomes[1] == outcomes[2]


@pytest.mark.parametrize(
    "tensor",
    [start((30, 5), torch.float64), start((30, 5)).t()],
    ids=["float64", "not contiguous"],
)
def test_takes_what_the_core_does_not(tensor):
    ours, theirs = Parameter(tensor.clone()), Parameter(tensor.clone())
    run(Adam([ours], lr=0.01), ours, 10)
    run(torch.optim.Adam([theirs], lr=0.01, eps=EPSILON, foreach=False), theirs, 10)
    torch.testing.assert_close(ours, theirs)


def test_parameter_without_gradient_stays():
    still, moving = Parameter(torch.ones(3)), Parameter(torch.ones(3))
    optimizer = Adam([still, moving], lr=0.1)
    moving.grad = torch.ones(3)
    optimizer.step()
    assert torch.equal(still.detach(), torch.ones(3))
    assert still not in optimizer.state
    torch.testing.assert_close(moving.detach(), torch.full((3,), 0.9))


def test_resumes_from_its_own_state_and_from_torchs():
    whole = Parameter(start((500,)))
    optimizer = Adam([whole], lr=0.01)
    run(optimizer, whole, 10)
    saved, state = whole.detach().clone(), copy.deepcopy(optimizer.state_dict())
    run(optimizer, whole, 10, seed=2)

    resumed = Parameter(saved.clone())
    continued = Adam([resumed], lr=1.0)
    continued.load_state_dict(state)
    run(continued, resumed, 10, seed=2)
    assert torch.equal(resumed, whole)

    plain = Parameter(start((500,)))
    theirs = torch.optim.Adam([plain], lr=0.01, eps=EPSILON)
    run(theirs, plain, 10)
    taken = Adam([plain], lr=0.01)
    taken.load_state_dict(theirs.state_dict())
    run(taken, plain, 10, seed=2)
    torch.testing.assert_close(plain, whole, rtol=0, atol=1e-5)


def test_learning_rate_may_change_between_steps():
    parameter = Parameter(torch.zeros(2))
    optimizer = Adam([parameter], lr=1.0)
    for lr, expected in [(1.0, -1.0), (0.25, -1.25)]:
        optimizer.param_groups[0]["lr"] = lr
        parameter.grad = torch.ones(2)
        optimizer.step()
        # A constant gradient makes every step as long as the learning rate.
        torch.testing.assert_close(parameter.detach(), torch.full((2,), expected))


def test_step_runs_a_closure_with_gradients():
    parameter = Parameter(torch.full((2,), 3.0))
    optimizer = Adam([parameter], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = parameter.square().sum()
        loss.backward()
        return float(loss.detach())

    assert optimizer.step(closure) == 18
    torch.testing.assert_close(parameter.detach(), torch.full((2,), 2.5))


def test_gsplat_densification_edits_its_state():
    from gsplat.strategy.ops import duplicate, remove

    parameters = {"means": Parameter(start((6, 3)))}
    optimizers = {"means": Adam([parameters["means"]], lr=0.01)}
    run(optimizers["means"], parameters["means"], 3)
    kept = {k: v.clone() for k, v in optimizers["means"].state[parameters["means"]].items()}

    duplicate(parameters, optimizers, {}, torch.tensor([False, True, False, False, False, True]))
    state = optimizers["means"].state[parameters["means"]]
    assert parameters["means"].shape == state["exp_avg"].shape == (8, 3)
    assert torch.equal(state["exp_avg"][:6], kept["exp_avg"])
    assert not state["exp_avg"][6:].any()

    remove(parameters, optimizers, {}, torch.tensor([True] + [False] * 7))
    before = parameters["means"].detach().clone()
    run(optimizers["means"], parameters["means"], 1)
    state = optimizers["means"].state[parameters["means"]]
    assert state["exp_avg_sq"].shape == (7, 3)
    assert state["step"] == 4
    assert (parameters["means"] != before).any()
