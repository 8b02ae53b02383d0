"""The house has floors: imports only go down, ROS stays in nodes/, torch in model/ and training/."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "or_spatial"

# Room -> our rooms that it may import, besides itself.
BELOW_1 = {"scene", "geometry"}
BELOW_3 = BELOW_1 | {
    "world", "inference", "hazards", "clinical", "visual", "perception", "answering", "model", "datasets"
}  # fmt: skip
EVERYTHING = BELOW_3 | {"training", "evaluation"}
ROOMS: dict[str, set[str]] = {
    "scene": set(),
    "geometry": set(),
    "world": BELOW_1,
    "inference": set(),
    "hazards": BELOW_1,
    "clinical": {"scene"},
    "visual": BELOW_1,
    "perception": BELOW_1 | {"inference"},
    "answering": BELOW_1 | {"inference"},
    "model": {"scene"},  # the vocabulary that a checkpoint names
    "datasets": BELOW_1 | {"world"},
    "training": BELOW_1 | {"model", "datasets", "world", "inference"},  # an export is checked against its session
    "evaluation": BELOW_3,
    "nodes": EVERYTHING | {"msg", "srv", "action"},
    "commands": EVERYTHING | {"nodes", "msg", "srv", "action"},  # the chapters of cli.py
    "cli.py": EVERYTHING | {"nodes", "commands"},
}
ANYWHERE = {"errors", "files", "paths", "__version__"}

# Room -> packages of others, besides NumPy. Optional ones are imported where they are used.
TORCH = {"torch", "transformers", "safetensors"}
ROS = {
    "rclpy", "builtin_interfaces", "std_msgs", "geometry_msgs", "sensor_msgs", "diagnostic_msgs", "visualization_msgs",
    "std_srvs", "lifecycle_msgs", "rcl_interfaces", "rosgraph_msgs", "action_msgs", "vision_msgs", "tf2_msgs",
    "tf2_ros", "cv_bridge", "message_filters", "ament_index_python", "rosidl_runtime_py", "unique_identifier_msgs",
}  # fmt: skip
PACKAGES: dict[str, set[str]] = {
    "scene": {"yaml"},
    "geometry": {"scipy", "open3d"},
    "world": {"scipy", "cv2", "trimesh", "embreex", "mitsuba", "drjit", "yaml", "rosbags", "rich"},
    "inference": {"onnxruntime", "tensorrt", "tensorrt_rtx"},
    "hazards": {"scipy", "yaml", "pydantic", "pydantic_core"},
    "clinical": {"yaml"},
    "visual": {"cv2", "PIL", "matplotlib", "rerun"},
    "perception": {"scipy", "cv2", "yaml", "pydantic"},
    "answering": {"scipy", "yaml", "tokenizers", "llguidance"},
    "model": TORCH,
    "datasets": {"cv2", "yaml", "rosbags"},
    "training": TORCH | {"onnx", "onnxscript", "yaml", "pydantic", "rich", "tensorboard"},
    "evaluation": {"scipy", "cv2", "sklearn", "matplotlib", "jinja2", "yaml", "rich", "psutil", "rosbags", "PIL"},
    "nodes": ROS | {"cv2", "yaml", "rosbags"},
    "commands": ROS | {"typer", "rich", "psutil", "cv2", "yaml", "rosbags", "jinja2", "matplotlib", "PIL"},
    "cli.py": {"typer", "rich"},
}
HEAVY = ("torch", "onnxruntime", "tensorrt", "cv2", "rclpy", "scipy", "matplotlib")


def imported(source: str) -> Iterator[str]:
    """Dotted names of all imports, at the top or in a function, of `importlib.import_module("...")` too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import; say which room"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            yield from (a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str))


def trespasses(room: str, source: str) -> list[str]:
    """What a file of this room imports and may not."""
    ours = ROOMS.get(room, set()) | ANYWHERE | {room}
    theirs = PACKAGES.get(room, set()) | {"numpy"} | sys.stdlib_module_names
    found = []
    for name in imported(source):
        top, _, rest = name.partition(".")
        if top == "or_spatial":
            allowed = not rest or rest.split(".")[0] in ours
        else:
            allowed = top in theirs
        if not allowed:
            found.append(name)
    return found


def room_of(path: Path) -> str:
    """The room of a file: its folder, or its own name for a file at the top."""
    return path.relative_to(PACKAGE).parts[0]


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_only_go_down(path):
    assert trespasses(room_of(path), path.read_text()) == []


def test_every_room_is_on_the_plan():
    there = {room_of(path) for path in FILES} - {"__init__.py", "errors.py", "files.py", "paths.py"}
    assert there <= set(ROOMS)


@pytest.mark.parametrize(
    ("room", "source", "found"),
    [
        ("scene", "from or_spatial.geometry.boxes import OrientedBox", ["or_spatial.geometry.boxes.OrientedBox"]),
        ("geometry", "import scipy.stats", []),
        ("hazards", "def f():\n    from rclpy.node import Node", ["rclpy.node.Node"]),
        ("evaluation", "def f():\n    import torch", ["torch"]),
        ("evaluation", "def f():\n    from or_spatial.model import SpatialORModel", []),
        ("perception", "import importlib\nimportlib.import_module('torch.nn')", ["torch.nn"]),
        ("world", "from or_spatial import perception", ["or_spatial.perception"]),
        ("visual", "from or_spatial.msg import SceneGraph", ["or_spatial.msg.SceneGraph"]),
    ],
)
def test_a_trespass_is_seen(room, source, found):
    assert trespasses(room, source) == found


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that a fresh Python holds after a statement."""
    code = f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(done.stdout.split())


def test_programs_that_only_want_our_messages_stay_light():
    pytest.importorskip("or_spatial.msg", reason="needs the interfaces: make env")
    loaded = loaded_by("from or_spatial.msg import SceneGraph; from or_spatial.srv import AskSpatial; SceneGraph()")
    assert "or_spatial" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_the_language_of_the_suite_needs_neither_ros_nor_torch():
    assert loaded_by("import or_spatial.scene").isdisjoint(HEAVY)
