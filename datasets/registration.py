"""Which photos structure from motion gave a pose, how well, and why the others have none."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recon.words import counted

ENOUGH = 30
"""Key points that COLMAP needs to place a photo."""


@dataclass(frozen=True)
class Model:
    """Photos that hang together."""

    folder: str
    """Of COLMAP's files."""
    names: tuple[str, ...]
    points: int
    observations: int
    """Of the points, in all photos together."""
    error_px: float
    """The mean distance of a point from where a photo shows it."""


@dataclass(frozen=True)
class Pair:
    """Two photos that were compared."""

    a: str
    b: str
    matches: int
    """Key points that look alike."""
    agreeing: int
    """Those of them that one motion of the camera explains; 0 where they are too few to count."""

    def other(self, name: str) -> str:
        """Return the one that is not called so."""
        return self.b if self.a == name else self.a


@dataclass(frozen=True)
class Registration:
    """What structure from motion found."""

    key_points: Mapping[str, int]
    """By name of the photo."""
    pairs: tuple[Pair, ...]
    needed: int
    """Matches that agree, for a pair to count."""
    models: tuple[Model, ...]
    """The largest first."""

    @classmethod
    def parse(cls, result: Mapping[str, Any]) -> "Registration":
        """Take what the worker wrote (`recon.datasets.colmap_worker.run`)."""
        models = [Model(**{**m, "names": tuple(m["names"])}) for m in result["models"]]
        return cls(
            result["key_points"],
            tuple(Pair(*pair) for pair in result["pairs"]),
            result["needed"],
            tuple(sorted(models, key=lambda model: -len(model.names))),
        )

    @property
    def placed(self) -> tuple[str, ...]:
        """The photos of the largest model."""
        return self.models[0].names if self.models else ()

    def why_not(self, name: str) -> str:
        """Say why a photo is not in the largest model."""
        if name not in self.key_points:
            return "COLMAP cannot read it; save it as JPEG or PNG"
        if self.key_points[name] < ENOUGH:
            found = counted(self.key_points[name], "key point")
            return f"too few matches: only {found}; it is blurred, dark or bare"
        compared = [pair for pair in self.pairs if name in (pair.a, pair.b)]
        joined = {pair.other(name): pair.agreeing for pair in compared if pair.agreeing}
        if not joined:
            return self._unmatched(name, compared)
        for model in self.models[1:]:
            if name in model.names:
                others = counted(len(model.names) - 1, "photo")
                return f"not connected: {others} and it make a model apart from the largest"
        known = {other: count for other, count in joined.items() if other in self.placed}
        if not known:
            return f"not connected: it matches only {listed(joined)}, without a pose as well"
        best = max(known, key=lambda other: known[other])
        return (
            f"too few matches: {known[best]} with {best} at most, and too few of them are points "
            "seen from two places"
        )

    def why_nothing(self) -> str:
        """Say why there is no model."""
        good = [pair for pair in self.pairs if pair.agreeing]
        if not good:
            most = max((pair.matches for pair in self.pairs), default=0)
            return (
                f"no two photos show enough of the same: at most {counted(most, 'key point')} look "
                f"alike, and {self.needed} must agree. Take photos that overlap by two thirds, "
                "sharp, of a place with texture"
            )
        return (
            f"{counted(len(good), 'pair')} of photos match, but none from two places far enough "
            "apart. Walk between photos: turning on the spot, or one view again and again, shows "
            "no depth"
        )

    def _unmatched(self, name: str, compared: list[Pair]) -> str:
        best = max(compared, key=lambda pair: pair.matches, default=None)
        if best is None or best.matches == 0:
            return "too few matches: no other photo shows the same"
        return (
            f"too few matches: {best.matches} with {best.other(name)} at most, of which fewer "
            f"than {self.needed} agree"
        )


def listed(names: Mapping[str, int]) -> str:
    """Write the first names."""
    first = list(names)[:3]
    return ", ".join(first) + (", ..." if len(names) > len(first) else "")
