"""A run on disk: settings, surroundings, checkpoints, metrics and the scene, in one folder."""

import datetime
import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from recon import config
from recon.config import FitSettings
from recon.core import thread_count
from recon.errors import DataError, UsageError
from recon.files import as_resource_error, write_text


@dataclass(frozen=True)
class Run:
    """The folder of one fit; every path in it is named here."""

    path: Path

    @property
    def settings_file(self) -> Path:
        """The resolved settings."""
        return self.path / "config.json"

    @property
    def environment_file(self) -> Path:
        """Versions, command line and data that it was started with."""
        return self.path / "environment.json"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def metrics_file(self) -> Path:
        """One JSON object per line."""
        return self.path / "metrics.jsonl"

    @property
    def scene(self) -> Path:
        """The fitted scene in the source's coordinates."""
        return self.path / "scene.ply"

    @property
    def evaluations(self) -> Path:
        """One folder per protocol."""
        return self.path / "eval"

    def settings(self) -> FitSettings:
        """Read the settings.

        Raises:
            DataError: this is not a run's folder.
        """
        if not self.settings_file.is_file():
            raise DataError(
                f"{self.path}: not a run's folder (no config.json). Expected the folder that "
                "`recon fit` printed."
            )
        return config.from_json(self.settings_file)

    def data_fingerprint(self) -> str:
        """Read the digest of the views that it was started with.

        Raises:
            DataError: environment.json is missing or damaged.
        """
        try:
            return str(json.loads(self.environment_file.read_text())["data_fingerprint"])
        except (OSError, ValueError, KeyError, TypeError) as why:
            raise DataError(
                f"{self.environment_file}: does not say which data the run was fitted to ({why}). "
                "Restore the file, or fit again."
            ) from why

    def record(self, event: dict[str, Any]) -> None:
        """Append one event to the metrics."""
        self._append(self.metrics_file, json.dumps(event))

    def log(self, line: str) -> None:
        """Append one line, with the time, to log.txt."""
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        self._append(self.path / "log.txt", f"{now} {line}")

    def forget_after(self, step: int) -> None:
        """Drop metrics of steps that a resumed fit will take again."""
        if not self.metrics_file.is_file():
            return
        lines = self.metrics_file.read_text().splitlines()
        kept = [line for line in lines if 0 <= _step_of(line) <= step]
        write_text(self.metrics_file, "".join(f"{line}\n" for line in kept))

    def _append(self, path: Path, line: str) -> None:
        try:
            with path.open("a") as file:
                file.write(line + "\n")
        except OSError as why:
            raise as_resource_error(why, path) from why


def create(path: Path | None, settings: FitSettings, surroundings: dict[str, Any]) -> Run:
    """Make the folder of a new run, `runs/<data>/<time>` where no path is given.

    Raises:
        UsageError: the folder holds something already.
        ResourceError: it cannot be written.
    """
    if path is None:
        now = datetime.datetime.now().astimezone().strftime("%Y-%m-%dT%H-%M-%S")
        path = Path("runs") / settings.data.name / now
    run = Run(path)
    if run.settings_file.exists():
        raise UsageError(
            f"{path}: a run is there. Continue it with `recon resume {path}`, or give another "
            "folder with --output."
        )
    if path.exists() and (not path.is_dir() or any(_strangers(path))):
        raise UsageError(f"{path}: exists and is not empty. Give another folder with --output.")
    write_text(run.environment_file, json.dumps(surroundings, indent=2) + "\n")
    write_text(run.settings_file, config.to_json(settings))
    return run


def _strangers(path: Path) -> Iterator[Path]:
    """Yield what a folder holds, but for the traces of a run that was killed while it was made."""
    for found in path.iterdir():
        if found.name != "environment.json" and found.suffix != ".tmp":
            yield found


def surroundings(backend: str, fingerprint: str, seed: int) -> dict[str, Any]:
    """Say where and with what a fit runs."""
    return {
        "argv": sys.argv,
        "seed": seed,
        "data_fingerprint": fingerprint,
        "backend": backend,
        "threads": thread_count(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: _version(name) for name in PACKAGES},
        "commit": _commit(),
        "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    }


PACKAGES = ("defocus-recon", "torch", "numpy", "gsplat", "opencv-python-headless")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Name the commit of a checkout, with a + where files have changed; None outside of one."""
    here = Path(__file__).resolve().parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty=+", "--abbrev=40"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _step_of(line: str) -> int:
    """Read an event's step; -1 for a line that a crash has cut short."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return -1
