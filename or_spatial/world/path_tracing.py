"""A second renderer: the same room, light and camera drawn by path tracing in Mitsuba 3, an extra.

A model that learnt from one renderer may have learnt its habits. This one shares the solids, the lights, the patterns
of surfaces and the sensor, and nothing of how light travels: every bounce is traced (Kajiya 1986), ceiling panels are
the lights that they look like, a surgical lamp is a ring of spots as real ones are, plastic and steel follow Burley's
principled model (SIGGRAPH 2012). Cloth has no fine folds here. Depth and identities are those of `renderer`, exactly.

    pip install mitsuba
"""

import functools
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from or_spatial.errors import MissingDependency
from or_spatial.geometry.camera import Camera
from or_spatial.world.light import FIELD_RADIUS_M, Light, Lighting
from or_spatial.world.parts import Solid
from or_spatial.world.raycasting import TriangleRoom
from or_spatial.world.renderer import CameraRays, Rendering, outlines, refined, rendering_of
from or_spatial.world.shading import Irradiance, Samples, look_up, smoothed, surfaces

Array = NDArray[np.float32]

_PANEL = "ceiling_light"
_SPOTS = 9  # a lamp's light points
_LEAST_BASE = 0.02  # a surface darker than this is not divided by its colour
_BRIGHTEST = 60.0  # a lit field; more is a path by chance
_OF_OUTLINES = 0.01  # weight of a pixel on an outline among its neighbours
_WITHIN = 4  # more rays through a pixel on an outline
_SMOOTHINGS = 3
_EXPOSURE = 2.1
"""What our renderer's picture has over the traced one, by their medians on 14 val frames (1.9 to 2.5): the light it
guesses between surfaces is bright, and the cameras of the rig are set for it."""
_OPTICAL_TO_MITSUBA = np.diag([-1.0, -1.0, 1.0, 1.0])  # its cameras look along +z with x to the left and y up


@dataclass(frozen=True)
class PathQuality:
    """`paths` through each pixel, of at most `bounces` segments; `threads` of Mitsuba."""

    paths: int = 8
    bounces: int = 5
    threads: int = 1


def path_trace(
    solids: Sequence[Solid],
    lighting: Lighting,
    camera: Camera,
    room_from_camera: NDArray[np.float64],
    quality: PathQuality = PathQuality(),
) -> Rendering:
    """Draw `solids` (room frame) as seen from `room_from_camera` (4, 4), as `renderer.render` does.

    Paths carry light to plain surfaces. What arrives is smoothed within each surface, as noise would else decide what a
    network sees (and reflections blur with it), then takes the surface's pattern; outlines are the mean of more rays.

    Raises:
        MissingDependency: Mitsuba is not installed.
        ValueError: a camera whose pixels are not square or whose axis is off the middle.
    """
    _checked(camera)
    room = TriangleRoom(solids)
    rays = CameraRays(camera, room_from_camera)
    centres = rays.samples(room, rays.grid())
    if not (centres.face >= 0).any():
        return rendering_of(room, centres, np.zeros((len(centres.face), 3), np.float32), camera)
    shape = (camera.height, camera.width)
    edges = np.flatnonzero(outlines(room, centres, shape))
    light = _arriving(room, centres, edges, _traced(room, lighting, camera, room_from_camera, quality))
    field = Irradiance(np.zeros((len(light), 0), np.float32), light, shape, centres)

    def painted(samples: Samples) -> Array:
        return _coloured(room, samples, look_up(field, samples, 1).ambient, lighting)

    colour = painted(centres)
    colour[edges] = refined(rays, room, centres, colour, edges, _WITHIN, painted)
    return rendering_of(room, centres, colour, camera)


def require_mitsuba() -> None:
    """Say at once whether `path_trace` can draw here.

    Raises:
        MissingDependency: Mitsuba is not installed.
    """
    if importlib.util.find_spec("mitsuba") is None:
        raise MissingDependency("the second renderer needs Mitsuba 3; pip install mitsuba")


def _checked(camera: Camera) -> None:
    middle = ((camera.width - 1) / 2, (camera.height - 1) / 2)
    if not np.isclose(camera.fx, camera.fy) or not np.allclose((camera.cx, camera.cy), middle):
        raise ValueError("path tracing draws cameras with square pixels and their axis in the middle of the picture")


