"""The optimizer of a fit."""

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim.adam import adam

from recon.core import HAS_CORE

if HAS_CORE:
    from recon import _core


class Adam(torch.optim.Optimizer):
    """Adam (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1) for large tensors on a plain CPU.

    Its groups and its state ("step", "exp_avg", "exp_avg_sq") are those of `torch.optim.Adam`, so
    either loads what the other saved, and gsplat's densification can edit them. A step gives the
    same bytes for any number of threads.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-15,
    ) -> None:
        """Prepare to optimise.

        Args:
            params: leaves of one device each; sparse gradients are not supported.
            lr: the learning rate; `param_groups[i]["lr"]` may be changed between steps.
            betas: how much of the mean, and of the mean square, a step keeps; below 1.
            eps: added to the root of the mean square. The default is that of 3DGS, whose
                gradients are far smaller than torch's 1e-8 expects.
        """
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    # Torch's own two methods below would load its compiler, which takes seconds.

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimise more tensors, with settings of their own or those of the others."""
        params = param_group["params"]
        listed = [params] if isinstance(params, Tensor) else list(params)
        self.param_groups.append({**self.defaults, **param_group, "params": listed})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or set them to 0."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if set_to_none:
                    parameter.grad = None
                elif parameter.grad is not None:
                    parameter.grad.zero_()

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Move every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    rates = group["lr"], group["betas"], group["eps"]
                    self._move(parameter, parameter.grad, *rates)
        return loss

    def _move(
        self,
        parameter: Tensor,
        gradient: Tensor,
        lr: float,
        betas: tuple[float, float],
        eps: float,
    ) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        values, steps = parameter.detach(), state["step"]
        mean, mean_square = state["exp_avg"], state["exp_avg_sq"]
        if HAS_CORE and all(map(_is_native, (values, gradient, mean, mean_square))):
            steps += 1
            _core.adam_step(values, gradient, mean, mean_square, lr, *betas, eps, int(steps))
            return
        adam(
            params=[values],
            grads=[gradient],
            exp_avgs=[mean],
            exp_avg_sqs=[mean_square],
            max_exp_avg_sqs=[],
            state_steps=[steps],
            amsgrad=False,
            beta1=betas[0],
            beta2=betas[1],
            lr=lr,
            weight_decay=0,
            eps=eps,
            maximize=False,
        )


def _is_native(tensor: Tensor) -> bool:
    on_cpu = tensor.device.type == "cpu" and tensor.dtype == torch.float32
    return on_cpu and tensor.is_contiguous()
