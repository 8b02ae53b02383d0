"""The definitions themselves: all built, all explained, all speaking of status in the same words."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEFINITIONS = sorted([*ROOT.glob("msg/*.msg"), *ROOT.glob("srv/*.srv"), *ROOT.glob("action/*.action")])
ON_REQUEST = [path for path in DEFINITIONS if path.suffix != ".msg"]
STATUS = {
    "OK": 0,
    "NOT_READY": 1,
    "NO_DATA": 2,
    "STALE": 3,
    "UNKNOWN_OBJECT": 4,
    "LOW_CONFIDENCE": 5,
    "INVALID_REQUEST": 6,
    "TIMEOUT": 7,
}
NAMES = """SceneGraph SceneObject Hypothesis SpatialRelation SceneSource ObservedBox2D ObservedBox2DArray VisualTokens
    HazardAlert HazardAlertArray SpatialAnswer ClinicalState RoleEstimate GetSceneGraph QueryRelation FindObjects
    GetTrajectory AskSpatial WatchQuestion ListHazards AcknowledgeHazard AskScene"""


def named(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


def test_the_list_of_interfaces_is_the_promised_one():
    """Names are in recorded bags: one may be added here, never changed."""
    assert {path.stem for path in DEFINITIONS} == set(NAMES.split())


@named(DEFINITIONS)
def test_an_interface_that_exists_is_built(path):
    assert f"  {path.parent.name}/{path.name}\n" in (ROOT / "CMakeLists.txt").read_text()


def test_messages_are_built_after_those_that_they_contain():
    """The unity build of install_interfaces.sh and setup.py needs this order."""
    order = re.findall(r"^  msg/(\w+)\.msg$", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)
    for at, name in enumerate(order):
        contained = set(re.findall(r"^(\w+)(?:\[\])? ", (ROOT / f"msg/{name}.msg").read_text(), re.MULTILINE))
        assert contained.isdisjoint(order[at:]), name


SPEAKS_FOR_ITSELF = {"objects", "relations", "boxes", "alerts", "graph", "confidence"}


@named(DEFINITIONS)
def test_every_field_is_explained(path):
    fields = re.findall(r"^([\w/]+(?:\[\d*\])?) +([a-z]\w*) *(#.*)?$", path.read_text(), re.MULTILINE)
    unexplained = {name for _, name, comment in fields if not comment} - SPEAKS_FOR_ITSELF
    assert fields
    assert not unexplained


@named(DEFINITIONS)
def test_an_interface_begins_with_what_it_is(path):
    assert re.match(r"# [A-Z`].{20,}", path.read_text())


@named(ON_REQUEST)
def test_every_response_has_the_same_status_words_a_message_and_the_stamp_of_its_graph(path):
    response = path.read_text().split("---")[1]
    assert {n: int(v) for n, v in re.findall(r"^uint8 ([A-Z_]+) = (\d+)", response, re.MULTILINE)} == STATUS
    for field in ("uint8 status", "string message", "builtin_interfaces/Time stamp"):
        assert re.search(rf"^{field} ", response, re.MULTILINE), field


@named(DEFINITIONS)
def test_interfaces_depend_on_std_geometry_and_builtin_only(path):
    packages = set(re.findall(r"^(\w+)/\w+(?:\[\d*\])? ", path.read_text(), re.MULTILINE))
    assert packages <= {"std_msgs", "geometry_msgs", "builtin_interfaces"}


@pytest.mark.parametrize("name", ["HazardAlert", "HazardAlertArray"])
def test_a_hazard_alert_says_that_it_is_no_certified_alarm(name):
    assert "not a certified medical alarm" in (ROOT / f"msg/{name}.msg").read_text().lower()
