"""The native core, when it was built."""

import importlib.util

import torch

HAS_CORE = importlib.util.find_spec("recon._core") is not None

MISSING = (
    "recon: no native core, so rendering is slow. Install a C++ compiler (Debian, Ubuntu: "
    "apt install g++ python3-dev), then install recon again (in a clone: make core)."
)


def thread_count() -> int:
    """Count the threads that render."""
    if not HAS_CORE:
        return torch.get_num_threads()
    from recon import _core

    return _core.threads()
