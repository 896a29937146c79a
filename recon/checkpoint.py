"""Checkpoints: everything a fit needs to go on as if it had never stopped."""

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from recon.config import SCHEMA
from recon.errors import DataError
from recon.files import as_resource_error, sha256, sync
from recon.gaussians import Gaussians

KEPT = 2
"""How many checkpoints stay on disk, so that one damaged file does not lose a fit."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A fit between two steps."""

    step: int
    """Steps done."""
    seconds: float
    """Time spent optimising."""
    peak_memory_bytes: int
    gaussians: Gaussians
    state: dict[str, Tensor]
    """Optimizers, sky and other parts, densifier, view order and random generator, as named
    tensors."""

    def part(self, name: str) -> dict[str, Tensor]:
        """Return the tensors of the state whose names begin with a part's name, without it."""
        mine = f"{name}."
        return {k.removeprefix(mine): v for k, v in self.state.items() if k.startswith(mine)}


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint beside the others, then drop the oldest.

    The files are complete on disk before the folder gets its name, so that a crash at any moment
    leaves whole checkpoints only.

    Raises:
        ResourceError: it could not be written; earlier checkpoints are intact.
    """
    path = folder / f"step_{checkpoint.step:07d}"
    temporary = folder / f".{path.name}.{os.getpid()}.tmp"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        tensors = {
            "model": checkpoint.gaussians.to(torch.device("cpu")).named(),
            "state": {k: v.detach().cpu() for k, v in checkpoint.state.items()},
        }
        for name, content in tensors.items():
            save_file({k: v.contiguous() for k, v in content.items()}, temporary / _file(name))
            sync(temporary / _file(name))
        meta = {
            "schema": SCHEMA,
            "step": checkpoint.step,
            "seconds": checkpoint.seconds,
            "peak_memory_bytes": checkpoint.peak_memory_bytes,
            "sha256": {name: sha256(temporary / _file(name)) for name in tensors},
        }
        (temporary / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")
        sync(temporary / "meta.json")
        sync(temporary)
        shutil.rmtree(path, ignore_errors=True)
        temporary.rename(path)
        sync(folder)
    except SafetensorError as why:
        raise as_resource_error(_as_os_error(why), path) from why
    except OSError as why:
        raise as_resource_error(why, path) from why
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    for old in _folders(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return path


def load_latest(folder: Path) -> tuple[Checkpoint, list[str]]:
    """Read the newest checkpoint that is whole, and say which newer ones were passed over.

    Raises:
        DataError: there is none, none is whole, or it was written by another version of recon.
    """
    problems: list[str] = []
    for path in reversed(_folders(folder)):
        try:
            return _load(path), problems
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as why:
            problems.append(f"{path}: damaged ({why}), passed over")
    if problems:
        raise DataError("; ".join(problems) + ". None is whole: fit again.")
    raise DataError(f"{folder}: no checkpoint yet. Begin with `recon resume {folder.parent}`.")


def any_in(folder: Path) -> bool:
    """Say whether a checkpoint was ever finished there."""
    return bool(_folders(folder))


def _load(path: Path) -> Checkpoint:
    meta = json.loads((path / "meta.json").read_text())
    if meta["schema"] != SCHEMA:
        raise DataError(
            f"{path}: a checkpoint of schema {meta['schema']}, this recon reads schema {SCHEMA}. "
            "Fit again, or use the version of recon named in environment.json."
        )
    for name, expected in meta["sha256"].items():
        if sha256(path / _file(name)) != expected:
            raise ValueError(f"{_file(name)} does not match its checksum")
    return Checkpoint(
        step=meta["step"],
        seconds=meta["seconds"],
        peak_memory_bytes=meta["peak_memory_bytes"],
        gaussians=Gaussians(**load_file(path / _file("model"))),
        state=load_file(path / _file("state")),
    )


def _file(name: str) -> str:
    return f"{name}.safetensors"


def _folders(folder: Path) -> list[Path]:
    """List the finished checkpoints, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if re.fullmatch(r"step_\d{7,}", p.name))


def _as_os_error(why: SafetensorError) -> OSError:
    """Recover the error number that safetensors reports in words."""
    found = re.search(r"os error (\d+)", str(why), re.IGNORECASE)
    return OSError(int(found.group(1)) if found else 0, str(why))
