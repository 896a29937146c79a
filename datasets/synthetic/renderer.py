"""Photographs and exact depth of a scene, by Mitsuba 3 (scalar_rgb).

A box filter keeps every pixel to itself: the picture does not depend on the order in which threads
finish, and a pixel is the mean over its own square.
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Float

from recon.datasets.synthetic.camera import Aperture, Pinhole
from recon.datasets.synthetic.dome import dome, look_up
from recon.datasets.synthetic.rays import Rays
from recon.datasets.synthetic.scene import Light, Scene
from recon.datasets.synthetic.shapes import load_mitsuba, shape

_NEAR = 0.05
"""Nothing nearer than this is seen, metres."""
_FAR = 2000.0


class Renderer:
    """A scene made ready for photographs.

    Sun, sky and bounced light are rendered apart and added. The sky is a dome of as many distant
    lights as a pixel has samples; Mitsuba's multijittered samples visit each of them once, so that
    the shade has no grain, only the edges of as many faint shadows.
    """

    def __init__(self, scene: Scene, samples: int) -> None:
        """Build the ray-tracing structures, which takes some seconds; less for parts seen before.

        Args:
            scene: what to photograph.
            samples: lights of the sky's dome, rounded up to a square, which Mitsuba's sampler
                needs; photos take as many rays through each pixel.
        """
        self._mi = load_mitsuba()
        shapes = {f"part {i}": shape(part) for i, part in enumerate(scene.parts)}
        above = {
            f"part {i}": shapes[f"part {i}"] for i, p in enumerate(scene.parts) if not p.is_ground
        }
        light = scene.light
        side = math.isqrt(samples - 1) + 1
        half = (side + 1) // 2
        sky, below = dome(side**2), dome(half**2) * [1.0, 1.0, -1.0]
        radiance = 2 * np.pi / len(sky) * look_up(light.sky, sky)
        bounce = 2 * np.pi / len(below) * np.broadcast_to(light.bounce, below.shape)
        sun = self._distant(np.array([light.to_sun]), np.array([light.sun]))
        sunny = self._world(shapes, sun | self._backdrop(light))
        self.rays = Rays(sunny, scene.parts)
        # Each with the side of its square of samples; as many samples as lights visit each once.
        self._worlds = [(sunny, side)]
        if radiance.any():
            self._worlds.append((self._world(shapes, self._distant(sky, radiance)), side))
        if bounce.any() and above:
            self._worlds.append((self._world(above, self._distant(below, bounce)), half))
        self._direct = self._mi.load_dict(
            {"type": "direct", "emitter_samples": 1, "bsdf_samples": 0}
        )

    def color(
        self,
        camera_to_world: Float[np.ndarray, "4 4"],
        pinhole: Pinhole,
        seed: int,
        aperture: Aperture | None = None,
        finer: int = 1,
    ) -> Float[np.ndarray, "h w 3"]:
        """Photograph the scene, in linear light; without an aperture everything is sharp.

        `finer` squared multiplies the samples per pixel, which a wide aperture needs.
        """
        image = np.zeros((pinhole.height, pinhole.width, 3), dtype=np.float32)
        for world, side in self._worlds:
            sensor = self._sensor(camera_to_world, pinhole, (finer * side) ** 2, aperture)
            image += np.array(
                self._mi.render(world, sensor=sensor, integrator=self._direct, seed=seed)
            )
        return image

    def depth(
        self, camera_to_world: Float[np.ndarray, "4 4"], pinhole: Pinhole
    ) -> Float[np.ndarray, "h w"]:
        """Return z along the optical axis at the centre of each pixel; infinity for sky."""
        rows, columns = np.mgrid[0 : pinhole.height, 0 : pinhole.width] + 0.5
        x = (columns - pinhole.width / 2) / pinhole.focal_length
        y = (rows - pinhole.height / 2) / pinhole.focal_length
        # With z = 1 in the camera's axes, the length along a ray is the depth itself.
        rays = np.stack([x, y, np.ones_like(x)], axis=-1).reshape(-1, 3) @ camera_to_world[:3, :3].T
        origins = np.broadcast_to(camera_to_world[:3, 3], rays.shape)
        return self.rays.distance(origins, rays).reshape(pinhole.height, pinhole.width)

    def _world(self, shapes: dict[str, Any], lights: dict[str, Any]) -> Any:
        return self._mi.load_dict({"type": "scene", **shapes, **lights})

    def _sensor(
        self,
        camera_to_world: Float[np.ndarray, "4 4"],
        pinhole: Pinhole,
        samples: int,
        aperture: Aperture | None,
    ) -> Any:
        # Mitsuba's cameras have x to the left and y up; forward is z, as here.
        axes = camera_to_world @ np.diag([-1.0, -1.0, 1.0, 1.0])
        description: dict[str, Any] = {
            "type": "perspective",
            "fov": float(2 * np.degrees(np.arctan(0.5 * pinhole.width / pinhole.focal_length))),
            "fov_axis": "x",
            "near_clip": _NEAR,
            "far_clip": _FAR,
            "to_world": self._mi.ScalarTransform4f(axes),
            "sampler": {"type": "multijitter", "sample_count": samples},
            "film": {
                "type": "hdrfilm",
                "width": pinhole.width,
                "height": pinhole.height,
                "rfilter": {"type": "box"},
                "pixel_format": "rgb",
                "component_format": "float32",
            },
        }
        if aperture is not None:
            description["type"] = "thinlens"
            description["aperture_radius"] = aperture.diameter / 2
            description["focus_distance"] = aperture.focus_distance
        return self._mi.load_dict(description)

    def _distant(
        self, toward: Float[np.ndarray, "n 3"], irradiance: Float[np.ndarray, "n 3"]
    ) -> dict[str, Any]:
        """Describe lights at infinity."""
        return {
            f"light {index}": {
                "type": "directional",
                "direction": (-direction).tolist(),
                "irradiance": {"type": "rgb", "value": value.tolist()},
            }
            for index, (direction, value) in enumerate(zip(toward, irradiance, strict=True))
        }

    def _backdrop(self, light: Light) -> dict[str, Any]:
        """Describe the sky that cameras see, which lights nothing."""
        if not light.sky.any():
            return {}
        # Mitsuba's environments have y up, and their middle column lies at +z.
        axes = np.array([[0.0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
        backdrop = {
            "type": "envmap",
            "bitmap": self._mi.Bitmap(light.sky),
            "to_world": self._mi.ScalarTransform4f(axes),
            "sampling_weight": 0.0,
        }
        return {"backdrop": backdrop}
