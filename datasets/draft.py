"""A new folder that appears with all that belongs into it, or not at all."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from recon.errors import UsageError

Progress = Callable[[str, int, int], None]
"""Called with the name of what is done, how much is, and how much there will be."""


@contextmanager
def draft(output: Path) -> Iterator[Path]:
    """Lend a folder beside a new one, which becomes the new one when the block ends well.

    Raises:
        UsageError: the folder exists and is not empty.
    """
    output = output.absolute()
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise UsageError(f"{output} exists and is not empty; choose a new folder")
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        folder.chmod(0o755)
        yield folder
        folder.replace(output)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
