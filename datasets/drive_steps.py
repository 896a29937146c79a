"""Which time steps of a drive are read."""

from recon.datasets.drive_source import DriveOptions
from recon.errors import UsageError


def choose_steps(count: int, options: DriveOptions) -> range:
    """Return the time steps to read.

    Args:
        count: how many there are, counted from 0.
        options: the user's wishes.

    Raises:
        UsageError: none is left.
    """
    first, last = options.frames or (0, count - 1)
    if options.stride < 1:
        raise UsageError(f"--drive.stride {options.stride}: expected 1 or more.")
    steps = range(max(first, 0), min(last, count - 1) + 1, options.stride)
    if not steps:
        raise UsageError(
            f"--drive.frames {first} {last}: no such time step; there are 0 to {count - 1}."
        )
    return steps
