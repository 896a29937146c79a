"""How much memory there is, how much a fit may take, and whether an error says that it ran out."""

import errno
import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

RAN_OUT = (
    "not enough memory",
    "can't allocate memory",
    "out of memory",
    "outofmemory",
    "insufficient memory",
    "failed to allocate",
    "bad_alloc",
)
"""What libraries say in errors of their own kinds: torch on CPU and GPU, OpenCV, C++."""
SHARE = 1 / 3
"""Of the memory that is free, what decoded photos may take."""
GROUP = Path("/sys/fs/cgroup")
"""Where a container's limit stands."""


@dataclass(frozen=True)
class MemorySettings:
    """How much memory a fit may take."""

    photos: float | None = None
    """GiB of decoded photos to keep; what does not fit is decoded again when it is needed. A third
    of what is free when the fit begins where not given."""
    regardless: bool = False
    """Begin even where more memory is forecast than is free."""

    def photo_bytes(self) -> int:
        """Return how many bytes of decoded photos to keep."""
        if self.photos is None:
            return int(SHARE * available_memory_bytes())
        return int(self.photos * 2**30)


def available_memory_bytes() -> int:
    """Return how much memory this process may still take without swapping.

    Where the system does not say, it is half of what the machine has.
    """
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    free = _numbers(Path("/proc/meminfo")).get("MemAvailable:", half // 1024) * 1024
    try:
        limit = int((GROUP / "memory.max").read_text())
        used = int((GROUP / "memory.current").read_text())
    except (OSError, ValueError):  # No container, or one without a limit.
        return free
    # Files that were read count as used, and give way.
    files = _numbers(GROUP / "memory.stat").get("inactive_file", 0)
    return max(0, min(free, limit - used + files))


def memory_bytes() -> int:
    """Return how much memory this process holds now; its peak where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return peak_memory_bytes()
    return pages * os.sysconf("SC_PAGE_SIZE")


def _numbers(file: Path) -> dict[str, int]:
    """Read the first number behind each name; nothing where there is no such file."""
    try:
        rows = [line.split() for line in file.read_text().splitlines()]
    except OSError:
        return {}
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}


def peak_memory_bytes() -> int:
    """Return the largest resident size of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak if sys.platform == "darwin" else 1024 * peak


def ran_out_of_memory(error: BaseException) -> bool:
    """Say whether an error means that memory ran out; libraries do not agree on its class."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    words = str(error).lower()
    return any(phrase in words for phrase in RAN_OUT)
