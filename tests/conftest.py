import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from photos import MemoryPhoto

from recon.core import HAS_CORE
from recon.evidence.blurred_photos import stack_of
from recon.evidence.coc import CocMap
from recon.evidence.interface import DenseDepth, Evidence, SparseDepth
from recon.evidence.store import FOLDER
from recon.gaussians import Gaussians
from recon.glance import Glance, Neighbour
from recon.raster.reference import ReferenceRasterizer
from recon.supervise import Sample
from recon.types import Camera, ThinLens, View

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


CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]  # fmt: skip


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """A browser that asks the network for nothing and draws WebGL in software, or a skip."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("needs Chromium (apt install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=CHROMIUM_FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session", autouse=True)
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep results between fits where no earlier run of the tests has left any."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER, str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: on pictures of a few pixels, threads only wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=["baseline", "x86-64-v3", "x86-64-v4"])
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the core's kernels by each instruction set that this machine has."""
    if not HAS_CORE:
        pytest.skip("no native core")
    from recon import _core

    try:
        _core.use_isa(request.param)
    except ValueError:
        pytest.skip(f"this machine cannot run {request.param}")
    yield request.param
    _core.use_isa("best")


@pytest.fixture
def sample() -> Sample:
    """A step at 812 of a view of 20 Gaussians, rendered by the reference."""
    generator = torch.Generator().manual_seed(4)

    def random(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    gaussians = Gaussians(
        means=random(20, 3) * torch.tensor([2.0, 1.0, 2.0]) + torch.tensor([-1.0, -0.5, 2.0]),
        quaternions=random(20, 4) - 0.5,
        log_scales=random(20, 3) - 3,
        opacity_logits=random(20) * 4 - 1,
        sh_base=random(20, 1, 3),
        sh_rest=0.1 * random(20, 15, 3),
    ).trainable()
    camera = Camera(torch.eye(4), 30.0, 30.0, 16.0, 12.0, 32, 24)
    photo = (random(24, 32, 3) * 255).to(torch.uint8)
    render = ReferenceRasterizer().render(gaussians, camera)
    view = View("front_0031", camera, MemoryPhoto(photo))
    sky = torch.zeros(24, 32, dtype=torch.bool)
    sky[:9] = True
    places = random(40, 2) * torch.tensor([32.0, 24.0])
    lidar = SparseDepth(places, 2 + 2 * random(40), random(40))
    prior = DenseDepth(2 + 2 * random(24, 32), random(24, 32))
    matched = SparseDepth(
        random(30, 2) * torch.tensor([32.0, 24.0]), 2 + 2 * random(30), random(30)
    )
    coc = CocMap(4 * random(24, 32), 0.5 + random(24, 32), random(24, 32))
    evidence = Evidence(lidar, sky, prior, stack_of(photo), matched, coc)
    lens = ThinLens(torch.tensor(20.0), torch.tensor(0.4))
    pose = torch.eye(4)
    pose[0, 3] = -0.2
    neighbour = Neighbour(camera, Glance(camera.moved(pose), torch.full((24, 32), 1 / 3), 1))
    return Sample(
        812, view, photo, None, render, gaussians, 2.0, evidence, neighbour=neighbour, lens=lens
    )
