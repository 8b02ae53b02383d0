"""What the nodes publish, offer and accept, as tables for the documentation: read from the declarations themselves.

Services and messages come from the comment at the head of their files, parameters from the parameter table. Topics
have no file of their own, so they are listed here, and a test holds the list against the running nodes.
"""

from dataclasses import dataclass
from pathlib import Path

from or_spatial.paths import share_path


@dataclass(frozen=True)
class Topic:
    """One topic: relative names follow the namespace, `<camera>` stands for each camera's name."""

    name: str
    type: str
    nodes: str
    meaning: str
    on_demand: bool = False


INPUTS = (
    Topic("<camera>/image_raw", "sensor_msgs/Image", "perception", "raw picture (parameter `transport`: raw)"),
    Topic(
        "<camera>/image_raw/compressed",
        "sensor_msgs/CompressedImage",
        "perception",
        "JPEG or PNG picture (parameter `transport`: compressed)",
    ),
    Topic(
        "<camera>/boxes",
        "or_spatial/ObservedBox2DArray",
        "perception",
        "boxes of people from any detector, in place of pictures (parameters `perceiver`: boxes, `boxes_topics`)",
    ),
    Topic("<camera>/camera_info", "sensor_msgs/CameraInfo", "perception", "calibration; without it no metres"),
    Topic("<camera>/pose", "geometry_msgs/TransformStamped", "perception", "latched pose of the camera in the room"),
)
OUTPUTS = (
    Topic("scene_graph", "or_spatial/SceneGraph", "perception", "objects and relations, latched"),
    Topic("<camera>/depth/image", "sensor_msgs/Image", "perception", "32FC1, metres along optical z", True),
    Topic("<camera>/depth/confidence", "sensor_msgs/Image", "perception", "32FC1 in 0..1", True),
    Topic("<camera>/depth/camera_info", "sensor_msgs/CameraInfo", "perception", "calibration of the depth image", True),
    Topic("<camera>/points", "sensor_msgs/PointCloud2", "perception", "coloured point cloud", True),
    Topic("visual_tokens", "or_spatial/VisualTokens", "perception", "the tower's tokens, half precision", True),
    Topic("observed_boxes", "or_spatial/ObservedBox2DArray", "perception", "2D boxes per camera", True),
    Topic("hazards", "or_spatial/HazardAlert", "hazard", "every transition: raised, updated, acknowledged, cleared"),
    Topic("active_hazards", "or_spatial/HazardAlertArray", "hazard", "the active set, latched and repeated at 1 Hz"),
    Topic("clinical", "or_spatial/ClinicalState", "clinical", "procedure, phase, roles, next action, latched"),
    Topic("answers", "or_spatial/SpatialAnswer", "query", "answers of watched questions, on change"),
    Topic("markers", "visualization_msgs/MarkerArray", "marker", "boxes, labels, relations and hazards for RViz"),
    Topic("/diagnostics", "diagnostic_msgs/DiagnosticArray", "all", "latencies, drops, staleness at 1 Hz"),
)


def topics_table() -> str:
    """Markdown table of topics, inputs first."""
    lines = ["| | topic | type | node | what |", "| --- | --- | --- | --- | --- |"]
    for way, table in (("in", INPUTS), ("out", OUTPUTS)):
        for t in table:
            demand = "; only while someone subscribes" if t.on_demand else ""
            lines.append(f"| {way} | `{t.name}` | `{t.type}` | {t.nodes} | {t.meaning}{demand} |")
    return "\n".join(lines)


def services_table() -> str:
    """Markdown table of services and actions with the first sentence of their definitions."""
    lines = ["| name | kind | what |", "| --- | --- | --- |"]
    for folder, kind in (("srv", "service"), ("action", "action")):
        for file in _definitions(folder):
            lines.append(f"| `{file.stem}` | {kind} | {first_sentence(file)} |")
    return "\n".join(lines)


def messages_table() -> str:
    """Markdown table of messages with the first sentence of their definitions."""
    lines = ["| message | what |", "| --- | --- |"]
    lines += [f"| `{file.stem}` | {first_sentence(file)} |" for file in _definitions("msg")]
    return "\n".join(lines)


def parameters_table(node: str) -> str:
    """Markdown table of one node's parameters."""
    from or_spatial.nodes.parameter_table import PARAMETERS

    lines = ["| parameter | type | default | allowed | meaning |", "| --- | --- | --- | --- | --- |"]
    for spec in PARAMETERS[node]:
        default = str(spec.default).lower() if isinstance(spec.default, bool) else f"{spec.default}"
        shown = f"`{default}`" if spec.default not in ("", [""]) else "(empty)"
        lines.append(f"| `{spec.name}` | {spec.type_name} | {shown} | {spec.allowed} | {spec.description} |")
    return "\n".join(lines)


def first_sentence(file: Path) -> str:
    """The first sentence of the comment at the head of an interface definition."""
    words = []
    for line in file.read_text().splitlines():
        if not line.startswith("#"):
            break
        words.append(line.lstrip("# ").strip())
    text = " ".join(words)
    end = text.find(". ")
    return text if end < 0 else text[: end + 1]


def _definitions(folder: str) -> list[Path]:
    place = share_path(folder)
    return sorted(f for f in place.iterdir() if f.suffix in (".msg", ".srv", ".action"))
