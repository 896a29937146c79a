"""The numbers of a fit, as TensorBoard draws them while it runs."""

from pathlib import Path
from types import TracebackType
from typing import Any

from recon.errors import ResourceError
from recon.fit import Progress


class TensorBoard:
    """Writes event files into a folder; `metrics.jsonl` holds the same numbers in any case."""

    def __init__(self, folder: Path) -> None:
        """Open the files.

        Raises:
            ResourceError: TensorBoard is not installed.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as why:
            raise ResourceError(
                "--tensorboard needs the package tensorboard, which is not installed; run: pip "
                "install 'defocus-recon[track]' (metrics.jsonl is written without it)."
            ) from why
        self._writer: Any = SummaryWriter(str(folder))

    def __enter__(self) -> "TensorBoard":
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the files."""
        self._writer.close()

    def __call__(self, progress: Progress) -> None:
        """Add the newest numbers."""
        numbers = {"psnr": progress.psnr, "gaussians": float(progress.gaussians)}
        numbers |= {f"terms/{name}": value for name, value in progress.parts.items()}
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, progress.step)
