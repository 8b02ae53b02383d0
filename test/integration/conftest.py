"""Real nodes in processes of their own, over real DDS, on a domain of their own that never leaves loopback."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from synthetic_room import SyntheticRoom
from talking import Listener

from or_spatial.nodes.transport import Transport, reserved_domain


@pytest.fixture(scope="module")
def transport() -> Iterator[Transport]:
    """A quiet domain on loopback; this process's DDS variables are restored afterwards."""
    before = dict(os.environ)
    with reserved_domain() as domain:
        yield Transport(domain=domain, loopback=True)
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="module")
def room() -> SyntheticRoom:
    """Six seconds with two cameras; a person walks at the robot after 3.5 s."""
    return SyntheticRoom(seconds=6.0, rate_hz=5.0, walks_at_s=3.5, cameras=("camera_1", "camera_2"))


@pytest.fixture(scope="module")
def bag(room: SyntheticRoom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a recording."""
    return room.write_bag(tmp_path_factory.mktemp("bag") / "room")


@pytest.fixture(scope="module")
def listener(transport: Transport) -> Iterator[Listener]:
    """A node in this process that listens, publishes and calls services."""
    with Listener.spun(transport) as spun:
        yield spun


@pytest.fixture(autouse=True)
def no_thread_is_left_behind() -> Iterator[None]:
    """A test that leaves a thread of its own behind would disturb the next one."""
    before = {t.name for t in threading.enumerate()}
    yield
    left = {t.name for t in threading.enumerate()} - before
    assert not {name for name in left if name.startswith(("suite-", "perceive"))}
