"""A small room for tests of the tracker: two cameras, things at known places, detections with known noise."""

from dataclasses import replace

import numpy as np

from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import apply, invert, look_at
from or_spatial.perception.perceiver import Detection, Frame, Perception
from or_spatial.scene.objects import Box2D

NS = 1_000_000_000
CAMERA = Camera.from_fov(160, 90, 1.4)
POSES = {
    "ceiling_left": look_at((-3.0, -2.5, 2.6), (0.0, 0.3, 1.0)),
    "ceiling_right": look_at((3.2, -2.0, 2.5), (0.0, 0.3, 1.0)),
}
PERSON_M = (0.5, 0.5, 1.7)


class Room:
    """Makes frames and detections; the same seed gives the same noise."""

    def __init__(self, seed=7, sigma_m=0.05, cameras=("ceiling_left", "ceiling_right"), posed=True, calibrated=True):
        self.rng = np.random.default_rng(seed)
        self.sigma_m, self.cameras, self.posed, self.calibrated = sigma_m, cameras, posed, calibrated

    def frame(self, camera, t_s):
        """An image full of noise, which no health check can mistake for a covered lens."""
        image = self.rng.integers(0, 255, (90, 160, 3), dtype=np.uint8)
        return Frame(
            name=camera,
            stamp_ns=round(t_s * NS),
            image=image,
            camera=CAMERA if self.calibrated else None,
            room_from_camera=POSES[camera] if self.posed else None,
        )

    def detection(self, camera, label, center, size=PERSON_M, existence=0.9, sterile=float("nan"), **k):
        """One thing as this camera sees it, with noise of `sigma_m` in its place."""
        at = apply(invert(POSES[camera]), np.array(center)) + self.rng.normal(0.0, self.sigma_m, 3)
        u, v = CAMERA.project(at)
        return Detection(
            label=label,
            existence=existence,
            center_m=at,
            covariance_m2=self.sigma_m**2 * np.eye(3),
            size_m=np.array(size),
            yaw_rad=0.1,
            box=Box2D(camera, u - 8, v - 20, u + 8, v + 20, existence),
            sterile=sterile,
            **k,
        )

    def look(self, t_s, things, only=None, relations=()):
        """(frames, perceptions, stamp) of the cameras (`only`: some of them) at t_s; `things` are (label, center)."""
        cameras = self.cameras if only is None else only
        frames = [self.frame(c, t_s) for c in cameras]
        seen = [Perception(tuple(self.detection(c, *thing) for thing in things), tuple(relations)) for c in cameras]
        return frames, seen, round(t_s * NS)


def changed(perception, index, **k):
    """The same perception with one detection altered."""
    detections = list(perception.detections)
    detections[index] = replace(detections[index], **k)
    return replace(perception, detections=tuple(detections))
