"""Names that ROS takes for topics and namespaces, checked before DDS does so with a traceback.

https://design.ros2.org/articles/topic_and_service_names.html
"""

import re
from collections.abc import Sequence

from or_spatial.errors import ConfigError

_TOKEN = r"[A-Za-z_][A-Za-z0-9_]*"
_NAME = re.compile(rf"/?{_TOKEN}(/{_TOKEN})*")


def check_names(names: Sequence[str], what: str) -> None:
    """Refuse none at all, one that ROS would not take, or the same one twice.

    Raises:
        ConfigError: says what is wrong; begins with `what`.
    """
    if not names:
        raise ConfigError(f"{what} is empty; it needs one name at least, such as camera_1")
    for name in names:
        _check(name, what)
    if twice := {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"{what} names {min(twice)!r} more than once")


def check_namespace(namespace: str) -> None:
    """Refuse a namespace that ROS would not take; an empty one is none.

    Raises:
        ConfigError: says what is wrong.
    """
    if namespace not in ("", "/"):
        _check(namespace, "namespace")


def _check(name: str, what: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{what}: {name!r} is no ROS name; letters, digits and _ in parts that begin with no digit, / between parts"
        )
