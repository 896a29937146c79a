"""What is installed, and under which names."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]


def test_every_package_folder_is_named_and_mapped() -> None:
    named = set(SETUPTOOLS["packages"])
    mapped = {
        name: ROOT / SETUPTOOLS["package-dir"].get(name, name.replace(".", "/")) for name in named
    }
    assert all((folder / "__init__.py").is_file() for folder in mapped.values())
    folders = ("recon", "losses", "datasets", "matching", "networks", "viewer")
    tops = [ROOT / name for name in folders]
    found = {p.parent.resolve() for top in tops for p in top.rglob("__init__.py")}
    assert found == {folder.resolve() for folder in mapped.values()}


@pytest.mark.parametrize(
    "name", ["losses", "datasets", "matching", "networks", "viewer", "core", "tests"]
)
def test_no_folder_is_importable_by_its_bare_name(name: str) -> None:
    """A bare `datasets` would be taken for, or overwrite, another project's package."""
    program = (
        f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is not None)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], cwd="/", check=False)
    assert done.returncode == 0


def test_importing_recon_settles_how_openmp_waits() -> None:
    program = "import os, recon, sys; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], cwd="/", capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[1] == "False"
