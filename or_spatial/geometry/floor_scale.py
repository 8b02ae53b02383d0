"""The floor in a depth map as a ruler: a camera's height is known, so the floor tells how far off the depth's scale is,
and nothing lies below it.

Gravity and height are the camera's own (extrinsics), so that a level plane has one number only, its depth below the
camera. Every ray that points down votes for the scale that would put its surface on the floor, and the largest
consensus wins: RANSAC (Fischler and Bolles, CACM 24(6), 1981) with all one-point samples instead of some. Planes whose
tilt is free too were tried and are worse: a depth map's bend is taken for tilt.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.camera import Camera
from or_spatial.geometry.mounting import mounting

_LOWEST_SLOPE = 0.15  # of a ray, down per metre along z: flatter ones see the floor far away or not at all
_FARTHEST = 0.4  # log scale: beyond, a tabletop would be taken for the floor
_BIN, _WITHIN = 0.02, 0.04  # of log scale
_ON_FLOOR = 0.06  # of log depth: what seems so little above is mostly the floor; 0.04 to 0.15 do as well on val


@dataclass(frozen=True)
class FloorScale:
    """What to multiply depth with so that the floor lies at height 0, and the `share` of all rays that saw it."""

    factor: float
    share: float

    def damped(self, half: float) -> float:
        """The factor as far as it is to be trusted: by half (of its logarithm) when a share `half` saw the floor.

        The fewer saw it, the more likely was it something else, and the less of the picture does it speak for.
        """
        return float(self.factor ** (self.share / (self.share + half)))


def floor_scale(
    depth_m: NDArray[np.floating], camera: Camera, room_from_camera: NDArray[np.float64] | None
) -> FloorScale | None:
    """The scale of a depth map (h, w), m along optical z, NaN or 0 where unknown, by the floor; None without one.

    `camera` is that of the depth map; the room's z = 0 is the floor.
    """
    slope, height_m = _falls(camera, room_from_camera)
    if height_m <= 0.0:
        return None
    with np.errstate(invalid="ignore"):
        votes = (slope > _LOWEST_SLOPE) & (depth_m > 0.0)
    wanted = np.log(height_m / (slope[votes] * depth_m[votes]))
    wanted = wanted[np.abs(wanted) < _FARTHEST]
    if not len(wanted):
        return None
    edges = np.arange(-_FARTHEST, _FARTHEST + 0.5 * _BIN, _BIN)
    counts = np.convolve(np.histogram(wanted, edges)[0], np.ones(3), "same")
    middle = edges[int(np.argmax(counts))] + 0.5 * _BIN
    agreeing = wanted[np.abs(wanted - middle) < _WITHIN]
    return FloorScale(float(np.exp(np.median(agreeing))), len(agreeing) / depth_m.size)


def onto_floor(
    depth_m: NDArray[np.floating], camera: Camera, room_from_camera: NDArray[np.float64] | None
) -> NDArray[np.floating]:
    """A depth map (h, w), m, that knows the floor: what lies below is put on it, what lies a little above drawn to it.

    The share by which something is drawn there, in logarithms, is a half at 5 % of its depth and 2 % at 12 %. As it was
    where the camera's height is not known.
    """
    slope, height_m = _falls(camera, room_from_camera)
    if height_m <= 0.0:
        return depth_m
    down = (slope > 0.0) & (depth_m > 0.0)  # NaN compares False
    above = np.minimum(np.log(slope[down] * depth_m[down] / height_m), 0.0)
    out = depth_m.copy()
    drawn = np.exp(-np.square(above / _ON_FLOOR))
    out[down] = height_m / slope[down] * np.exp((1.0 - drawn) * above)
    return out


def _falls(camera: Camera, room_from_camera: NDArray[np.float64] | None) -> tuple[NDArray[np.float64], float]:
    """How far each pixel's ray comes down per metre along z (h, w), and the camera's height, m, 0.0 when unknown."""
    viewer_from_camera, height_m = mounting(room_from_camera)
    return -(camera.pixel_rays() @ viewer_from_camera[2]), height_m
