"""Quality of service by name, so that it can be a parameter, and the same choice for the same kind of topic everywhere.

Images are taken SENSOR_DATA with depth 1: best effort receives from every publisher, and only the newest frame is
wanted. What is small and precious goes out RELIABLE and TRANSIENT_LOCAL, so that a late joiner has the last one.
All publishers and subscriptions accept `qos_overrides.<topic>...` parameters as well.
"""

from dataclasses import dataclass

from or_spatial.errors import ConfigError


@dataclass(frozen=True)
class Qos:
    """A profile without ROS in it: `depth` messages kept, reliable or best effort, latched or volatile."""

    depth: int
    reliable: bool
    latched: bool


PROFILES: dict[str, Qos] = {
    "SENSOR_DATA": Qos(depth=1, reliable=False, latched=False),
    "DEFAULT": Qos(depth=10, reliable=True, latched=False),
    "LATCHED": Qos(depth=1, reliable=True, latched=True),
}


def named(name: str) -> Qos:
    """The profile of this name.

    Raises:
        ConfigError: there is no such profile.
    """
    try:
        return PROFILES[name]
    except KeyError:
        raise ConfigError(f"no quality of service {name!r}; there are {', '.join(PROFILES)}") from None


def profile(name: str, depth: int | None = None):
    """The rclpy QoSProfile of a named quality of service, with another depth if one is given."""
    # Late, because parameter tables and documentation need the names on machines without ROS.
    from rclpy.qos import (
        QoSDurabilityPolicy,
        QoSHistoryPolicy,
        QoSProfile,
        QoSReliabilityPolicy,
    )

    qos = named(name)
    return QoSProfile(
        history=QoSHistoryPolicy.KEEP_LAST,
        depth=depth or qos.depth,
        reliability=QoSReliabilityPolicy.RELIABLE if qos.reliable else QoSReliabilityPolicy.BEST_EFFORT,
        durability=QoSDurabilityPolicy.TRANSIENT_LOCAL if qos.latched else QoSDurabilityPolicy.VOLATILE,
    )


def overridable():
    """Options that let integrators override history, depth, reliability and durability from YAML."""
    from rclpy.qos import QoSPolicyKind
    from rclpy.qos_overriding_options import QoSOverridingOptions

    kinds = (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, QoSPolicyKind.RELIABILITY, QoSPolicyKind.DURABILITY)
    return QoSOverridingOptions(kinds)
