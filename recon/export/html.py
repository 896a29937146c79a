"""`scene.html`: one file that shows the splats in any browser, without Python or a network.

The page is viser's client, as it lies in the installed package, with the scene inside. A policy in
its head forbids it to load anything else.
"""

import html
import warnings
from pathlib import Path
from typing import final

import numpy as np
import torch
import viser

from recon.browser_splats import browser_splats
from recon.counter import Counter
from recon.errors import DataError
from recon.export.interface import Exporter, Subject, check_visible
from recon.export.seen_colors import with_seen_colors
from recon.files import write_text
from recon.pictures import as_8_bit
from recon.raster.interface import COVERED
from recon.render import Stage, distance_at
from recon.silence import silent_console
from recon.sky import upwards
from recon.types import Camera, View

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "worker-src data: blob:; connect-src data: blob:; img-src data: blob:; "
    "style-src 'unsafe-inline'; font-src data:"
)
"""The client unpacks itself and its decoders from data: and blob: addresses."""


@final
class Html(Exporter):
    """A page that begins where the first photo was taken.

    As browsers draw it: coarser, each Gaussian in the mean colour in which the photos saw it.
    Positions are those of the working frame, near the origin, because browsers reckon in single
    precision.
    """

    file_name = "scene.html"

    def write(self, subject: Subject, path: Path, counter: Counter) -> str:
        """Write the file; see `Exporter.write`."""
        check_visible(subject.gaussians, path)
        if not subject.views:
            raise DataError(
                f"{path}: not written, because the capture has no training view to begin at; "
                "expected at least one"
            )
        page = _page(subject.stage(), subject.views)
        write_text(path, _titled(page, path.stem))
        size = path.stat().st_size / 1e6
        return f"{size:.1f} MB; opens in a browser from the disk, or from any web server"


def _page(stage: Stage, views: tuple[View, ...]) -> str:
    first = views[0].camera
    with silent_console(), warnings.catch_warnings():
        # It records what is added to it, and need not serve for that; it warns that it does not.
        warnings.simplefilter("ignore", UserWarning)
        server = viser.ViserServer(host="127.0.0.1", port=0, verbose=False)
        server.stop()
        cameras = [view.camera for view in views]
        source = stage.scene.gaussians.to(torch.device("cpu"))
        splats = browser_splats(with_seen_colors(source, cameras))
        server.scene.add_gaussian_splats(
            "/splats", splats.centers, splats.covariances, splats.colors, splats.opacities
        )
        server.scene.set_background_image(_behind(stage, first), format="png")
        _stand(server, stage, first, upwards(cameras))
        return server.get_scene_serializer().as_html(dark_mode=True)


def _stand(server: viser.ViserServer, stage: Stage, camera: Camera, up: torch.Tensor) -> None:
    """Let the page begin at a camera, and turn about what that has in its middle."""
    try:
        distance = distance_at(stage, camera)
    except DataError:
        distance = 1.0
    position = camera.position.detach().cpu().double()
    ahead = camera.world_to_camera[2, :3].detach().cpu().double()
    server.scene.set_up_direction(tuple(up.cpu().tolist()))
    begin = server.initial_camera
    begin.position = tuple(position.tolist())
    begin.look_at = tuple((position + distance * ahead).tolist())
    begin.up = tuple(up.cpu().tolist())
    begin.fov = float(2 * np.arctan(camera.height / 2 / camera.fy))


def _behind(stage: Stage, camera: Camera) -> np.ndarray:
    """Return a picture of the one colour that is most like what is behind the Gaussians."""
    render = stage.draw(camera, sh_degree=0)
    behind = render.color[render.alpha < 1 - COVERED]
    color = behind.median(dim=0).values if len(behind) else stage.scene.backdrop.flat
    return as_8_bit(color.reshape(1, 1, 3))


def _titled(page: str, name: str) -> str:
    """Put the scene's name and the policy into the page's head."""
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}" />'
    page = page.replace("<head>", f"<head>\n    {policy}", 1)
    return page.replace("<title>Viser</title>", f"<title>{html.escape(name)}</title>", 1)
