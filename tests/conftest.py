import os
from pathlib import Path

import pytest
from hypothesis import settings

# Machines that are busy make the first example slow; a deadline would only find that.
settings.register_profile("recon", deadline=None)
settings.load_profile("recon")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout, or a skip."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("RECON_SHARED", beside))
    if not (folder / "data").is_dir():
        pytest.skip(f"no real data at {folder} (set RECON_SHARED)")
    return folder
