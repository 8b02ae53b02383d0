import sys

import numpy as np
import pytest

from or_spatial.errors import MissingDependency
from or_spatial.visual.markers import MarkerScene, MarkerType
from or_spatial.visual.overlay import box_corners
from or_spatial.visual.rerun_export import RerunFile, _lines


def test_without_the_package_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(MissingDependency, match="pip install rerun-sdk"):
        RerunFile(tmp_path / "x.rrd")


def test_edges_stand_at_the_corners_of_the_turned_box(small_room):
    (edges,) = [m for m in MarkerScene().update(small_room) if m.ns == "edges" and m.position == (-1.6, -0.6, 0.9)]
    assert edges.type == MarkerType.LINE_LIST
    corners = box_corners(small_room.find("robot"))
    for end in _lines(edges).reshape(-1, 3):
        assert np.linalg.norm(corners - end, axis=1).min() < 1e-9


def test_a_file_is_written(small_room, breach, wall_camera, tmp_path):
    pytest.importorskip("rerun", reason="needs rerun-sdk")
    path = tmp_path / "room.rrd"
    with RerunFile(path) as file:
        file.camera("wall", *wall_camera)
        file.image("wall", small_room.stamp_ns, np.zeros((360, 640, 3), np.uint8))
        file.graph(small_room, [breach])
    assert path.stat().st_size > 2000
