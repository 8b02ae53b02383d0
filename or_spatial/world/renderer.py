"""Draws solids as a pinhole camera sees them: linear colour, exact depth, and which solid each pixel shows.

Convention
    depth       along optical z through the CENTRE of the pixel, m; NaN where no surface is met
    instance    index into `solids`, -1 where no surface is met
    distortion  of the camera is ignored: what is drawn is the rectified picture
    randomness  none: the same solids, light, camera and quality give the same pixels

Light reaches a point from area lights with soft shadows and, once bounced, from whatever surfaces surround it
(Cook and Torrance 1982 / GGX highlights, ambient rays as in Zhukov et al. 1998 but tinted by what they meet). Shadows
and ambient light are computed on a coarser grid and carried to the pixels by a joint bilateral filter (Kopf 2007).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import invert
from or_spatial.world.light import Light, Lighting
from or_spatial.world.parts import Solid
from or_spatial.world.raycasting import TriangleRoom, silhouette
from or_spatial.world.shading import Samples, coarse_irradiance, look_up, shade

__all__ = [
    "CameraRays",
    "Light",
    "Lighting",
    "Quality",
    "Rendering",
    "outlines",
    "refined",
    "render",
    "rendering_of",
    "visibility_alone",
]


@dataclass(frozen=True)
class Quality:
    """`shadow_rays` per light and `ambient_rays` per shaded point; `shading_step` pixels between shaded points;
    `edge_samples` extra rays through each pixel on an outline.
    """

    shadow_rays: int = 2
    ambient_rays: int = 4
    shading_step: int = 2
    edge_samples: int = 2


@dataclass(frozen=True)
class Rendering:
    """`linear_rgb` (H, W, 3) float32, 1 = white under the room's light; `depth_m` (H, W) float32; `instance` int16."""

    linear_rgb: NDArray[np.float32]
    depth_m: NDArray[np.float32]
    instance: NDArray[np.int16]


def render(
    solids: Sequence[Solid],
    lighting: Lighting,
    camera: Camera,
    room_from_camera: NDArray[np.float64],
    quality: Quality = Quality(),
) -> Rendering:
    """Draw `solids` (room frame) as seen from `room_from_camera` (4, 4)."""
    room = TriangleRoom(solids)
    view = CameraRays(camera, room_from_camera)
    centres = view.samples(room, view.grid())
    step = quality.shading_step
    coarse = centres.subset(_every(step, camera)) if step > 1 else centres
    light = coarse_irradiance(room, coarse, lighting, _grid_shape(camera, step), quality)

    def painted(samples: Samples) -> NDArray[np.float32]:
        return shade(room, samples, look_up(light, samples, step), lighting)

    colour = painted(centres)
    if quality.edge_samples:
        edges = np.flatnonzero(outlines(room, centres, (camera.height, camera.width)))
        colour[edges] = refined(view, room, centres, colour, edges, quality.edge_samples, painted)
    return rendering_of(room, centres, colour, camera)


def rendering_of(room: TriangleRoom, centres: Samples, colour: NDArray[np.float32], camera: Camera) -> Rendering:
    """A rendering of these colours (H * W, 3), with the depth and identity of what each pixel's centre meets."""
    h, w = camera.height, camera.width
    seen = centres.face >= 0
    instance = np.where(seen, room.face_solid[centres.face] if len(room.faces) else -1, -1).astype(np.int16)
    depth = np.where(seen, centres.depth, np.nan).astype(np.float32)
    return Rendering(colour.reshape(h, w, 3), depth.reshape(h, w), instance.reshape(h, w))


def visibility_alone(solid: Solid, camera: Camera, room_from_camera: NDArray[np.float64]) -> int:
    """Pixels that `solid` would cover if nothing stood before it, clipped to the image; estimated when it is large."""
    box = _pixel_box(solid, camera, room_from_camera)
    if box is None:
        return 0
    left, top, right, bottom = box
    stride = max(1, int(np.sqrt((right - left) * (bottom - top) / 1600)))
    u, v = np.meshgrid(np.arange(left, right, stride), np.arange(top, bottom, stride))
    pixels = np.stack([u, v], -1).reshape(-1, 2).astype(np.float32)
    origins, directions = CameraRays(camera, room_from_camera).rays(pixels)
    return int(silhouette(solid.parts, origins, directions).sum()) * stride * stride


