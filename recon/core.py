"""The native core, when it was built."""

import importlib.util

HAS_CORE = importlib.util.find_spec("recon._core") is not None

MISSING = (
    "recon: no native core, so rendering is slow. Install a C++ compiler (Debian, Ubuntu: "
    "apt install g++ python3-dev), then install recon again (in a clone: make core)."
)
