"""Where DDS may go: domain ids, a loopback-only mode, and the shared-memory segment of image publishers. No rclpy here.

Everything rests on the shipped `config/fastdds.xml` (a large segment). Loopback-only adds a whitelist of 127.0.0.1 to
its UDP transport: every socket is then bound to the loopback interface, which `ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST`
does not achieve (measured on Kilted: it binds 0.0.0.0 and the address of eth0). Beside the whitelist that variable
does harm, so it is reset.
"""

import fcntl
import os
import random
import socket
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from or_spatial.errors import ConfigError
from or_spatial.paths import share_path

HIGHEST_DOMAIN = 101  # above, DDS ports run into Linux's range for outgoing connections
_NAMESPACE = "http://www.eprosima.com"


@dataclass(frozen=True, kw_only=True)
class Transport:
    """The DDS side of a run. `domain` None leaves ROS_DOMAIN_ID as it is."""

    domain: int | None = None
    loopback: bool = False

    def __post_init__(self) -> None:
        if self.domain is not None and not 0 <= self.domain <= HIGHEST_DOMAIN:
            raise ConfigError(f"domain id is {self.domain}, allowed is 0 to {HIGHEST_DOMAIN}")

    def environment(self, *, publishes_images: bool = False) -> dict[str, str]:
        """Variables that a process must have before `rclpy.init`; a large segment only for publishers of images."""
        variables: dict[str, str] = {}
        if self.domain is not None:
            variables["ROS_DOMAIN_ID"] = str(self.domain)
        if self.loopback:
            variables |= {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET", "ROS_LOCALHOST_ONLY": "0"}
        if self.loopback or publishes_images:
            variables["RMW_IMPLEMENTATION"] = "rmw_fastrtps_cpp"
            variables["FASTDDS_DEFAULT_PROFILES_FILE"] = str(profile_file(publishes_images, self.loopback))
        return variables

    def apply(self, *, publishes_images: bool = False) -> None:
        """Set the same variables in this process; call before `rclpy.init`."""
        os.environ.update(self.environment(publishes_images=publishes_images))


def profile_file(large_segment: bool, loopback: bool) -> Path:
    """A FastDDS profile made of `config/fastdds.xml`; that file itself for a large segment on any network."""
    shipped = share_path("config", "fastdds.xml")
    if large_segment and not loopback:
        return shipped
    ET.register_namespace("", _NAMESPACE)
    tree = ET.parse(shipped)
    for transport in tree.iter(f"{{{_NAMESPACE}}}transport_descriptor"):
        kind = transport.findtext(f"{{{_NAMESPACE}}}type")
        if kind == "SHM" and not large_segment:
            _drop(transport, "segment_size", "maxMessageSize")
        if kind == "UDPv4" and loopback:
            _drop(transport, "interfaceWhiteList")
            allowed = ET.SubElement(transport, f"{{{_NAMESPACE}}}interfaceWhiteList")
            ET.SubElement(allowed, f"{{{_NAMESPACE}}}address").text = "127.0.0.1"
    return _written(ET.tostring(tree.getroot(), encoding="unicode"), f"{large_segment:d}{loopback:d}")


@contextmanager
def reserved_domain() -> Iterator[int]:
    """A domain id that nobody on this machine uses, kept until the end of the block.

    A lock file keeps other runs of ours away, a try at the domain's first port everybody else.

    Raises:
        ConfigError: every domain is in use.
    """
    for domain in random.sample(range(1, HIGHEST_DOMAIN + 1), HIGHEST_DOMAIN):
        with open(_private_folder() / f"domain_{domain}.lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            if _is_quiet(domain):
                yield domain
                return
    raise ConfigError(f"all domain ids from 1 to {HIGHEST_DOMAIN} are in use on this machine")


def _is_quiet(domain: int) -> bool:
    """Whether the first participants' ports of a domain are free (DDSI-RTPS 9.6.1: 7400 + 250 d + 10 + 2 p)."""
    for participant in range(4):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", 7400 + 250 * domain + 10 + 2 * participant))
            except OSError:
                return False
    return True


def _drop(parent: ET.Element, *names: str) -> None:
    for name in names:
        for child in parent.findall(f"{{{_NAMESPACE}}}{name}"):
            parent.remove(child)


def _private_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"or_spatial_{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise ConfigError(f"{folder} belongs to another user; set TMPDIR to a folder of your own")
    return folder


def _written(text: str, name: str) -> Path:
    """The profile as a file; written aside and renamed, for several processes may write the same one."""
    path = _private_folder() / f"fastdds_{name}.xml"
    if not path.is_file() or path.read_text() != text:
        aside = path.with_suffix(f".{os.getpid()}")
        aside.write_text(text)
        aside.replace(path)
    return path
