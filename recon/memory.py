"""How much memory this process has used at most, and whether an error says that it ran out."""

import errno
import resource
import sys

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
