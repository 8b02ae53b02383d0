"""What this machine has, what it lacks, what that costs and how to cure it. Works with half of it missing.

Nothing heavy is imported: versions come from package metadata, so the doctor answers within a second.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from importlib import metadata, util
from pathlib import Path

from or_spatial import __version__


class Status(str, Enum):
    """How a part stands; `ABSENT` is an optional part that is not there."""

    OK = "ok"
    OLD = "old"
    MISSING = "missing"
    ABSENT = "absent"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: `cost` is what is lost without it, `remedy` the command or step that cures it."""

    name: str
    status: Status
    found: str
    cost: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Part:
    """A Python package to look for. `names` are distributions that bring it; an optional one is never `missing`."""

    title: str
    module: str
    names: tuple[str, ...]
    oldest: str = ""
    optional: bool = False
    cost: str = ""
    remedy: str = ""


_DRIVER_WITHIN_S = 3.0
_RUNTIME = "pip install -r requirements/runtime.txt"
PARTS = (
    Part("NumPy", "numpy", ("numpy",), "1.24", cost="nothing works", remedy=_RUNTIME),
    Part("SciPy", "scipy", ("scipy",), "1.10", cost="no tracking, no relations", remedy=_RUNTIME),
    Part(
        "OpenCV",
        "cv2",
        ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python"),
        "4.6",
        cost="no compressed images, no overlays",
        remedy="pip install opencv-python-headless (not opencv-python: it wants the system's libGL)",
    ),
    Part("ONNX Runtime", "onnxruntime", ("onnxruntime", "onnxruntime-gpu"), "1.17",
         cost="the model cannot run; only --perceiver rules", remedy="pip install onnxruntime"),
    Part("rosbags", "rosbags", ("rosbags",), "0.10", cost="no replay, no demo", remedy="pip install rosbags"),
    Part("matplotlib", "matplotlib", ("matplotlib",), "3.6", cost="no maps and timelines in reports", remedy=_RUNTIME),
    Part("Jinja2", "jinja2", ("jinja2",), "3.0", cost="no HTML reports", remedy="pip install jinja2"),
    Part("psutil", "psutil", ("psutil",), "5.9", cost="memory is not measured", remedy="pip install psutil"),
    Part("embreex + trimesh", "embreex", ("embreex",), "", cost="the synthetic world cannot be rendered",
         remedy="pip install trimesh embreex"),
    Part("PyTorch", "torch", ("torch",), "2.6", optional=True, cost="no training, no export",
         remedy="pip install -r requirements/train.txt"),
    Part("Transformers", "transformers", ("transformers",), "4.57", optional=True, cost="no training, no export",
         remedy="pip install -r requirements/train.txt"),
    Part("Rerun", "rerun", ("rerun-sdk",), "", optional=True, cost="no or_spatial demo --rerun",
         remedy="pip install rerun-sdk"),
    Part("Open3D", "open3d", ("open3d", "open3d-cpu"), "", optional=True, cost="no or_spatial calibrate --icp open3d",
         remedy="pip install open3d"),
    Part("Mitsuba", "mitsuba", ("mitsuba",), "3.5", optional=True, cost="no or_spatial evaluate --task domain",
         remedy="pip install mitsuba"),
)  # fmt: skip

UPSTREAM = (
    ("cv_bridge", "images in exotic encodings are refused"),
    ("message_filters", "cameras are paired by our own newest-within-slop rule"),
    ("tf2_ros", "camera poses come from <camera>/pose or config/cameras.yaml, not from TF"),
    ("vision_msgs", "no Detection3DArray mirror of the objects"),
    ("launch_ros", "no ros2 launch; `or_spatial run` starts the same nodes"),
)


def examine() -> list[Finding]:
    """Every finding, in the order of the report; a check that breaks becomes a finding itself."""
    found: list[Finding] = []
    for check in (_python, _ros, _interfaces, _packages, _gpu, _bundle, _demo_bag, _shared_memory, _profile, _upstream):
        found += _safely(check)
    return found


