"""Where the files beside the code lie: config, resource and launch folders, in a checkout or installed."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from or_spatial.errors import ConfigError


def _roots() -> Iterator[Path]:
    if named := os.environ.get("OR_SPATIAL_SHARE"):
        yield Path(named)
    checkout = Path(__file__).resolve().parent.parent
    if (checkout / "package.xml").is_file():
        yield checkout
    for prefix in [*os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix]:
        if prefix:
            yield Path(prefix) / "share" / "or_spatial"


def share_path(*parts: str) -> Path:
    """Find a shipped file or folder, such as `share_path("config", "hazards.yaml")`.

    The checkout wins over an installed copy; `OR_SPATIAL_SHARE` wins over both.

    Raises:
        ConfigError: no root holds it; the message lists where it was looked for.
    """
    tried = []
    for root in _roots():
        path = root.joinpath(*parts)
        if path.exists():
            return path
        tried.append(str(path))
    raise ConfigError(f"{'/'.join(parts)} is not shipped with this installation; looked for {', '.join(tried)}")


def cache_path(*parts: str) -> Path:
    """A place for what can be made again (renderings, engines): `OR_SPATIAL_CACHE`, else the user's cache folder."""
    root = os.environ.get("OR_SPATIAL_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "or_spatial"
    )
    return Path(root).joinpath(*parts)
