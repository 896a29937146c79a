"""Photographs, exact depth and ray queries of a scene, by Mitsuba 3 (scalar_rgb).

A box filter keeps every pixel to itself: the picture does not depend on the order in which threads
finish, and a pixel is the mean over its own square.
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Float

from recon.datasets.synthetic.camera import Aperture, Pinhole
from recon.datasets.synthetic.dome import dome, look_up
from recon.datasets.synthetic.meshes import Mesh
from recon.datasets.synthetic.scene import Light, Material, Part, Scene
from recon.datasets.synthetic.textures import to_bytes
from recon.errors import ResourceError

_NEAR = 0.05
"""Nothing nearer than this is seen, metres."""
_FAR = 2000.0


def load_mitsuba() -> Any:
    """Import Mitsuba and choose its scalar variant, which needs nothing beside itself.

    Raises:
        ResourceError: Mitsuba is not installed.
    """
    try:
        import mitsuba
    except ImportError as error:
        raise ResourceError(
            "synthetic scenes are rendered by Mitsuba 3, which is not installed; "
            "run: pip install 'defocus-recon[synth]'"
        ) from error
    mitsuba.set_variant("scalar_rgb")
    return mitsuba


class Renderer:
    """A scene made ready for photographs.

    Sun, sky and bounced light are rendered apart and added. The sky is a dome of as many distant
    lights as a pixel has samples; Mitsuba's multijittered samples visit each of them once, so that
    the shade has no grain, only the edges of as many faint shadows.
    """

    def __init__(self, scene: Scene, samples: int) -> None:
        """Build the ray-tracing structures, which takes some seconds.

        Args:
            scene: what to photograph.
            samples: lights of the sky's dome, rounded up to a square, which Mitsuba's sampler
                needs; photos take as many rays through each pixel.
        """
        self._mi = load_mitsuba()
        shapes = {f"part {i}": self._shape(part) for i, part in enumerate(scene.parts)}
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
        self._sunny = self._world(shapes, sun | self._backdrop(light))
        # Each with the side of its square of samples; as many samples as lights visit each once.
        self._worlds = [(self._sunny, side)]
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
        return self.distance(origins, rays).reshape(pinhole.height, pinhole.width)

    def distance(
        self, origins: Float[np.ndarray, "n 3"], directions: Float[np.ndarray, "n 3"]
    ) -> Float[np.ndarray, " n"]:
        """Return how far rays go, in lengths of their directions; infinity where they hit nothing.

        About a million rays a second.
        """
        ray, hit = self._mi.Ray3f, self._sunny.ray_intersect_preliminary
        pairs = zip(origins.tolist(), directions.tolist(), strict=True)
        return np.array([hit(ray(o, d)).t for o, d in pairs], dtype=np.float64)

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

    def _shape(self, part: Part) -> Any:
        """Hand a mesh over, with its material."""
        mesh, material = part.mesh, part.material
        uv = mesh.uv / material.size
        if material.texture is None and material.gloss > 0:
            material, uv = _palette(mesh, material.gloss)
        properties = self._mi.Properties()
        properties["bsdf"] = self._mi.load_dict(self._material(material))
        properties["face_normals"] = True
        shape = self._mi.Mesh(
            part.name,
            len(mesh.vertices),
            len(mesh.faces),
            props=properties,
            has_vertex_texcoords=True,
        )
        parameters = self._mi.traverse(shape)
        parameters["vertex_positions"] = mesh.vertices.astype(np.float32).ravel()
        parameters["faces"] = mesh.faces.astype(np.uint32).ravel()
        # Mitsuba counts v from the first row of a texture down.
        parameters["vertex_texcoords"] = (uv * [1, -1]).astype(np.float32).ravel()
        parameters.update()
        if material.texture is None:
            shape.add_attribute("vertex_color", 3, _linear(mesh.colors).ravel())
        return shape

    def _material(self, material: Material) -> dict[str, Any]:
        """Describe a surface; what faces away from the eye looks the same."""
        if material.texture is None:
            color: dict[str, Any] = {"type": "mesh_attribute", "name": "vertex_color"}
        else:
            color = {"type": "bitmap", "bitmap": self._mi.Bitmap(material.texture), "raw": False}
        if material.gloss == 0:
            return {"type": "twosided", "surface": {"type": "diffuse", "reflectance": color}}
        coat = {
            "type": "roughplastic",
            "diffuse_reflectance": color,
            "specular_reflectance": material.gloss,
            "alpha": 0.1,
        }
        return {"type": "twosided", "surface": coat}

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


def _palette(mesh: Mesh, gloss: float) -> tuple[Material, Float[np.ndarray, "v 2"]]:
    """Turn colours of vertices into a texture of one row: Mitsuba's coats ask for one."""
    colors, index = np.unique(to_bytes(mesh.colors[None])[0], axis=0, return_inverse=True)
    u = (index.ravel() + 0.5) / len(colors)
    return Material(colors[None], gloss=gloss), np.stack([u, np.full(len(u), 0.5)], axis=1)


def _linear(srgb: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "v 3"]:
    """Decode sRGB."""
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)
