"""A room of known people and cameras for tests of boxes: what an ideal detector would draw."""

import numpy as np

from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import look_at
from or_spatial.perception.box_views import BoxView
from or_spatial.perception.person_shape import PersonShape

SHAPE = PersonShape(
    torso_height_m=1.20,
    torso_height_spread_m=0.06,
    top_m=0.50,
    top_spread_m=0.05,
    half_width_m=0.28,
    side_spread_m=0.05,
    foot_m=0.0,
    foot_spread_m=0.08,
    hidden_top=0.02,
    hidden_side=0.03,
    hidden_bottom=0.5,
    posture_outlier=0.05,
    jitter_px=1.0,
    score_bias=0.0,
    score_slope=1.0,
    seen_clear=0.95,
    seen_covered=0.5,
    people_per_m2=0.1,
    existence_bias=1.5,
    existence_slope=0.35,
    existence_per_miss=-1.6,
    least_score=0.2,
)
CAMERA = Camera(np.array([[560.0, 0, 402.5], [0, 548.0, 301.5], [0, 0, 1.0]]), 800, 600)
LENS = Camera(CAMERA.K, 800, 600, (-0.05, 0.01, 0.001, -0.002))
CORNERS = [(3.1, 2.7, 2.6), (-2.9, 2.4, 2.5), (-3.0, -2.8, 2.7), (2.8, -3.1, 2.4), (0.2, 3.6, 2.8), (-0.3, -3.7, 2.6)]
MIDDLE = (0.15, -0.1, 1.0)


def drawn(torso, camera, room_from_camera):
    """Box (4,) px of one person: an upright cross of axis and width at the torso, projected point by point, cut."""
    R, t = room_from_camera[:3, :3], room_from_camera[:3, 3]
    x, y, z = torso
    across = R[:, 0] * SHAPE.half_width_m
    points = np.array([torso - across, torso + across, [x, y, z + SHAPE.top_m], [x, y, SHAPE.foot_m]])
    (left, _), (right, _), (_, top), (_, bottom) = camera.project((points - t) @ R)
    far = np.array([camera.width, camera.height] * 2) - 0.5
    return np.clip([left, top, right, bottom], -0.5, far)


def seen_by(people, eyes, camera=CAMERA, misses=(), scores=0.97):
    """Views of people (P, 3) from cameras at `eyes`; `misses` are (camera, person) pairs without a box."""
    views = []
    for c, eye in enumerate(eyes):
        pose = look_at(eye, MIDDLE)
        boxes = [drawn(np.array(p), camera, pose) for i, p in enumerate(people) if (c, i) not in misses]
        views.append(BoxView(f"camera_{c}", camera, pose, np.array(boxes).reshape(-1, 4), np.full(len(boxes), scores)))
    return views
