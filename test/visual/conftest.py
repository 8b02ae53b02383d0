import math

import numpy as np
import pytest

from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import look_at
from or_spatial.scene import (
    Box2D,
    Category,
    Family,
    HazardAlert,
    SceneGraph,
    SceneObject,
    Severity,
    SpatialRelation,
)


def thing(name, label, category, center, size, yaw=0.0, **more):
    spread = (0.03, 0.01, 0.0, 0.01, 0.02, 0.0, 0.0, 0.0, 0.02)
    fields = {"covariance_m2": spread, "existence": 0.93, **more}
    return SceneObject(id=name, label=label, category=category, center_m=center, size_m=size, yaw_rad=yaw, **fields)


@pytest.fixture
def small_room():
    """Four staff around a draped table, a robot, an anaesthesia machine; asymmetric on purpose."""
    objects = (
        thing("table", "operating_table", Category.FURNITURE, (0.1, 0.2, 0.5), (2.0, 0.7, 0.95), 0.3, sterile=0.9),
        thing("patient", "patient", Category.PERSON, (0.1, 0.2, 1.05), (1.7, 0.5, 0.25), 0.3),
        thing("nurse", "person", Category.PERSON, (0.9, -0.9, 0.85), (0.5, 0.6, 1.7), 0.4, sterile=0.95),
        thing("surgeon", "person", Category.PERSON, (-0.2, 1.0, 0.9), (0.5, 0.6, 1.8), -0.2, sterile=0.9),
        thing("visitor", "person", Category.PERSON, (1.9, 1.1, 0.86), (0.5, 0.5, 1.72), velocity_m_s=(-0.6, -0.3, 0.0)),
        thing("drill", "drill", Category.INSTRUMENT, (0.1, 0.7, 1.2), (0.25, 0.08, 0.2), 0.9),
        thing("robot", "mako_robot", Category.ROBOT, (-1.6, -0.6, 0.9), (0.8, 0.7, 1.8), 0.5),
        thing("narcosis", "anesthesia_equipment", Category.EQUIPMENT, (-1.6, 1.5, 0.75), (0.7, 0.6, 1.5), -0.4),
    )
    acts = (("surgeon", "drilling", "patient", 0.88), ("surgeon", "holding", "drill", 0.92))
    relations = tuple(
        SpatialRelation(subject_id=a, predicate=p, object_id=b, family=Family.ACTION, confidence=c)
        for a, p, b, c in acts
    )
    contact = SpatialRelation(subject_id="patient", predicate="on", object_id="table", confidence=0.97)
    return SceneGraph(stamp_ns=3_250_000_000, objects=objects, relations=(*relations, contact))


@pytest.fixture
def breach():
    return HazardAlert(
        id="h1",
        rule_id="sterile_breach",
        hazard_type="sterile_breach",
        stamp_ns=3_250_000_000,
        severity=Severity.HIGH,
        confidence=0.91,
        object_ids=("visitor",),
        message="unscrubbed person at the sterile field",
    )


@pytest.fixture
def wall_camera():
    """(camera, room_from_camera) of a camera high on a wall; 640 x 360, fx = fy, off the origin."""
    camera = Camera.from_fov(640, 360, math.radians(75))
    return camera, look_at(np.array([3.4, -2.9, 2.6]), np.array([0.0, 0.3, 0.8]))


@pytest.fixture
def boxed():
    return Box2D(camera="cam_a", xmin=100.0, ymin=50.0, xmax=180.0, ymax=240.0, score=0.8)
