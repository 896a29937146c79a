"""Values in a JSON file, each of which knows its place, so that errors can name it."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from recon.errors import DataError


@dataclass(frozen=True)
class JsonNode:
    """A value in a JSON file."""

    file: Path
    place: str
    """Such as samples[3].datum_keys; empty for the whole file."""
    value: object

    @staticmethod
    def load(file: Path) -> "JsonNode":
        """Read a file.

        Raises:
            DataError: it is missing, or no JSON.
        """
        try:
            return JsonNode(file, "", json.loads(file.read_text(encoding="utf-8-sig")))
        except FileNotFoundError as error:
            raise DataError(f"{file}: no such file; copy it again from the data set.") from error
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(
                f"{file}: cannot be read as JSON ({error}); copy it again from the data set."
            ) from error

    def find(self, key: str) -> "JsonNode | None":
        """Return the value of a key, or None where the object lacks it or says null."""
        value = self.fields().get(key)
        return None if value is None else JsonNode(self.file, self.below(key), value)

    def get(self, key: str) -> "JsonNode":
        """Return the value of a key.

        Raises:
            DataError: there is none.
        """
        found = self.find(key)
        if found is None:
            raise DataError(
                f"{self.file}: `{self.below(key)}` is missing; copy the file again from the data "
                "set."
            )
        return found

    def items(self) -> list["JsonNode"]:
        """Return the values of a list."""
        if not isinstance(self.value, list):
            raise self.unlike("a list")
        return [
            JsonNode(self.file, f"{self.place}[{i}]", value) for i, value in enumerate(self.value)
        ]

    def members(self) -> dict[str, "JsonNode"]:
        """Return the values of an object by key."""
        return {
            key: JsonNode(self.file, self.below(key), value) for key, value in self.fields().items()
        }

    def text(self) -> str:
        """Return a text that is not empty."""
        if not isinstance(self.value, str) or not self.value:
            raise self.unlike("a text")
        return self.value

    def number(self) -> float:
        """Return a finite number."""
        if isinstance(self.value, int | float) and not isinstance(self.value, bool):
            try:
                number = float(self.value)
            except OverflowError:
                number = math.inf
            if math.isfinite(number):
                return number
        raise self.unlike("a finite number")

    def whole(self) -> int:
        """Return a whole number; protocol buffers write large ones as texts."""
        try:
            return int(self.label())
        except ValueError as error:
            raise self.unlike("a whole number") from error

    def label(self) -> str:
        """Return a number or a text as it identifies something."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | str):
            raise self.unlike("a whole number or a text")
        return str(self.value)

    def fields(self) -> dict[str, object]:
        """Return an object."""
        if not isinstance(self.value, dict):
            raise self.unlike("an object")
        return self.value

    def below(self, key: str) -> str:
        """Return the place of a key's value."""
        return f"{self.place}.{key}" if self.place else key

    def unlike(self, expected: str) -> DataError:
        """Return the error of a value that is something else than expected."""
        where = f"`{self.place}`" if self.place else "the file"
        return DataError(
            f"{self.file}: {where} is {str(self.value)[:40]!r}, expected {expected}; copy the file "
            "again from the data set."
        )
