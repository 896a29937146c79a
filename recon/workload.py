"""What of a capture decides how much memory a fit takes, and how long."""

from dataclasses import dataclass, replace

from recon.types import Capture


@dataclass(frozen=True)
class Workload:
    """The training views of a capture, in numbers."""

    width: int
    """Of the widest view."""
    height: int
    """Of the same view."""
    views: int
    all_pixels: int
    """Of all views together."""
    points: int
    """To begin with; 0 where there are none."""
    swept: int = 0
    """How many views have LiDAR of their time step that may supervise them."""
    drive: bool = False

    @staticmethod
    def of(capture: Capture) -> "Workload":
        """Return a capture's."""
        cameras = [view.camera for view in capture.train]
        widest = max(cameras, key=lambda camera: camera.width * camera.height)
        swept = {sweep.step for sweep in capture.training_sweeps}
        return Workload(
            widest.width,
            widest.height,
            len(cameras),
            sum(camera.width * camera.height for camera in cameras),
            0 if capture.points is None else len(capture.points),
            sum(view.step in swept for view in capture.train),
            any(view.step is not None for view in capture.train),
        )

    @property
    def pixels(self) -> int:
        """Of the largest view."""
        return self.width * self.height

    def at_width(self, width: int) -> "Workload":
        """Return that of the same views at another size."""
        scale = width / self.width
        return replace(
            self,
            width=width,
            height=round(scale * self.height),
            all_pixels=round(scale**2 * self.all_pixels),
        )
