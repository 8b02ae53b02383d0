"""A file of camera poses that is none says where and what is wrong."""

import numpy as np
import pytest

from or_spatial.errors import ConfigError
from or_spatial.nodes.extrinsics import FilePoses

POSE = "{position_m: [1, 2, 3], quaternion_xyzw: [0, 0, 0, 1]}"


def test_a_pose_is_read_by_the_name_of_its_camera(tmp_path):
    file = tmp_path / "cameras.yaml"
    file.write_text(f"cameras: {{wall: {POSE}}}")
    pose = FilePoses.load(file).pose("/wall", "", 0)
    np.testing.assert_allclose(pose[:3, 3], [1, 2, 3])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cameras: [1, 2]", "cameras is [1, 2]"),
        ("- wall", "holds no mapping"),
        ("cameras: {wall: 5}", "wall is 5"),
        (f"cameras: {{wall: {POSE.replace('[1, 2, 3]', '[a, 2, 3]')}}}", "position_m has 3 numbers"),
        (f"cameras: {{wall: {POSE.replace('[1, 2, 3]', '4')}}}", "position_m has 3 numbers"),
        (f"cameras: {{wall: {POSE.replace('[1, 2, 3]', '[.nan, 2, 3]')}}}", "is not finite"),
        ("camera: {}", "did you mean 'cameras'"),
        ("cameras: {wall: [", "not YAML"),
    ],
)
def test_a_mistake_in_a_pose_file_is_named(tmp_path, text, says):
    file = tmp_path / "cameras.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as fault:
        FilePoses.load(file)
    assert says in str(fault.value) and str(file) in str(fault.value)


def test_a_folder_and_another_coding_are_no_pose_files(tmp_path):
    with pytest.raises(ConfigError, match="is a folder"):
        FilePoses.load(tmp_path)
    file = tmp_path / "cameras.yaml"
    file.write_bytes("cameras: {w\xe4nd: 1}".encode("latin-1"))
    with pytest.raises(ConfigError, match="UTF-8"):
        FilePoses.load(file)
