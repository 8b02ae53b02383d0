"""What moves while the shutter is open is smeared along its way in the picture.

The picture is drawn at the middle of the exposure; depth, identities and truth are of that moment. Each pixel of a
person, or of an instrument, takes the way of the nearest vertex of its solid, found by drawing up that solid a moment
later; everything else moves as its entity rolls. The colour of a pixel becomes the mean along its way, as in the
reconstruction filters of real-time graphics (McGuire et al. 2012).
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import apply
from or_spatial.world.renderer import Rendering
from or_spatial.world.simulation import Entity, Simulation, WorldState, is_instrument

_AHEAD_S = 0.04  # between the two moments that tell a velocity
_LEAST_PX = 0.4  # a shorter way cannot be seen
_MOST_PX = 24.0
_TAPS = 9


def moved_while_open(
    simulation: Simulation,
    state: WorldState,
    rendering: Rendering,
    camera: Camera,
    room_from_camera: NDArray[np.float64],
    shutter_s: float,
) -> NDArray[np.float32]:
    """The light (H, W, 3) of a rendering of `state`, gathered while the shutter is open for `shutter_s`."""
    velocity = surface_velocity(simulation, state, rendering, camera, room_from_camera)
    way = ways(velocity, rendering.depth_m, camera, room_from_camera) * shutter_s
    return smeared(rendering.linear_rgb, way.astype(np.float32))


def surface_velocity(
    simulation: Simulation,
    state: WorldState,
    rendering: Rendering,
    camera: Camera,
    room_from_camera: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Velocity (H, W, 3) m/s in the room of what each pixel shows; 0 where nothing moves."""
    velocity = np.zeros((*rendering.instance.shape, 3))
    later: WorldState | None = None
    for k, entity in enumerate(state.entities):
        mask = rendering.instance == k
        if entity.id in state.placed or not mask.any():
            continue
        if entity.label == "person" or is_instrument(entity.id):
            later = later or simulation.state(min(state.time_s + _AHEAD_S, simulation.duration_s))
            points = _seen_points(mask, rendering.depth_m, camera, room_from_camera)
            velocity[mask] = _of_nearest_vertex(entity, later, points, later.time_s - state.time_s)
        else:
            velocity[mask, :2] = entity.velocity[:2]
    return velocity


def ways(
    velocity: NDArray[np.float64],
    depth_m: NDArray[np.float32],
    camera: Camera,
    room_from_camera: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Velocity (H, W, 2) px/s in the picture of surfaces that move in the room."""
    seen = velocity @ room_from_camera[:3, :3]
    z = np.where(np.isfinite(depth_m), depth_m, np.inf)[..., None]
    v, u = np.mgrid[0 : camera.height, 0 : camera.width]
    ray = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy], -1)
    return (seen[..., :2] - ray * seen[..., 2:]) * (camera.fx, camera.fy) / z


def smeared(light: NDArray[np.float32], way: NDArray[np.float32]) -> NDArray[np.float32]:
    """Light (H, W, 3) averaged along ways (H, W, 2), px; what moves also spreads over the ground that it passes."""
    length = np.linalg.norm(way, axis=-1)
    if length.max() < _LEAST_PX:
        return light
    way = way * np.minimum(1.0, _MOST_PX / np.maximum(length, 1e-6))[..., None]
    way = _spread(way, (length >= _LEAST_PX).astype(np.float32), float(min(length.max(), _MOST_PX)))
    rows, columns = np.mgrid[0 : light.shape[0], 0 : light.shape[1]].astype(np.float32)
    gathered = np.zeros_like(light)
    for part in np.linspace(-0.5, 0.5, _TAPS, dtype=np.float32):
        x, y = columns + part * way[..., 0], rows + part * way[..., 1]
        gathered += cv2.remap(light, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return gathered / _TAPS


def _spread(way: NDArray[np.float32], moves: NDArray[np.float32], reach_px: float) -> NDArray[np.float32]:
    """The ways, carried half the longest of them over what lies beside."""
    size = 2 * int(np.ceil(reach_px / 2)) + 1
    near = cv2.blur(moves, (size, size))
    carried = cv2.blur(way * moves[..., None], (size, size)) / np.maximum(near, 1e-6)[..., None]
    return np.where(moves[..., None] > 0, way, np.where(near[..., None] > 1e-3, carried, 0)).astype(np.float32)


def _seen_points(
    mask: NDArray[np.bool_], depth_m: NDArray[np.float32], camera: Camera, room_from_camera: NDArray[np.float64]
) -> NDArray[np.float64]:
    v, u = np.nonzero(mask)
    z = depth_m[mask].astype(float)
    return apply(room_from_camera, np.stack([(u - camera.cx) / camera.fx * z, (v - camera.cy) / camera.fy * z, z], -1))


def _of_nearest_vertex(
    entity: Entity, later: WorldState, points: NDArray[np.float64], seconds: float
) -> NDArray[np.float64]:
    """Velocity (N, 3) of the vertex nearest to each point; 0 where the solid is not made of the same ones later."""
    there = later.entity(entity.id)
    now = entity.solid.vertices
    if there is None or seconds <= 0 or there.solid.vertices.shape != now.shape:
        return np.zeros_like(points)
    return ((there.solid.vertices - now) / seconds)[cKDTree(now).query(points)[1]]
