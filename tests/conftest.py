import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
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


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: on pictures of a few pixels, threads only wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