def _arriving(room: TriangleRoom, centres: Samples, edges: NDArray[np.int64], traced: Array) -> Array:
    """Light (N, 3) at the centres of the pixels: their colour over that of the plain surface, averaged over neighbours
    on the same surface, again and again. On an outline paths saw several surfaces: it counts where nothing else does.
    """
    shape = traced.shape[:2]
    plain = np.maximum(room.materials.base[room.face_material[centres.face]], _LEAST_BASE)
    light = np.minimum(traced.reshape(-1, 3) / plain, _BRIGHTEST)
    counts = (centres.face >= 0).astype(np.float32)
    counts[edges] *= _OF_OUTLINES
    for _ in range(_SMOOTHINGS):
        field = np.concatenate([light * counts[:, None], counts[:, None]], 1)
        mean = smoothed(field, centres, shape)
        light = mean[:, :3] / np.maximum(mean[:, 3:], 1e-6)
    return _EXPOSURE * light


def _coloured(room: TriangleRoom, samples: Samples, light: Array, lighting: Lighting) -> Array:
    """Colour (N, 3) of samples under this light, with the patterns of their surfaces and what screens emit."""
    colour = np.zeros((len(samples.face), 3), np.float32)
    seen = np.flatnonzero(samples.face >= 0)
    surface = surfaces(room, samples.subset(seen), lighting)
    names = np.array(room.materials.texture)[room.face_material[samples.face[seen]]]
    glow = np.where(names == _PANEL, 0.0, surface.emission)  # panels are lights of the scene already
    colour[seen] = np.maximum(surface.base, 0.0) * (light[seen] + glow[:, None])
    return colour


def _traced(
    room: TriangleRoom, lighting: Lighting, camera: Camera, room_from_camera: NDArray, quality: PathQuality
) -> Array:
    """Linear colour (H, W, 3) that Mitsuba's paths bring, without patterns and without what screens emit."""
    mi = _mitsuba(quality.threads)
    scene: dict[str, Any] = {"type": "scene", "integrator": {"type": "path", "max_depth": quality.bounces}}
    shining = _panels(room)
    if not shining.any():  # a room without a ceiling
        scene["sky"] = {"type": "constant", "radiance": _rgb(lighting.ambient_rgb)}
    scene["sensor"] = {
        "type": "perspective",
        "fov": float(np.degrees(2 * np.arctan(camera.width / (2 * camera.fx)))),
        "fov_axis": "x",
        "near_clip": 0.01,
        "to_world": mi.ScalarTransform4f(np.asarray(room_from_camera, np.float64) @ _OPTICAL_TO_MITSUBA),
        "film": {
            "type": "hdrfilm",
            "width": camera.width,
            "height": camera.height,
            "rfilter": {"type": "box"},
            "pixel_format": "rgb",
            "component_format": "float32",
        },
        "sampler": {"type": "independent", "sample_count": quality.paths},
    }
    scene |= dict(_shapes(mi, room, shining, lighting))
    scene |= dict(_lamps(mi, lighting, ceiling=not shining.any()))
    return np.array(mi.render(mi.load_dict(scene), seed=0), np.float32)


@functools.cache
def _mitsuba(threads: int) -> Any:
    """Mitsuba with the variant that needs no LLVM and no GPU."""
    require_mitsuba()
    import drjit
    import mitsuba

    mitsuba.set_variant("scalar_rgb")
    drjit.set_thread_count(threads)
    return mitsuba


def _shapes(mi: Any, room: TriangleRoom, shining: NDArray[np.bool_], lighting: Lighting) -> Iterator[tuple[str, Any]]:
    """A mesh for each material, and one that shines for the faces (M,) of ceiling panels that look down."""
    for k in range(len(room.materials.base)):
        faces = np.flatnonzero((room.face_material == k) & ~shining)
        if len(faces):
            yield f"material_{k}", _mesh(mi, room, faces, bsdf=mi.load_dict(_bsdf(room, k)))
    if shining.any():
        panels = np.flatnonzero(shining)
        glow = {"type": "area", "radiance": _rgb(_panel_radiance(room, panels, lighting))}
        yield "panels", _mesh(mi, room, panels, emitter=mi.load_dict(glow))


def _panels(room: TriangleRoom) -> NDArray[np.bool_]:
    """(M,) faces of ceiling panels that look down."""
    of_panels = np.array([name == _PANEL for name in room.materials.texture], bool)
    if not len(room.faces):
        return np.zeros(0, bool)
    return of_panels[room.face_material] & (room.face_normals[:, 2] < -0.5)


