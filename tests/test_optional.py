"""What the help says of flags that may be left out, and what they become."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import tyro

from recon.commands.optional import REGISTRY


@dataclass(frozen=True)
class Flags:
    """Flags."""

    steps: int | None = None
    output: Path | None = None


def parsed(*words: str) -> Flags:
    return tyro.cli(Flags, args=words, registry=REGISTRY)


def test_a_flag_left_out_is_none() -> None:
    assert parsed() == Flags()
    assert parsed("--steps", "3", "--output", "x") == Flags(3, Path("x"))


def test_help_and_errors_do_not_talk_of_none_as_a_value(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--help")
    assert "--steps INT" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        parsed("--steps", "many")
    said = capsys.readouterr().err
    assert "many" in said
    assert "None" not in said
