from dataclasses import replace

import numpy as np
import pytest

from or_spatial.errors import ImageError
from or_spatial.geometry.boxes import OrientedBox
from or_spatial.geometry.camera import Camera
from or_spatial.scene import AlertState, Family, SceneGraph, Severity, SpatialRelation
from or_spatial.visual.canvas import Canvas, Chip
from or_spatial.visual.overlay import OverlayStyle, banner_words, box_corners, draw_graph, front_edges, project_edge
from or_spatial.visual.overlay import relations_to_draw as chosen
from or_spatial.visual.palette import CATEGORY, SEVERITY, object_rgb

BARE = OverlayStyle(labels=False, width_px=640)


def grey(width=640, height=360):
    return np.full((height, width, 3), 120, np.uint8)


def near_colour(picture, pixel, rgb, reach=3):
    """Whether a pixel close to this one has nearly this colour."""
    u, v = (round(c) for c in pixel)
    patch = picture[max(0, v - reach) : v + reach + 1, max(0, u - reach) : u + reach + 1].astype(int)
    return patch.size > 0 and np.abs(patch - rgb).max(axis=-1).min() < 40


def test_a_box_is_drawn_where_it_projects(small_room, wall_camera):
    camera, room_from_camera = wall_camera
    robot = small_room.find("robot")
    picture = draw_graph(grey(), SceneGraph(stamp_ns=0, objects=(robot,)), camera, room_from_camera, style=BARE)
    corners = (np.linalg.inv(room_from_camera) @ np.c_[box_corners(robot), np.ones(8)].T)[:3].T
    for i, j in ((0, 1), (1, 2), (4, 5), (2, 6), (3, 7)):
        middle = camera.project((corners[i] + corners[j]) / 2.0 if not camera.distorted else corners[i])
        along = (camera.project(corners[i]) + camera.project(corners[j])) / 2.0
        assert near_colour(picture, along, object_rgb(robot)), (i, j, middle)


def test_an_empty_graph_leaves_the_image_as_it_is(wall_camera):
    np.testing.assert_array_equal(draw_graph(grey(), SceneGraph(stamp_ns=0), *wall_camera, style=BARE), grey())


def test_the_input_image_is_not_changed(small_room, wall_camera):
    image = grey()
    draw_graph(image, small_room, *wall_camera)
    np.testing.assert_array_equal(image, grey())


def test_convention_enlarging_keeps_pixel_centres(small_room, wall_camera):
    """A box drawn into a picture of twice the size stands at 2 u + 0.5: (0, 0) is a pixel's centre, not its corner."""
    camera, room_from_camera = wall_camera
    twice = camera.scaled(1280, 720)
    np.testing.assert_allclose(twice.project([0.3, -0.2, 2.0]), 2 * camera.project([0.3, -0.2, 2.0]) + 0.5)
    picture = draw_graph(grey(), small_room, camera, room_from_camera, style=replace(BARE, width_px=1280))
    assert picture.shape == (720, 1280, 3)


def test_a_box_behind_the_camera_is_not_drawn(small_room, wall_camera):
    camera, room_from_camera = wall_camera
    behind = room_from_camera[:3, 3] - 2.0 * room_from_camera[:3, 2]
    ghost = replace(small_room.find("robot"), center_m=tuple(behind))
    picture = draw_graph(grey(), SceneGraph(stamp_ns=0, objects=(ghost,)), camera, room_from_camera, style=BARE)
    np.testing.assert_array_equal(picture, grey())


def test_an_edge_through_the_image_plane_is_cut_in_front_of_it():
    camera = Camera.from_fov(640, 360, 1.2)
    line = project_edge(np.array([0.1, 0.0, -1.0]), np.array([0.1, 0.0, 2.0]), camera)
    assert np.isfinite(line).all()
    np.testing.assert_allclose(line[-1], camera.project([0.1, 0.0, 2.0]))
    assert project_edge(np.array([0.1, 0.0, -1.0]), np.array([0.1, 0.0, -2.0]), camera) is None


def test_a_lens_with_distortion_bends_the_edge():
    straight = Camera.from_fov(640, 360, 1.2)
    bent = Camera(straight.K, 640, 360, (-0.3, 0.05, 0.0, 0.0))
    a, b = np.array([-0.8, 0.4, 2.0]), np.array([0.8, 0.4, 2.0])
    line = project_edge(a, b, bent)
    np.testing.assert_allclose(line[[0, -1]], bent.project(np.array([a, b])))
    assert len(line) > 2 and np.ptp(line[:, 1]) > 1.0


def test_without_a_camera_the_2d_box_of_that_camera_is_drawn(small_room, boxed):
    visitor = replace(small_room.find("visitor"), boxes=(boxed,))
    graph = SceneGraph(stamp_ns=0, objects=(visitor,))
    picture = draw_graph(grey(), graph, camera_name="cam_a", style=BARE)
    assert near_colour(picture, (102, 50), object_rgb(visitor))
    np.testing.assert_array_equal(draw_graph(grey(), graph, camera_name="cam_b", style=BARE), grey())


