from collections.abc import Sequence

from torch import Tensor

def isa() -> str: ...
def use_isa(name: str) -> None: ...
def threads() -> int: ...
def use_threads(count: int) -> None: ...
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
def from_stack(images: Tensor, cocs: Sequence[float], coc: Tensor, result: Tensor) -> None: ...
def from_stack_backward(
    images: Tensor, cocs: Sequence[float], coc: Tensor, gradient: Tensor, coc_gradient: Tensor
) -> None: ...

DEFOCUS_ROWS: int

class DefocusKernels:
    def __init__(
        self,
        cubics: Tensor,
        gauge: Tensor,
        radius: int,
        bell: bool,
        even: bool,
        reach: float,
        spacing: float,
        same: float,
        apart: float,
    ) -> None: ...

class DefocusWorkspace:
    def __init__(self) -> None: ...

def defocus_forward(
    workspace: DefocusWorkspace,
    kernels: DefocusKernels,
    image: Tensor,
    coc: Tensor,
    encoded: bool,
    differentiable: bool,
    blurred: Tensor,
) -> None: ...
def defocus_backward(
    workspace: DefocusWorkspace,
    kernels: DefocusKernels,
    image: Tensor,
    coc: Tensor,
    encoded: bool,
    blurred: Tensor,
    gradient: Tensor,
    image_gradient: Tensor | None,
    coc_gradient: Tensor | None,
) -> None: ...
def recycled(shape: Sequence[int]) -> Tensor: ...

class RasterWorkspace:
    def __init__(self) -> None: ...

def raster_forward(
    workspace: RasterWorkspace,
    gaussians: Sequence[Tensor],
    world_to_camera: Tensor,
    intrinsics: tuple[float, float, float, float],
    size: tuple[int, int],
    sh_degree: int,
    background: tuple[float, float, float],
    lens: tuple[float, float] | None,
    images: Sequence[Tensor | None],
    radii: Tensor,
) -> None: ...
def raster_backward(
    workspace: RasterWorkspace,
    gaussians: Sequence[Tensor],
    images: Sequence[Tensor | None],
    image_gradients: Sequence[Tensor | None],
    gradients: Sequence[Tensor | None],
    offsets_gradient: Tensor | None,
) -> tuple[list[float], list[float]]: ...
