"""All that a fit learns and a picture needs: Gaussians, what is behind them, and exposure."""

from dataclasses import dataclass, field, replace

from recon.backdrop import Backdrop
from recon.exposure import AsTaken, Exposure
from recon.gaussians import Gaussians
from recon.raster.interface import Rasterizer, Render
from recon.types import Camera, ThinLens, View


@dataclass(frozen=True, eq=False)
class Scene:
    """A scene on the rasterizer's device."""

    gaussians: Gaussians
    """In the frame of the cameras."""
    backdrop: Backdrop
    exposure: Exposure = field(default_factory=AsTaken)

    def draw(
        self,
        rasterizer: Rasterizer,
        camera: Camera,
        *,
        taken_as: View | None = None,
        sh_degree: int = 3,
        lens: ThinLens | None = None,
        median: bool = False,
    ) -> Render:
        """Draw one picture.

        Args:
            rasterizer: draws the Gaussians; see `Rasterizer.render` for what is not said here.
            camera: at the resolution to draw.
            taken_as: the view whose exposure the picture gets; that of the scene where None.
            sh_degree: harmonics above this degree are ignored, 0 to 3.
            lens: blurs the Gaussians; the backdrop stays sharp, as it has no detail to lose.
            median: whether to compute the median depth.
        """
        render = rasterizer.render(
            self.gaussians,
            camera,
            sh_degree=sh_degree,
            background=self.backdrop.flat,
            lens=lens,
            median=median,
        )
        render = self.backdrop.complete(render, camera)
        if taken_as is None:
            return render
        return replace(render, color=self.exposure.apply(render.color, taken_as))