def _panel_radiance(room: TriangleRoom, panels: NDArray, lighting: Lighting) -> Array:
    """What panels must radiate to send down what the ceiling lights of `lighting` do.

    A `Light` of intensity I counts I / (d^2 + r^2) as irradiance 1 where radiometry counts pi: it is a disc of radiance
    I / r^2, of intensity pi I on its axis.
    """
    a, b, c = (room.vertices[room.faces[panels, k]] for k in range(3))
    area = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()
    lights = [light for light in lighting.lights if not _is_lamp(light)]
    return np.pi / area * sum((light.intensity * np.float32(light.color_rgb) for light in lights), np.zeros(3))


def _bsdf(room: TriangleRoom, k: int) -> dict[str, Any]:
    table = room.materials
    principled = {
        "type": "principled",
        "base_color": _rgb(np.clip(table.base[k], _LEAST_BASE, 0.95)),
        "roughness": float(np.clip(table.roughness[k], 0.08, 1.0)),
        "metallic": float(table.metallic[k]),
        "specular": 0.5,
    }
    return {"type": "twosided", "material": principled}


def _mesh(mi: Any, room: TriangleRoom, faces: NDArray, bsdf: Any = None, emitter: Any = None) -> Any:
    """These faces of the room with their smooth normals."""
    used, corners = np.unique(room.faces[faces], return_inverse=True)
    parts = mi.Properties()
    for name, part in (("mesh_bsdf", bsdf), ("mesh_emitter", emitter)):
        if part is not None:
            parts[name] = part
    mesh = mi.Mesh("mesh", len(used), len(faces), parts, has_vertex_normals=True, has_vertex_texcoords=False)
    held = mi.traverse(mesh)
    held["vertex_positions"] = room.vertices[used].ravel()
    held["vertex_normals"] = room.normals[used].ravel()
    held["faces"] = corners.astype(np.uint32).ravel()
    held.update()
    return mesh


def _lamps(mi: Any, lighting: Lighting, ceiling: bool) -> Iterator[tuple[str, Any]]:
    """The surgical lamps, and with `ceiling` the discs of other lights too, where no panels stand for them."""
    for k, light in enumerate(lighting.lights):
        if _is_lamp(light):
            yield from ((f"lamp_{k}_{j}", spot) for j, spot in enumerate(_spots(mi, light)))
        elif ceiling:
            yield f"light_{k}", _disc(mi, light)


def _is_lamp(light: Light) -> bool:
    return light.spot_angle_rad is not None


def _spots(mi: Any, lamp: Light) -> Iterator[dict[str, Any]]:
    """Spots over the face of a lamp, all aimed at the middle of its field, that together shine as it does."""
    x, y = _across(lamp.axis)
    field = np.asarray(lamp.position) + lamp.axis * FIELD_RADIUS_M / np.tan(lamp.spot_angle_rad)
    intensity = np.pi * lamp.intensity / _SPOTS * np.asarray(lamp.color_rgb)
    for k in range(_SPOTS):
        reach, turn = lamp.radius_m * np.sqrt((k + 0.5) / _SPOTS), 2.399963 * k  # a sunflower's seeds (Vogel 1979)
        at = np.asarray(lamp.position) + reach * (np.cos(turn) * x + np.sin(turn) * y)
        yield {
            "type": "spot",
            "to_world": _looking(mi, at, (field - at) / np.linalg.norm(field - at)),
            "intensity": _rgb(intensity),
            "beam_width": float(np.degrees(lamp.spot_angle_rad)),
            "cutoff_angle": float(min(np.degrees(2.2 * lamp.spot_angle_rad), 85.0)),
        }


def _disc(mi: Any, light: Light) -> dict[str, Any]:
    radiance = light.intensity / light.radius_m**2 * np.asarray(light.color_rgb)
    place = _looking(mi, np.asarray(light.position), light.axis) @ mi.ScalarTransform4f().scale(light.radius_m)
    return {"type": "disk", "to_world": place, "emitter": {"type": "area", "radiance": _rgb(radiance)}}


def _looking(mi: Any, at: NDArray, axis: NDArray) -> Any:
    """The transform that puts +z of a thing at `at` along `axis`."""
    return mi.ScalarTransform4f().look_at(origin=list(at), target=list(at + axis), up=list(_across(axis)[1]))


def _across(axis: NDArray) -> tuple[NDArray, NDArray]:
    """Two directions (3,) at right angles to `axis` and each other."""
    x = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    x /= np.linalg.norm(x)
    return x, np.cross(axis, x)


def _rgb(colour: Any) -> dict[str, Any]:
    return {"type": "rgb", "value": [float(c) for c in colour]}
