"""Names of views as names of files: readable, safe on any disk, and unique."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

LONGEST = 100
"""Characters; longer names are cut, and told apart by their digest."""


def file_stems(names: Sequence[str]) -> dict[str, str]:
    """Return a file name without suffix for every view, in the order given.

    The photo's suffix goes, and whatever is not a letter or digit of ASCII, a dot, a dash or an
    underscore becomes an underscore. Names that would then be the same, also on disks that do not
    tell upper from lower case, all get a part of the digest of the full name.

    Args:
        names: each once.
    """
    stems = {name: _plain(name) for name in names}
    uses = Counter(stem.casefold() for stem in stems.values())
    return {
        name: stem if uses[stem.casefold()] == 1 and stem else f"{stem}-{_digest(name)}".lstrip("-")
        for name, stem in stems.items()
    }


def bare_name(name: str) -> str:
    """Return a view's name without the suffix of its photo's file, where it ends in one."""
    suffix = PurePosixPath(name).suffix
    return name.removesuffix(suffix) if re.fullmatch(r"\.[A-Za-z]{3,4}", suffix) else name


def _plain(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", bare_name(name)).strip("._-")
    return plain if len(plain) <= LONGEST else f"{plain[:LONGEST]}-{_digest(name)}"


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:12]
