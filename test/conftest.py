"""Shared by all tests: hypothesis without deadlines, the real annotations if present, and a DDS domain of one's own."""

import os
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent

# A slow first call is not a fault; the same examples every time, so that a red test is red for everybody.
hypothesis.settings.register_profile("or_spatial", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("search", deadline=None, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("OR_SPATIAL_HYPOTHESIS", "or_spatial"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests over DDS share two processors and their timing: one worker runs them one after another."""
    for item in items:
        if "ros_domain" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.dds)
        if item.get_closest_marker("dds"):
            item.add_marker(pytest.mark.xdist_group("dds"))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real annotations (4D-OR, MM-OR, MVOR); never part of the repository."""
    folder = Path(os.environ.get("OR_SPATIAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs real annotations; {folder} does not exist, OR_SPATIAL_DATA may name another folder")
    return folder


@pytest.fixture(scope="session")
def real_data(data_dir: Path) -> Path:
    """The same folder under its other name."""
    return data_dir


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch):
    """A domain id (<= 101) that nobody on this machine uses; this process and its children stay on loopback.

    ROS_DOMAIN_ID and the DDS profile are set in the environment before the test starts.
    """
    pytest.importorskip("rclpy", reason="needs ROS 2")
    from or_spatial.nodes.transport import Transport, reserved_domain

    with reserved_domain() as domain:
        for name, value in Transport(domain=domain, loopback=True).environment().items():
            monkeypatch.setenv(name, value)
        yield domain
