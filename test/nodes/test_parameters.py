"""Parameter declarations, YAML files and their errors: no ROS runs here."""

import pytest

from or_spatial.errors import ConfigError
from or_spatial.nodes.parameter_table import PARAMETERS
from or_spatial.nodes.parameters import (
    ParameterSpec,
    check_file,
    check_values,
    section_values,
)
from or_spatial.nodes.table import DEFAULT_PARAMETERS, NODES, entry
from or_spatial.paths import share_path

SLOP = ParameterSpec(name="slop_s", default=0.05, minimum=0.0, maximum=1.0, description="")
MODE = ParameterSpec(name="mode", default="newest", choices=("newest", "every_frame"), description="")
COUNT = ParameterSpec(name="count", default=3, minimum=1, maximum=9, description="")
NAMES = ParameterSpec(name="names", default=["a"], description="")


@pytest.mark.parametrize("value", [0.0, 1.0, 0.3])
def test_both_ends_of_a_range_are_allowed(value):
    assert SLOP.check(value) == value


@pytest.mark.parametrize("value", [-0.001, 1.001, float("nan")])
def test_a_number_out_of_range_is_refused_with_name_value_and_range(value):
    with pytest.raises(ConfigError, match=rf"'slop_s' is {value}.*0 to 1"):
        SLOP.check(value)


def test_an_integer_is_accepted_where_a_double_is_meant_and_becomes_one():
    assert type(SLOP.check(1)) is float


@pytest.mark.parametrize(
    ("spec", "value"), [(COUNT, 2.0), (COUNT, True), (COUNT, "2"), (NAMES, "a"), (NAMES, [1]), (MODE, 3)]
)
def test_a_value_of_another_type_is_refused_by_name(spec, value):
    with pytest.raises(ConfigError, match=f"'{spec.name}' takes a "):
        spec.check(value)


def test_a_wrong_choice_offers_the_closest_one():
    with pytest.raises(ConfigError, match="did you mean 'every_frame'"):
        MODE.check("every_frames")


def test_an_unknown_key_offers_the_closest_one():
    with pytest.raises(ConfigError, match="room.yaml has no parameter 'slob_s'; did you mean 'slop_s'"):
        check_values({"slob_s": 0.1}, (SLOP, MODE), "room.yaml")


def test_keys_of_ros_itself_pass():
    values = {"use_sim_time": True, "qos_overrides./scene_graph.publisher.depth": 5}
    assert check_values(values, (SLOP,), "x") == values


def test_the_shipped_parameter_file_is_accepted_and_reaches_every_node():
    path = share_path(*DEFAULT_PARAMETERS)
    check_file(path, PARAMETERS)
    assert section_values(path, "perception_node", PARAMETERS["perception_node"])["cameras"] == ["camera_1"]


def test_every_default_passes_its_own_declaration():
    for specs in PARAMETERS.values():
        for spec in specs:
            assert spec.check(spec.default) == spec.default
            assert spec.description


def written(folder, text):
    path = folder / "room.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "query_node:\n  ros__parameters:\n    stale_after: 1.0\n",
            "query_node has no parameter 'stale_after'; did you mean 'stale_after_s'",
        ),
        (
            "/or/query_node:\n  ros__parameters:\n    stale_after_s: 0.0\n",
            "'stale_after_s' is 0.0, allowed is 0.05 to 3600",
        ),
        ("/**:\n  ros__parameters:\n    camras: [x]\n", "has no parameter 'camras'; did you mean 'cameras'"),
        ("query_node:\n  stale_after_s: 1.0\n", "stands outside 'ros__parameters'"),
        ("- 1\n", "holds no sections"),
        ("a: [1\n", "is not YAML"),
    ],
)
def test_a_faulty_file_is_refused_by_file_and_key(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match=message) as caught:
        check_file(path, PARAMETERS)
    assert "room.yaml" in str(caught.value)


def test_a_wildcard_section_gives_each_node_only_its_own_keys(tmp_path):
    path = written(
        tmp_path, "/**:\n  ros__parameters:\n    use_sim_time: true\n    stale_after_s: 3.0\n    split: train\n"
    )
    check_file(path, PARAMETERS)
    assert section_values(path, "query_node", PARAMETERS["query_node"]) == {"use_sim_time": True, "stale_after_s": 3.0}


def test_the_section_that_names_a_node_beats_the_wildcard_wherever_it_stands(tmp_path):
    text = "query_node:\n  ros__parameters:\n    stale_after_s: 1.5\n/**:\n  ros__parameters:\n    stale_after_s: 3.0\n"
    assert section_values(written(tmp_path, text), "query_node", PARAMETERS["query_node"])["stale_after_s"] == 1.5


def test_every_node_of_the_table_has_declared_parameters():
    assert set(NODES) == set(PARAMETERS)


def test_a_node_is_known_by_its_short_name_and_a_wrong_one_gets_the_closest():
    assert entry("hazard").module == "or_spatial.nodes.hazard_node"
    with pytest.raises(ConfigError, match="did you mean 'perception_node'"):
        entry("perceptoin_node")


def test_a_section_of_another_namespace_is_not_ours(tmp_path):
    text = "".join(
        f"{name}: {{ros__parameters: {{stale_after_s: {value}}}}}\n"
        for name, value in (("/**/query_node", 1.0), ("/room_1/query_node", 2.0), ("/room_2/**", 3.0))
    )
    file, specs = written(tmp_path, text), PARAMETERS["query_node"]
    found = {space: section_values(file, "query_node", specs, space) for space in ("", "/room_1", "room_3")}
    assert {space: values["stale_after_s"] for space, values in found.items()} == {
        "": 1.0,
        "/room_1": 2.0,
        "room_3": 1.0,
    }
    assert section_values(written(tmp_path, text.splitlines()[2]), "query_node", specs, "room_2/a") == {
        "stale_after_s": 3.0
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "perception_nod: {ros__parameters: {cameras: [a]}}",
            "no node 'perception_nod'; did you mean 'perception_node'",
        ),
        ("query_node: {ros__parameters: 5}", "ros__parameters of query_node is 5"),
    ],
)
def test_a_misspelt_node_and_a_section_without_parameters_are_refused(tmp_path, text, says):
    with pytest.raises(ConfigError, match=says):
        check_file(written(tmp_path, text), PARAMETERS)


def test_a_folder_is_no_parameter_file(tmp_path):
    with pytest.raises(ConfigError, match="is a folder"):
        check_file(tmp_path, PARAMETERS)
