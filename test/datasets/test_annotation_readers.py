"""The readers on small files written here: damage, strictness, and the camera format."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from or_spatial.datasets import four_d_or, mm_or, mvor
from or_spatial.datasets.kinect_camera import Z_UP_FROM_Y_UP, read_camera
from or_spatial.errors import DatasetError

SCAN = {
    "take_idx": 7,
    "scan": "000012",
    "objects": {"4": "human_1", "2": "Patient", "9": "operating_table"},
    "relationships": [[4, 2, 5, "Drilling"], [2, 9, 8, "LyingOn"]],
    "human_idx_to_name": {"human_1": "head-surgeon", "human_2": None, "human_3": "none"},
}
POINT = {
    "take_name": "002_PKA_MMOR",
    "frame_id": "000619",
    "relationships": [["nurse", "saw", "holding"], ["saw", "drape", "closeTo"]],
}


def written(folder, content):
    path = folder / "annotations.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_scan_becomes_a_graph_of_its_labels(tmp_path):
    (scan,) = four_d_or.read_relationships(written(tmp_path, {"scans": [SCAN]}))
    scene = scan.scene({"knee_prep": (5, 12)})
    assert [r.triplet for r in scene.graph.relations] == [
        ("human_1", "Drilling", "Patient"),
        ("Patient", "LyingOn", "operating_table"),
    ]
    assert (scene.roles, scene.phase, scene.take) == ({"human_1": "head-surgeon"}, "knee_prep", "7")
    assert scan.scene({"knee_prep": (5, 11)}).phase == ""


def test_convention_mm_or_files_put_the_object_before_the_predicate(tmp_path):
    (point,) = mm_or.read_relationships(written(tmp_path, [POINT]))
    graph = point.scene().graph
    assert graph.relations[0].triplet == ("nurse", "holding", "saw")
    assert point.scene().roles == {"nurse": "nurse"} and graph.vocabulary == "mm-or"


def test_convention_raw_labels_put_the_predicate_before_the_object(tmp_path):
    raw = written(tmp_path, {"rel_annotations": [["nurse", "holding", "saw"], ["a", "p", "b", "hand", "grip"]]})
    assert mm_or.read_relation_labels(raw) == (("nurse", "holding", "saw"), ("a", "p", "b"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"relationships": [[4, 2, 5, "Driling"]]}, "did you mean 'Drilling'"),
        ({"relationships": [[4, 2, 6, "Drilling"]]}, "index 5, not 6"),
        ({"relationships": [[4, 3, 5, "Drilling"]]}, "ids 4 and 3"),
        ({"relationships": [[4, 2]]}, "item 0"),
        ({"objects": None}, "item 0"),
    ],
)
def test_a_scan_that_4d_or_cannot_say_is_named(tmp_path, change, said):
    path = written(tmp_path, {"scans": [{**SCAN, **change}]})
    with pytest.raises(DatasetError, match=said) as caught:
        four_d_or.read_relationships(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"take_name": "002_PKA"}, "_4DOR or _MMOR"),
        ({"relationships": [["nurse", "holding", "saw"]]}, "no object label 'holding'"),
        ({"relationships": [["nurse", "saw", "Holding"]]}, "did you mean 'holding'"),
    ],
)
def test_a_timepoint_that_mm_or_cannot_say_is_named(tmp_path, change, said):
    with pytest.raises(DatasetError, match=said):
        mm_or.read_relationships(written(tmp_path, [POINT, {**POINT, **change}]))


def test_a_missing_key_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"item 0: no 'frame_id'"):
        mm_or.read_relationships(written(tmp_path, [{"take_name": "002_PKA_MMOR", "relationships": []}]))


READERS = [
    four_d_or.read_relationships,
    four_d_or.read_phases,
    mm_or.read_relationships,
    mm_or.read_relation_labels,
    mvor.read_annotations,
    mvor.read_detections,
    read_camera,
]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("content", ['{"scans": [{"take', "\x00\x01", "[1, 2]", '"text"', "{}", "null"])
def test_every_reader_names_a_damaged_or_foreign_file(tmp_path, reader, content):
    if (reader, content) == (four_d_or.read_phases, "{}"):
        pytest.skip("no phases are a valid answer")
    path = written(tmp_path, content)
    with pytest.raises(DatasetError) as caught:
        reader(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_names_a_missing_file(tmp_path, reader):
    with pytest.raises(DatasetError, match="nowhere.json does not exist"):
        reader(tmp_path / "nowhere.json")


def test_every_reader_names_a_folder_given_for_a_file(tmp_path):
    with pytest.raises(DatasetError, match="cannot be read"):
        mm_or.read_relationships(tmp_path)


@pytest.mark.parametrize(("phases", "said"), [({"lunch": [0, 3]}, "lunch"), ({"sterile": [5, 3]}, "before it begins")])
def test_impossible_phases_are_refused(tmp_path, phases, said):
    with pytest.raises(DatasetError, match=said):
        four_d_or.read_phases(written(tmp_path, phases))


def matrix_entries(name_values):
    return {f"m{i}0": value for i, value in enumerate(name_values)}


def kinect(q=(0.0, 0.0, 0.0, 1.0), t=(0.0, 0.0, 0.0), offset=(0.0, 0.0, 0.0), fx=610.5):
    def pose(rotation, translation):
        return {"rotation": dict(zip("xyzw", rotation, strict=True)), "translation": matrix_entries(translation)}

    return {
        "value0": {
            "camera_pose": pose(q, t),
            "color2depth_transform": pose((0.0, 0.0, 0.0, 1.0), offset),
            "color_parameters": {
                "fov_x": fx,
                "fov_y": 609.25,
                "c_x": 1021.5,
                "c_y": 775.25,
                "width": 2048,
                "height": 1536,
                "radial_distortion": matrix_entries([0.5, -2.4, 1.4, 0.4, -2.2, 1.3]),
                "tangential_distortion": matrix_entries([0.001, -0.002]),
            },
        }
    }


def test_convention_kinect_distortion_is_rational_in_opencv_order(tmp_path):
    camera = read_camera(written(tmp_path, kinect())).camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (610.5, 609.25, 1021.5, 775.25)
    assert camera.distortion == (0.5, -2.4, 0.001, -0.002, 1.4, 0.4, -2.2, 1.3)
    assert (camera.width, camera.height) == (2048, 1536)


def test_convention_kinect_sensor_looks_along_its_minus_z(tmp_path):
    q = Rotation.from_euler("y", 90, degrees=True).as_quat()
    found = read_camera(written(tmp_path, kinect(q, (1.0, 2.0, 3.0), (0.03, 0.0, 0.0)))).room_from_camera
    np.testing.assert_allclose(found[:3, 2], [-1, 0, 0], atol=1e-12)  # optical z: minus the sensor's z, turned
    np.testing.assert_allclose(found[:3, 1], [0, -1, 0], atol=1e-12)  # optical y down: the world's y is up
    np.testing.assert_allclose(found[:3, 3], [1.0, 2.0, 3.0 - 0.03], atol=1e-12)  # the colour sensor sits beside


def test_convention_a_world_with_y_up_is_raised_to_z_up(tmp_path):
    found = read_camera(written(tmp_path, kinect(t=(1.0, 2.5, 3.0))), Z_UP_FROM_Y_UP).room_from_camera
    np.testing.assert_allclose(found[:3, 3], [1.0, -3.0, 2.5])
    np.testing.assert_allclose(found[:3, 1], [0, 0, -1], atol=1e-12)


def test_a_kinect_without_focal_length_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="calibrated"):
        read_camera(written(tmp_path, kinect(fx=0.0)))
