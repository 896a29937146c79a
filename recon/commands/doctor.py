"""`recon doctor`."""

import os
import platform
import shutil
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from rich.console import Console
from rich.table import Table

from recon.core import HAS_CORE, MISSING
from recon.raster.choose import choose_rasterizer, probe

EXTRAS = {
    "mitsuba": ("synth", "recon data synthesize"),
    "onnxruntime": ("prior", "Metric3D's depth"),
    "pycolmap": ("sfm", "recon data poses"),
    "transformers": ("prior", "Depth Anything's depth"),
}
"""Optional packages: the extra that brings them, and what needs them."""


@dataclass(frozen=True)
class Doctor:
    """Say what works on this machine, which backend renders, and why."""

    def __call__(self) -> None:
        """Print the findings."""
        console = Console(markup=False, highlight=False)
        threads = torch.get_num_threads()
        console.print(f"{platform.platform()}, Python {platform.python_version()}")
        console.print(f"torch {torch.__version__}, {threads} threads, {os.cpu_count()} processors")
        console.print(_core() if HAS_CORE else MISSING)
        table = Table("backend", "works", "why", title="rendering", title_justify="left")
        for report in probe():
            table.add_row(report.name, "yes" if report.works else "no", report.reason)
        console.print(table)
        console.print(f"auto takes: {choose_rasterizer('auto').name}")
        for package, (extra, use) in EXTRAS.items():
            here = "found" if find_spec(package) else f"pip install 'defocus-recon[{extra}]'"
            console.print(f"{package} (for {use}): {here}")
        free = shutil.disk_usage(".").free / 2**30
        console.print(f"free disk here: {free:.0f} GiB")


def _core() -> str:
    from recon import _core

    return f"native core: {_core.isa()}, {_core.threads()} threads"
