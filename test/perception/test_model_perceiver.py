"""The network as a perceiver: pictures of any shape in, places in the camera frame out, unharmed by bad input."""

import cv2
import numpy as np
import pytest

from or_spatial.geometry.camera import Camera
from or_spatial.geometry.transforms import look_at
from or_spatial.inference.bundle import Bundle
from or_spatial.perception.model import ModelPerceiver, ModelSettings, fit, ray_covariance, select
from or_spatial.perception.perceiver import Frame
from or_spatial.scene.relations import Family

LABELS = ("person", "saw")
ACTIONS = ("holding",)
PREDICATES = ("left_of", "near")
HEIGHT, WIDTH = 64, 112


class Scripted:
    """A session that says the same of every picture and remembers what it was given."""

    backend = "scripted"

    def run(self, inputs, outputs=None):
        self.inputs = inputs
        count = len(inputs["image"])
        said = {
            "depth": np.full((HEIGHT // 4, WIDTH // 4), 3.0),
            "depth_confidence": np.full((HEIGHT // 4, WIDTH // 4), 0.8),
            "center": np.array([[0.5, -0.2, 3.0], [0.4, 0.1, 2.5], [0.5, -0.2, 3.05]]),
            "sigma": np.array([[0.3, 0.1]] * 3),
            "size": np.array([[0.5, 0.6, 1.7], [0.2, 0.1, 0.2], [0.5, 0.6, 1.7]]),
            "yaw": np.array([0.3, 0.0, 0.3]),
            "box": np.array([[10.0, 5.0, 30.0, 60.0], [40.0, 20.0, 50.0, 26.0], [10.0, 5.0, 30.0, 60.0]]),
            "label": np.array([[0.9, 0.1], [0.2, 0.8], [0.9, 0.1]]),
            "existence": np.array([0.9, 0.6, 0.5]),
            "sterile": np.array([0.7, 0.5, 0.7]),
            "action": np.tile([0.1, 0.9], (3, 3, 1)).astype(float),
            "geometric": np.full((3, 3, 2), 0.05),
            "tokens": np.zeros((28, 32)),
        }
        said["action"][0, 1] = [0.8, 0.2]
        said["geometric"][1, 0, 1] = 0.9
        wanted = outputs or said
        return {name: np.repeat(said[name][None].astype(np.float32), count, axis=0) for name in wanted}


@pytest.fixture
def session() -> Scripted:
    return Scripted()


@pytest.fixture
def perceiver(session, tmp_path) -> ModelPerceiver:
    bundle = Bundle(tmp_path, "scripted", "1", HEIGHT, WIDTH, "or_world", LABELS, ACTIONS, PREDICATES)
    return ModelPerceiver(bundle, session=session)


def frame(rows: int = 128, columns: int = 224, camera: bool = True, pose: bool = True) -> Frame:
    return Frame(
        name="cam0",
        stamp_ns=5,
        image=np.full((rows, columns, 3), 200, np.uint8),
        camera=Camera.from_fov(columns, rows, 1.2) if camera else None,
        room_from_camera=look_at([0.5, -3.0, 2.4], [0.0, 0.0, 1.0]) if pose else None,
    )


def test_two_voices_for_one_person_are_one_detection(perceiver):
    (seen,) = perceiver.perceive([frame()])
    assert [d.label for d in seen.detections] == ["person", "saw"]


def test_relations_point_at_the_detections_they_are_about(perceiver):
    (seen,) = perceiver.perceive([frame()])
    sure = {(r.subject, r.predicate, r.object): r for r in seen.relations if r.probability > 0.5}
    assert set(sure) == {(0, "holding", 1), (1, "near", 0)}
    assert sure[0, "holding", 1].family == Family.ACTION


def test_boxes_come_back_in_pixels_of_the_full_picture(perceiver):
    (seen,) = perceiver.perceive([frame(128, 224)])
    box = seen.detections[0].box
    np.testing.assert_allclose((box.xmin, box.ymin, box.xmax, box.ymax), (20.5, 10.5, 60.5, 120.5))


def test_a_square_picture_is_padded_not_squeezed():
    square = fit(frame(200, 200), HEIGHT, WIDTH)
    assert square.scale[0] == pytest.approx(square.scale[1])
    assert square.camera.fx == pytest.approx(square.camera.fy)
    assert (square.image[:, :20] == 115).all() and (square.image[:, 40:70] == 200).all()


def test_a_ray_of_the_full_picture_is_the_same_ray_of_the_fitted_one():
    original = frame(480, 640)
    fitted = fit(original, HEIGHT, WIDTH)
    point = np.array([0.3, -0.4, 2.2])
    full, small = original.camera.project(point), fitted.camera.project(point)
    np.testing.assert_allclose((full + 0.5) * fitted.scale + fitted.shift - 0.5, small, atol=1e-9)


def through_a_bent_lens() -> Frame:
    """A white square on black, seen through a lens that bends lines inwards."""
    camera = Camera(Camera.from_fov(448, 256, 1.6).K, 448, 256, (-0.3, 0.1, 0.0, 0.0))
    image = np.zeros((256, 448, 3), np.uint8)
    corners = camera.project([[-0.9, -0.5, 1.0], [-0.5, -0.5, 1.0], [-0.5, -0.2, 1.0], [-0.9, -0.2, 1.0]])
    cv2.fillPoly(image, [np.round(corners).astype(np.int32)], (255, 255, 255))
    return Frame(name="cam0", stamp_ns=5, image=image, camera=camera)


def test_what_a_bent_lens_saw_lies_where_the_straightened_camera_projects_it():
    fitted = fit(through_a_bent_lens(), 256, 448)
    rows, columns = np.nonzero(fitted.image[..., 0] > 128)
    expected = fitted.camera.project([-0.7, -0.35, 1.0])
    np.testing.assert_allclose([columns.mean(), rows.mean()], expected, atol=1.5)
    assert not fitted.camera.distorted


def test_a_box_comes_back_to_where_the_bent_lens_saw_it():
    seen = through_a_bent_lens()
    fitted = fit(seen, 256, 448)
    rows, columns = np.nonzero(fitted.image[..., 0] > 128)
    box = fitted.full_box(np.array([columns.min(), rows.min(), columns.max(), rows.max()], float), 448, 256)
    true_rows, true_columns = np.nonzero(seen.image[..., 0])
    expected = [true_columns.min(), true_rows.min(), true_columns.max(), true_rows.max()]
    np.testing.assert_allclose(box, expected, atol=4.0)


def test_several_cameras_run_as_one_batch(perceiver, session):
    seen = perceiver.perceive([frame(128, 224), frame(480, 640)])
    assert len(seen) == 2 and session.inputs["image"].shape == (2, HEIGHT, WIDTH, 3)


def test_an_empty_picture_gives_an_empty_perception_and_the_next_one_is_served(perceiver):
    empty = Frame("cam1", 5, np.empty((0, 0, 3), np.uint8))
    nothing, something = perceiver.perceive([empty, frame()])
    assert nothing.detections == () and len(something.detections) == 2


def test_a_camera_of_unknown_mount_says_so_to_the_network(perceiver, session):
    perceiver.perceive([frame(pose=False, camera=False)])
    assert session.inputs["height"].tolist() == [[0.0]]
    assert np.isfinite(session.inputs["intrinsics"]).all()


def test_tokens_are_only_asked_for_on_demand(perceiver):
    assert perceiver.perceive([frame()])[0].tokens is None
    assert perceiver.perceive([frame()], tokens=True)[0].tokens.dtype == np.float16


def test_doubt_is_longest_along_the_ray():
    covariance = ray_covariance(np.array([0.0, 3.0, 4.0]), 0.5, 0.1)
    ray = np.array([0.0, 0.6, 0.8])
    assert ray @ covariance @ ray == pytest.approx(0.25)
    assert covariance[0, 0] == pytest.approx(0.01)


def test_depth_is_corrected_by_how_far_it_is_said_to_be(session, tmp_path):
    fitted = {"depth_factors": {"at_m": [1.0, 9.0], "factor": [1.0, 0.81]}}  # 3 m is half-way in logarithms
    bundle = Bundle(tmp_path, "scripted", "1", HEIGHT, WIDTH, "or_world", LABELS, ACTIONS, PREDICATES, fitted)
    (corrected,) = ModelPerceiver(bundle, session=session).perceive([frame(pose=False)])
    np.testing.assert_allclose(corrected.depth_m, 2.7, rtol=1e-6)


def test_nothing_below_the_threshold_is_told():
    found = {
        "existence": np.array([0.2, 0.1]),
        "label": np.eye(2),
        "center": np.zeros((2, 3)),
        "size": np.ones((2, 3)),
    }
    assert select(found, ModelSettings(existence=0.3)) == []
