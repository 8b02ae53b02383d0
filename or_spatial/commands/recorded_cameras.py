"""Which topics of a recording are the pictures of its cameras, and which of its topics a fresh suite is to be told.

A sensor's driver publishes more images than pictures: depth (`/k4a/depth/image_raw`), depth seen from the colour camera
(`/k4a/depth_to_rgb/image_raw`), infrared (`/k4a/ir/image_raw`). Nobody can find people in the first two, and the third
is a second camera in the same place.
"""

import re
from collections.abc import Mapping
from importlib.util import find_spec

from or_spatial.errors import DatasetError
from or_spatial.nodes.bags import Bag, BagTopic, typestore

RAW, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
IMAGE_TYPES = (COMPRESSED, RAW)
_TAILS = {RAW: "/image_raw", COMPRESSED: "/image_raw/compressed"}
_DEPTH_ENCODINGS = ("16UC1", "32FC1")  # REP 118
_NO_PICTURES = re.compile(r"(depth.*|ir|infra(red)?\d*)(/|$)")
_POSE_TYPES = {"/tf": "tf2_msgs/msg/TFMessage", "/tf_static": "tf2_msgs/msg/TFMessage"}


def camera_of(topic: str) -> str:
    """Name of the camera that a topic belongs to: `/theatre/cam_1/image_raw/compressed` -> `theatre/cam_1`."""
    for tail in ("/image_raw/compressed", "/image_raw", "/camera_info", "/pose"):
        if topic.endswith(tail):
            return topic[: -len(tail)].strip("/")
    return ""


def picture_topics(bag: Bag) -> dict[str, str]:
    """The one topic of every camera's pictures, by camera; compressed ones where every camera has them, else raw ones.

    Depth images are told by their encoding. Depth and infrared by name are left out beside a camera of another name.
    """
    of_kind = {kind: _with_tail(bag.topics, kind) for kind in IMAGE_TYPES}
    of_kind[RAW] = {name: topic for name, topic in of_kind[RAW].items() if not _is_depth(bag, topic)}
    names = list(dict.fromkeys(camera_of(t) for t in bag.topics if t in _values(of_kind)))
    names = [n for n in names if not _NO_PICTURES.match(n.rsplit("/", 1)[-1])] or names
    compressed, raw = of_kind[COMPRESSED], of_kind[RAW]
    if all(name in compressed for name in names):
        return {name: compressed[name] for name in names}
    return {name: raw.get(name) or compressed[name] for name in names}


def transport_of(topics: Mapping[str, str]) -> str:
    """`raw` or `compressed`, the parameter of perception_node for pictures on these topics.

    Raises:
        DatasetError: some cameras are recorded in one way, some in the other: the node reads one.
    """
    compressed = [topic for topic in topics.values() if topic.endswith(_TAILS[COMPRESSED])]
    if not compressed:
        return "raw"
    if raw := [topic for topic in topics.values() if topic not in compressed]:
        raise DatasetError(
            f"{', '.join(raw)} is raw and {', '.join(compressed)} compressed: perception_node reads cameras in one "
            "way; record all of them raw, or all of them compressed"
        )
    return "compressed"


def told_to_a_suite(there: Mapping[str, str], pictures: Mapping[str, str]) -> list[str]:
    """Topics of a recording (topic -> type) that fresh nodes are to hear: pictures, calibrations, poses, truth.

    What another suite once published (`/scene_graph`, `/hazards`, ...) would pass for the work of this one. TF is told
    where its messages are installed.
    """
    told = {*pictures.values(), *(f"/{name}/{last}" for name in pictures for last in ("camera_info", "pose"))}
    told.add("/truth/scene_graph")  # which the perceiver `rules` reads
    if find_spec("tf2_msgs") is not None:
        told |= {topic for topic, kind in _POSE_TYPES.items() if there.get(topic) == kind}
    return [topic for topic in there if topic in told]


def _with_tail(topics: Mapping[str, BagTopic], kind: str) -> dict[str, str]:
    """Camera -> topic, of those of a type that are named as its pictures are."""
    some = [
        name for name, topic in topics.items() if topic.kind == kind and topic.count and name.endswith(_TAILS[kind])
    ]
    return {camera_of(name): name for name in some if camera_of(name)}


def _values(of_kind: Mapping[str, Mapping[str, str]]) -> set[str]:
    return {topic for topics in of_kind.values() for topic in topics.values()}


def _is_depth(bag: Bag, topic: str) -> bool:
    first = next(bag.messages([topic]))  # there is one: `_with_tail` counted
    try:
        return typestore().deserialize_cdr(first.data, first.kind).encoding in _DEPTH_ENCODINGS
    except (ValueError, AssertionError, IndexError):
        return False  # damaged: whoever reads its pixels says so
