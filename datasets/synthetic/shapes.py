"""Meshes and their materials, handed to Mitsuba 3 (scalar_rgb)."""

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float

from recon.datasets.synthetic.meshes import Mesh
from recon.datasets.synthetic.scene import Material, Part
from recon.datasets.synthetic.textures import to_bytes
from recon.errors import ResourceError


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


_ROUGHNESS = 0.3
"""Of coats: so wide that the few lights which stand for sky and ground leave no glints."""
_SHAPES: WeakKeyDictionary[Part, Any] = WeakKeyDictionary()


def shape(part: Part) -> Any:
    """Return a part as Mitsuba has it, made once however many scenes hold it."""
    if part not in _SHAPES:
        _SHAPES[part] = _hand_over(load_mitsuba(), part)
    return _SHAPES[part]


def _hand_over(mi: Any, part: Part) -> Any:
    """Copy a mesh, with its material."""
    mesh, material = part.mesh, part.material
    uv = mesh.uv / material.size
    if material.texture is None and material.gloss > 0:
        material, uv = _palette(mesh, material.gloss)
    properties = mi.Properties()
    properties["bsdf"] = mi.load_dict(_surface(mi, material))
    properties["face_normals"] = True
    made = mi.Mesh(
        part.name,
        len(mesh.vertices),
        len(mesh.faces),
        props=properties,
        has_vertex_texcoords=True,
    )
    parameters = mi.traverse(made)
    parameters["vertex_positions"] = mesh.vertices.astype(np.float32).ravel()
    parameters["faces"] = mesh.faces.astype(np.uint32).ravel()
    # Mitsuba counts v from the first row of a texture down.
    parameters["vertex_texcoords"] = (uv * [1, -1]).astype(np.float32).ravel()
    parameters.update()
    if material.texture is None:
        made.add_attribute("vertex_color", 3, _linear(mesh.colors).ravel())
    return made


def _surface(mi: Any, material: Material) -> dict[str, Any]:
    """Describe a surface; what faces away from the eye looks the same."""
    if material.texture is None:
        color: dict[str, Any] = {"type": "mesh_attribute", "name": "vertex_color"}
    else:
        color = {"type": "bitmap", "bitmap": mi.Bitmap(material.texture), "raw": False}
    if material.gloss == 0:
        return {"type": "twosided", "surface": {"type": "diffuse", "reflectance": color}}
    coat = {
        "type": "roughplastic",
        "diffuse_reflectance": color,
        "specular_reflectance": material.gloss,
        "alpha": _ROUGHNESS,
    }
    return {"type": "twosided", "surface": coat}


def _palette(mesh: Mesh, gloss: float) -> tuple[Material, Float[np.ndarray, "v 2"]]:
    """Turn colours of vertices into a texture of one row: Mitsuba's coats ask for one."""
    colors, index = np.unique(to_bytes(mesh.colors[None])[0], axis=0, return_inverse=True)
    u = (index.ravel() + 0.5) / len(colors)
    return Material(colors[None], gloss=gloss), np.stack([u, np.full(len(u), 0.5)], axis=1)


def _linear(srgb: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "v 3"]:
    """Decode sRGB."""
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)
