"""Whether a Python of another environment can use an NVIDIA GPU."""

import subprocess

from recon.baselines.program import environment, found

PATIENCE = 120.0
"""Seconds; the first import of torch can take long."""


def lacks_cuda(python: str, package: str) -> str | None:
    """Say why a package cannot run on a GPU there; None where it can.

    Args:
        python: by its name on PATH or its path.
        package: that is imported, with torch.
    """
    path = found(python)
    if path is None:
        return f"{python} is not on PATH. Say which Python has {package}: --command PATH."
    question = f"import {package}, torch; assert torch.cuda.is_available(), 'no CUDA GPU'"
    try:
        asked = [path, "-c", question]
        done = subprocess.run(
            asked, capture_output=True, text=True, check=False, timeout=PATIENCE, env=environment()
        )
    except (OSError, subprocess.TimeoutExpired) as why:
        return f"{path}: does not run ({why}). Say which Python has {package}: --command PATH."
    if done.returncode != 0:
        said = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        return f"{path}: cannot use {package} on a GPU ({said})."
    return None
