from pathlib import Path

import pytest

from recon.config import FitSettings
from recon.errors import DataError, ResourceError, UsageError
from recon.files import remove, write_text
from recon.run import Run, create

SETTINGS = FitSettings(data=Path("somewhere")).resolved()


def test_a_run_that_was_killed_while_it_was_made_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "environment.json").write_text("{")
    (tmp_path / ".config.json.12.tmp").write_text("{")
    run = create(tmp_path, SETTINGS, {"data_fingerprint": "ab"})
    assert run.settings() == SETTINGS
    assert run.data_fingerprint() == "ab"


def test_a_folder_in_use_is_refused_with_advice_that_helps(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("five years")
    with pytest.raises(UsageError, match="--output") as error:
        create(tmp_path, SETTINGS, {})
    assert "resume" not in str(error.value)
    create(tmp_path / "run", SETTINGS, {})
    with pytest.raises(UsageError, match="recon resume"):
        create(tmp_path / "run", SETTINGS, {})


@pytest.mark.parametrize("content", [None, "{", "{}", "[]"])
def test_an_environment_that_cannot_be_read_is_named(tmp_path: Path, content: str | None) -> None:
    run = create(tmp_path, SETTINGS, {})
    run.environment_file.unlink()
    if content is not None:
        run.environment_file.write_text(content)
    with pytest.raises(DataError, match=r"environment\.json"):
        run.data_fingerprint()


def test_what_lies_below_a_file_is_neither_written_nor_removed(tmp_path: Path) -> None:
    """As on a read-only disk, nothing can be cleaned up after the failure either."""
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ResourceError, match="--output"):
        write_text(tmp_path / "file" / "below", "x")
    with pytest.raises(ResourceError, match="below"):
        remove(tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == "kept"
    assert not Run(tmp_path).settings_file.exists()
