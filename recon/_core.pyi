from torch import Tensor

def isa() -> str: ...
def use_isa(name: str) -> None: ...
def threads() -> int: ...
def adam_step(
    values: Tensor,
    gradients: Tensor,
    mean: Tensor,
    mean_square: Tensor,
    learning_rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    step: int,
) -> None: ...
def photometric(
    rendered: Tensor,
    photo: Tensor,
    mask: Tensor | None,
    ssim_weight: float,
    gradient: Tensor | None,
) -> tuple[float, float]: ...
