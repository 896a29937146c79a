"""One line that says how a fit is doing: redrawn on a terminal, printed now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

import rich.progress
from rich.console import Console

from recon.budget import Budget
from recon.fit import Progress
from recon.memory import peak_memory_bytes

QUIET_SECONDS = 10.0
"""Between lines where the output is not a terminal."""


class ProgressLine:
    """Tells a person on standard error how far a fit is; says nothing when quiet."""

    def __init__(self, budget: Budget, begin: int, quiet: bool) -> None:
        self.budget, self.begin, self.quiet = budget, begin, quiet
        self.console = Console(stderr=True)
        self.began = self.told = time.monotonic()
        self.bar = rich.progress.Progress(
            rich.progress.BarColumn(bar_width=24),
            rich.progress.TextColumn("{task.description}"),
            console=self.console,
            transient=True,
            disable=quiet or not self.console.is_terminal,
        )
        self.task = self.bar.add_task("", total=1.0)

    def __enter__(self) -> "ProgressLine":
        """Begin to draw."""
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""
        self.bar.stop()

    def __call__(self, progress: Progress) -> None:
        """Show the newest numbers."""
        now = time.monotonic()
        text = self._describe(progress, now)
        self.bar.update(self.task, completed=progress.share, description=text)
        if not self.console.is_terminal and not self.quiet and now - self.told > QUIET_SECONDS:
            print(text, file=sys.stderr, flush=True)
            self.told = now

    def _describe(self, progress: Progress, now: float) -> str:
        rate = (progress.step - self.begin) / max(now - self.began, 1e-9)
        left = (1 - progress.share) * progress.seconds / max(progress.share, 1e-9)
        return (
            f"{progress.step}/{self.budget.steps}  {rate:.1f} it/s  {clock(left)} left  "
            f"PSNR {progress.psnr:.2f}  {progress.gaussians:,} Gaussians  "
            f"{peak_memory_bytes() / 2**20:,.0f} MiB"
        )


def clock(seconds: float) -> str:
    """Write a duration as minutes:seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


@contextmanager
def counting(what: str, total: int, quiet: bool = False) -> Iterator[Callable[[object], None]]:
    """Draw a bar on a terminal's standard error, and give the function that moves it on by one."""
    console = Console(stderr=True)
    hidden = quiet or not console.is_terminal
    with rich.progress.Progress(console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task(what, total=total)
        yield lambda _: bar.advance(task)
