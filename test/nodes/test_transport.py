"""Where DDS may go: profiles, domains and the variables that processes are started with."""

import socket
import xml.etree.ElementTree as ET

import pytest

from or_spatial.errors import ConfigError
from or_spatial.nodes.transport import HIGHEST_DOMAIN, Transport, profile_file, reserved_domain
from or_spatial.paths import share_path

SPACE = "{http://www.eprosima.com}"


def transports(large, loopback):
    tree = ET.parse(profile_file(large, loopback))
    return {t.findtext(f"{SPACE}type"): t for t in tree.iter(f"{SPACE}transport_descriptor")}


@pytest.mark.parametrize("large", [False, True])
def test_loopback_means_a_whitelist_of_one_address(large):
    udp = transports(large, loopback=True)["UDPv4"]
    assert [a.text for a in udp.iter(f"{SPACE}address")] == ["127.0.0.1"]


@pytest.mark.parametrize(("large", "size"), [(False, None), (True, "33554432")])
def test_only_image_publishers_get_the_large_segment(large, size):
    assert transports(large, loopback=True)["SHM"].findtext(f"{SPACE}segment_size") == size


def test_a_large_segment_on_any_network_is_the_shipped_profile():
    assert profile_file(large_segment=True, loopback=False) == share_path("config", "fastdds.xml")


def test_without_loopback_and_images_nothing_is_forced_upon_the_middleware():
    assert Transport().environment() == {}
    assert Transport(domain=7).environment() == {"ROS_DOMAIN_ID": "7"}


def test_loopback_undoes_variables_that_would_open_other_sockets():
    variables = Transport(loopback=True).environment()
    assert variables["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "SUBNET"
    assert variables["RMW_IMPLEMENTATION"] == "rmw_fastrtps_cpp"


@pytest.mark.parametrize("domain", [-1, 102])
def test_a_domain_whose_ports_are_not_ours_is_refused(domain):
    with pytest.raises(ConfigError, match=f"domain id is {domain}, allowed is 0 to 101"):
        Transport(domain=domain)


def test_two_reservations_never_share_a_domain():
    with reserved_domain() as first, reserved_domain() as second:
        assert first != second
        assert min(first, second) >= 1 and max(first, second) <= 101


def test_a_domain_in_use_is_left_alone(monkeypatch):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        mine = next(d for d in range(1, HIGHEST_DOMAIN + 1) if bound(taken, 7400 + 250 * d + 12))
        first = [mine, *(d for d in range(1, HIGHEST_DOMAIN + 1) if d != mine)]
        monkeypatch.setattr("random.sample", lambda population, count: first)
        with reserved_domain() as domain:
            assert domain != mine


def bound(socket_, port):
    """Whether the port was free, and is taken now: another test may be using any domain."""
    try:
        socket_.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True
