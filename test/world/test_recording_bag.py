"""Bags: readable by another reader, messages equal to the values, and a missing topic is named."""

import pytest
from rosbags.highlevel import AnyReader

from or_spatial.errors import ConfigError, DatasetError
from or_spatial.scene import HazardAlert, Severity, SpatialRelation
from or_spatial.world import ros_values
from or_spatial.world.recording import START_NS, moments, read_bag_topics, record
from or_spatial.world.samples import graph_of
from or_spatial.world.simulation import Simulation


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bags") / "room"
    return record("test", 2, 1.0, 2.0, 2, folder, 160, 90, hazards=(), progress=False)


def test_a_reader_that_knows_only_the_bag_finds_every_topic_and_message(bag):
    counts: dict[str, int] = {}
    with AnyReader([bag]) as reader:
        for connection, stamp, raw in reader.messages():
            counts[connection.topic] = counts.get(connection.topic, 0) + 1
            message = reader.deserialize(raw, connection.msgtype)  # by the definitions that the bag carries
            assert message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec == stamp >= START_NS
    every = [f"/camera_{k}/{t}" for k in (1, 2) for t in ("image_raw/compressed", "camera_info")]
    assert {t: counts[t] for t in every} == dict.fromkeys(every, 2)
    assert counts["/camera_1/pose"] == 1 and counts["/truth/scene_graph"] == counts["/truth/hazards"] == 2


def test_the_independent_mcap_reader_reads_it_too(bag):
    reader = pytest.importorskip("mcap.reader", reason="pip install mcap zstandard to read bags without rosbags")
    with open(next(bag.glob("*.mcap")), "rb") as file:
        topics = {channel.topic for _, channel, _ in reader.make_reader(file).iter_messages()}
    assert "/truth/scene_graph" in topics


def test_the_recorded_graph_is_the_graph(bag):
    simulation = Simulation("test", 2, 2, 1.0, hazards=())
    first = next(moments(simulation, 2.0, 2, 160, 90))
    graph = graph_of(first.state, first.views, first.stamp_ns)
    _, stamp, message = next(read_bag_topics(bag, ("/truth/scene_graph",)))
    assert stamp == START_NS == first.stamp_ns
    assert [o.id for o in message.objects] == [o.id for o in graph.objects]
    for told, true in zip(message.objects, graph.objects, strict=True):
        assert (told.center.x, told.center.y, told.center.z) == true.center_m
        assert tuple(told.covariance) == true.covariance_m2 and told.category == int(true.category)
        assert [b.camera for b in told.boxes] == [b.camera for b in true.boxes]
    assert len(message.relations) == len(graph.relations)
    for told, true in zip(message.relations, graph.relations, strict=True):
        assert (told.subject_id, told.predicate, told.object_id) == true.triplet
        assert told.surface_distance == true.surface_distance_m and told.family == int(true.family)


def test_camera_poses_and_intrinsics_are_those_of_the_rig(bag):
    view = next(moments(Simulation("test", 2, 2, 1.0, hazards=()), 2.0, 2, 160, 90)).views[1]
    found = {t: m for t, _, m in read_bag_topics(bag, ("/camera_2/camera_info", "/camera_2/pose"))}
    info, pose = found["/camera_2/camera_info"], found["/camera_2/pose"]
    assert info.k[0] == view.camera.fx and info.k[2] == view.camera.cx and info.width == 160
    assert info.header.frame_id == pose.child_frame_id == "camera_2_optical_frame"
    assert pose.transform.translation.z == view.rig.room_from_camera[2, 3]


def test_a_missing_topic_is_named_with_those_that_are_there(bag):
    with pytest.raises(DatasetError, match=r"no topic /camera_9/pose; it has .*/truth/hazards"):
        list(read_bag_topics(bag, ("/camera_9/pose",)))


def test_a_folder_without_a_bag_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"metadata\.yaml"):
        list(read_bag_topics(tmp_path, ("/x",)))


@pytest.mark.parametrize(("seconds", "rate"), [(0.0, 5.0), (2.0, 0.0), (2.0, 100.0)])
def test_impossible_lengths_and_rates_are_refused(tmp_path, seconds, rate):
    with pytest.raises(ConfigError, match="recording needs"):
        record("test", 2, seconds, rate, 1, tmp_path / "x")


def test_an_existing_folder_is_not_written_over(bag):
    with pytest.raises(ConfigError, match="exists"):
        record("test", 2, 1.0, 2.0, 1, bag)


def test_an_unset_number_travels_as_nan():
    alert = HazardAlert(id="a", rule_id="r", hazard_type="r", stamp_ns=3_000_000_007, severity=Severity.HIGH)
    message = ros_values.message("or_spatial/msg/HazardAlert", alert)
    assert message.header.stamp.sec == 3 and message.header.stamp.nanosec == 7
    assert message.distance != message.distance and message.position.x != message.position.x and message.severity == 3
    relation = ros_values.message(
        "or_spatial/msg/SpatialRelation", SpatialRelation(subject_id="a", predicate="on", object_id="b")
    )
    assert relation.center_distance != relation.center_distance and relation.since.sec == 0