def test_a_hazard_outlines_its_objects_and_fills_a_banner(small_room, breach, wall_camera):
    picture = draw_graph(grey(), small_room, *wall_camera, alerts=[breach], style=BARE)
    vermilion = np.array(SEVERITY[Severity.HIGH])
    assert (np.abs(picture[2].astype(int) - vermilion).max(axis=-1) < 5).mean() > 0.9
    assert (np.abs(picture[60:].astype(int) - vermilion).max(axis=-1) < 30).sum() > 100
    cleared = draw_graph(
        grey(), small_room, *wall_camera, alerts=[replace(breach, state=AlertState.CLEARED)], style=BARE
    )
    assert not (np.abs(cleared.astype(int) - vermilion).max(axis=-1) < 5).any()


def test_the_banner_says_how_bad_what_and_who_has_seen_it(breach):
    assert banner_words(breach) == "!  HIGH  unscrubbed person at the sterile field  (p 0.91)"
    held = replace(breach, state=AlertState.ACKNOWLEDGED, acknowledged_by="Kim")
    assert banner_words(held).endswith("acknowledged by Kim")


def relation(predicate, confidence, family=Family.ACTION, subject="a", target="b"):
    return SpatialRelation(
        subject_id=subject, predicate=predicate, object_id=target, family=family, confidence=confidence
    )


def test_actions_come_before_contacts_and_the_surest_first():
    some = [
        relation("on", 0.99, Family.GEOMETRIC, target="c"),
        relation("holding", 0.5, target="c", subject="b"),
        relation("drilling", 0.8),
        relation("touching", 0.99, Family.GEOMETRIC, subject="b", target="a"),
        relation("near", 0.99, Family.GEOMETRIC),
        relation("sawing", 0.2),
        relation("cutting", 0.9, target="elsewhere"),
    ]
    assert [r.predicate for r in chosen(some, {"a", "b", "c"}, OverlayStyle())] == ["drilling", "holding", "on"]
    assert len(chosen(some, {"a", "b", "c"}, OverlayStyle(max_relations=1))) == 1


def test_texts_never_cover_each_other():
    canvas = Canvas(grey())
    canvas.strip("a banner", (213, 94, 0), 0)
    for i in range(25):
        canvas.chip(Chip(f"operating table {i}", (300.0 + i, 150.0), (255, 255, 255)))
    rects = [p.rect for p in canvas.place()]
    for i, a in enumerate(rects):
        assert 0 <= a[0] < a[2] <= 640 and 0 <= a[1] < a[3] <= 360
        for b in rects[:i]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


@pytest.mark.parametrize(
    "image", [np.zeros((0, 5, 3), np.uint8), np.zeros((4, 5), np.uint8), np.zeros((4, 5, 3), np.float32)]
)
def test_what_is_not_an_rgb_image_is_refused_with_its_shape(image):
    with pytest.raises(ImageError, match="RGB image"):
        draw_graph(image, SceneGraph(stamp_ns=0))


def test_an_image_of_another_size_than_its_camera_is_refused(wall_camera):
    with pytest.raises(ImageError, match="320x180"):
        draw_graph(grey(320, 180), SceneGraph(stamp_ns=0), *wall_camera)


def test_the_patient_is_not_drawn_like_the_staff(small_room):
    assert object_rgb(small_room.find("patient")) != object_rgb(small_room.find("nurse"))
    assert len(set(CATEGORY.values())) == len(CATEGORY)


def test_from_above_and_aside_nine_of_twelve_edges_are_in_front(small_room, wall_camera):
    camera, room_from_camera = wall_camera
    robot = small_room.find("robot")
    corners = (np.linalg.inv(room_from_camera) @ np.c_[box_corners(robot), np.ones(8)].T)[:3].T
    front = front_edges(corners)
    farthest = int(np.argmax(np.linalg.norm(corners, axis=1)))
    assert len(front) == 9 and all(farthest not in edge for edge in front)


def test_close_to_is_not_drawn_by_default():
    assert not chosen([relation("closeTo", 0.9)], {"a", "b"}, OverlayStyle())
    assert chosen([relation("closeTo", 0.9)], {"a", "b"}, OverlayStyle(quiet=frozenset()))


def test_the_corners_are_those_of_the_geometry_rooms_box(small_room):
    robot = small_room.find("robot")  # yaw 0.5, 0.8 x 0.7 x 1.8 m
    box = OrientedBox(robot.center_m, robot.size_m, robot.yaw_rad)
    corners, middle = box_corners(robot), np.array(robot.center_m)
    assert box.contains(middle + 0.999 * (corners - middle)).all()
    assert not box.contains(middle + 1.001 * (corners - middle)).any()
    assert (corners[:4, 2] == corners[:, 2].min()).all()