def render_markdown(findings: list[Finding]) -> str:
    """The findings as a Markdown table to paste into an issue."""
    lines = [f"or_spatial {__version__}, {platform.platform()}", "", "| part | status | found | cost | remedy |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for f in findings:
        cells = (f.name, f.status.value, f.found, f.cost, f.remedy)
        lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    return "\n".join(lines)


def _safely(check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    name = check.__name__.strip("_").replace("_", " ")
    try:
        return list(check())
    except Exception as error:
        return [Finding(name, Status.MISSING, f"the check itself failed: {type(error).__name__}: {error}")]


def judge(name: str, found: str | None, oldest: str, cost: str, remedy: str, optional: bool = False) -> Finding:
    """A finding from a version: None is missing (absent when optional), below `oldest` is old."""
    if found is None:
        return Finding(name, Status.ABSENT if optional else Status.MISSING, "not installed", cost, remedy)
    if oldest and _numbers(found) < _numbers(oldest):
        return Finding(name, Status.OLD, f"{found}, wanted is {oldest} or newer", cost, remedy)
    return Finding(name, Status.OK, found)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", version.split("+")[0])[:3])


def _python() -> Iterator[Finding]:
    cost, remedy = "not supported", "install Python 3.10 or newer"
    finding = judge("Python", platform.python_version(), "3.10", cost, remedy)
    yield Finding(finding.name, finding.status, f"{finding.found} ({sys.executable})", finding.cost, finding.remedy)


def _ros() -> Iterator[Finding]:
    remedy = "source /opt/ros/<distro>/setup.bash, or `make` for the wheels of ROS 2 Kilted"
    spec = util.find_spec("rclpy")
    wheel = _version("ros-kilted-rclpy")
    distro = os.environ.get("ROS_DISTRO") or ("kilted (wheels)" if wheel else "")
    if spec is None:
        yield Finding("ROS 2", Status.MISSING, "no rclpy", "no nodes, no demo; the library itself works", remedy)
        return
    yield Finding("ROS 2", Status.OK, f"{distro or 'unknown distribution'}, rclpy {_version('rclpy') or wheel or '?'}")
    rmw = os.environ.get("RMW_IMPLEMENTATION") or "default (rmw_fastrtps_cpp)"
    if "fastrtps" in rmw:
        yield Finding("middleware", Status.OK, rmw)
    else:
        cost = "the shared-memory profile for large images is not used"
        yield Finding("middleware", Status.OLD, rmw, cost, "unset RMW_IMPLEMENTATION, or tune your own middleware")


def _interfaces() -> Iterator[Finding]:
    import or_spatial

    for folder in or_spatial.__path__:
        if (Path(folder) / "msg" / "__init__.py").is_file():
            yield Finding("or_spatial.msg", Status.OK, str(Path(folder) / "msg"))
            return
    yield Finding(
        "or_spatial.msg",
        Status.MISSING,
        "interfaces are not built",
        "no nodes, no demo",
        "make (venv) or colcon build --packages-select or_spatial, then source install/setup.bash",
    )


def _packages() -> Iterator[Finding]:
    for part in PARTS:
        found = next((v for n in part.names if (v := _version(n))), None)
        if found is None and util.find_spec(part.module):
            found = "present"  # a system package without metadata
        known = part.oldest if found != "present" else ""
        yield judge(part.title, found, known, part.cost, part.remedy, part.optional)


def _gpu() -> Iterator[Finding]:
    tool = shutil.which("nvidia-smi")
    cost = "none needed: everything runs on the CPU"
    if tool is None:
        yield Finding("CUDA", Status.ABSENT, "no NVIDIA driver", cost)
        return
    command = [tool, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_DRIVER_WITHIN_S, check=True)
        yield Finding("CUDA", Status.OK, answer.stdout.strip().splitlines()[0])
    except (OSError, subprocess.SubprocessError, IndexError):
        yield Finding("CUDA", Status.ABSENT, "the driver does not answer", cost, "nvidia-smi says why")


def _bundle() -> Iterator[Finding]:
    from or_spatial.errors import BundleError
    from or_spatial.inference.bundle import Bundle

    cost = "no model: the demo falls back to the rule baseline"
    remedy = "git checkout -- resource/models, or make one: or_spatial train, then or_spatial export"
    try:
        bundle = Bundle.load()
    except BundleError as error:
        yield Finding("model bundle", Status.MISSING, str(error), cost, remedy)
        return
    size = sum(f.stat().st_size for f in bundle.folder.iterdir() if f.is_file()) / 1e6
    yield Finding("model bundle", Status.OK, f"{bundle.model_id}, {size:.1f} MB, every sha256 agrees")


def _demo_bag() -> Iterator[Finding]:
    from or_spatial.errors import ConfigError
    from or_spatial.paths import share_path

    try:
        folder = share_path("resource", "demo")
    except ConfigError:
        folder = None
    bags = sorted(folder.rglob("metadata.yaml")) if folder else []
    if bags:
        size = sum(f.stat().st_size for f in bags[0].parent.iterdir() if f.is_file()) / 1e6
        yield Finding("demo bag", Status.OK, f"{bags[0].parent.name}, {size:.1f} MB")
    else:
        remedy = "git checkout -- resource/demo, or or_spatial demo --bag <one made by or_spatial world --out>"
        yield Finding("demo bag", Status.MISSING, "resource/demo holds no bag", "the demo renders one first", remedy)


def _shared_memory() -> Iterator[Finding]:
    place = Path("/dev/shm")
    if not place.is_dir():
        yield Finding("/dev/shm", Status.ABSENT, "no such folder", "images travel over UDP, slower")
        return
    total_mb = shutil.disk_usage(place).total / 1e6
    if total_mb < 128:  # one 32 MB segment per image publisher, and room for the rest
        remedy = "docker run --shm-size 512m"
        yield Finding("/dev/shm", Status.OLD, f"{total_mb:.0f} MB", "large images may be lost", remedy)
    else:
        yield Finding("/dev/shm", Status.OK, f"{total_mb:.0f} MB")


def _profile() -> Iterator[Finding]:
    named = os.environ.get("FASTDDS_DEFAULT_PROFILES_FILE") or os.environ.get("FASTRTPS_DEFAULT_PROFILES_FILE")
    if named and not Path(named).is_file():
        yield Finding("FastDDS profile", Status.MISSING, f"{named} does not exist", "defaults are used",
                      "unset FASTDDS_DEFAULT_PROFILES_FILE or point it at config/fastdds.xml")  # fmt: skip
    elif named:
        yield Finding("FastDDS profile", Status.OK, named)
    else:
        from or_spatial.paths import share_path

        path = share_path("config", "fastdds.xml")
        cost = "`or_spatial run` sets it by itself; for your own image publishers half of the 720p frames may be lost"
        remedy = f"export FASTDDS_DEFAULT_PROFILES_FILE={path} for publishers of large images"
        yield Finding("FastDDS profile", Status.ABSENT, "not set in this shell", cost, remedy)


def _upstream() -> Iterator[Finding]:
    for module, cost in UPSTREAM:
        if util.find_spec(module):
            yield Finding(module, Status.OK, "present")
        else:
            remedy = f"apt install ros-$ROS_DISTRO-{module.replace('_', '-')} (not on PyPI)"
            yield Finding(module, Status.ABSENT, "not installed", cost, remedy)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def to_json(findings: list[Finding]) -> str:
    """The findings as a JSON list, for scripts."""
    return json.dumps([{**f.__dict__, "status": f.status.value} for f in findings], indent=2)