class CameraRays:
    """Rays of a camera in the room frame."""

    def __init__(self, camera: Camera, room_from_camera: NDArray) -> None:
        self.camera = camera
        self.pose = np.asarray(room_from_camera, np.float64)

    def grid(self) -> NDArray[np.float32]:
        """Pixel centres (H * W, 2) of the image, row by row."""
        u, v = np.meshgrid(np.arange(self.camera.width), np.arange(self.camera.height))
        return np.stack([u, v], -1).reshape(-1, 2).astype(np.float32)

    def rays(self, pixels: NDArray) -> tuple[NDArray, NDArray]:
        """Origins and directions (N, 3) with unit optical z through pixels (N, 2)."""
        c = self.camera
        plane = (pixels - (c.cx, c.cy)) / (c.fx, c.fy)
        directions = plane @ self.pose[:3, :2].T + self.pose[:3, 2]
        origins = np.broadcast_to(self.pose[:3, 3], directions.shape)
        return origins.astype(np.float32), directions.astype(np.float32)

    def samples(self, room: TriangleRoom, pixels: NDArray) -> Samples:
        origins, directions = self.rays(pixels)
        return Samples.from_hits(room, room.cast(origins, directions), origins, directions, pixels, self.camera.fx)


def _grid_shape(camera: Camera, step: int) -> tuple[int, int]:
    return -(-camera.height // step), -(-camera.width // step)


def _every(step: int, camera: Camera) -> NDArray[np.int64]:
    """Flat indices of every `step`-th pixel of every `step`-th row."""
    flat = np.arange(camera.height * camera.width).reshape(camera.height, camera.width)
    return flat[::step, ::step].ravel()


def refined(
    rays: CameraRays,
    room: TriangleRoom,
    centres: Samples,
    colour: NDArray[np.float32],
    edges: NDArray[np.int64],
    more: int,
    painted: Callable[[Samples], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Mean colour (E, 3) of the pixels `edges` over their centre and `more` (at most 4) rays beside it, whose colours
    (N, 3) `painted` gives; highlights are clipped.
    """
    offsets = np.float32([(-0.36, -0.12), (0.36, 0.12), (0.12, -0.36), (-0.12, 0.36)])[:more]
    beside = rays.samples(room, (centres.pixels[edges][None] + offsets[:, None]).reshape(-1, 2))
    extra = painted(beside).reshape(len(offsets), -1, 3)
    return (np.minimum(colour[edges], 6) + np.minimum(extra, 6).sum(0)) / (len(offsets) + 1)


def outlines(room: TriangleRoom, samples: Samples, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels (H * W,) whose right or lower neighbour shows another material or solid, depth or direction."""
    if not len(room.faces):
        return np.zeros(shape[0] * shape[1], bool)
    key = np.where(samples.face >= 0, room.face_material[samples.face] * 512 + room.face_solid[samples.face], -1)
    key, depth = key.reshape(shape), samples.depth.reshape(shape)
    normal = samples.geometric.reshape(*shape, 3)
    edge = np.zeros(shape, bool)
    for a, b in (((slice(None), slice(1, None)), (slice(None), slice(-1))), ((slice(1, None),), (slice(-1),))):
        jump = np.abs(depth[a] - depth[b]) > 0.05 * np.minimum(depth[a], depth[b])
        bend = np.einsum("...i,...i", normal[a], normal[b]) < 0.6
        differs = (key[a] != key[b]) | jump | bend
        edge[a] |= differs
        edge[b] |= differs
    return edge.ravel()


def _pixel_box(solid: Solid, camera: Camera, room_from_camera: NDArray) -> tuple[int, int, int, int] | None:
    """Half-open pixel bounds of a solid within the image, or None when it lies outside."""
    points = solid.vertices
    if not len(points):
        return None
    camera_from_room = invert(room_from_camera)
    z = points @ camera_from_room[2, :3] + camera_from_room[2, 3]
    if z.max() <= 0.01:
        return None
    if z.min() <= 0.01:
        return 0, 0, camera.width, camera.height
    p = points @ camera_from_room[:2, :3].T + camera_from_room[:2, 3]
    uv = p / z[:, None] * (camera.fx, camera.fy) + (camera.cx, camera.cy)
    low = np.clip(np.floor(uv.min(0)), 0, (camera.width, camera.height)).astype(int)
    high = np.clip(np.ceil(uv.max(0)) + 1, 0, (camera.width, camera.height)).astype(int)
    return (int(low[0]), int(low[1]), int(high[0]), int(high[1])) if (high > low).all() else None
