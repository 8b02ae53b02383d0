"""What the box of a standing person looks like: the numbers that tie four box edges to a torso in the room.

Convention
    torso           the middle of shoulders and hips; its height is above the floor, room z = 0
    edges           left, top, right, bottom of a box: xmin, ymin, xmax, ymax, px
    spread          standard deviation in metres at the person's distance; a detector's own jitter in px is added
    hidden          probability that an edge says nothing about the person because something covers that side
"""

from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path

import yaml

from or_spatial.errors import ConfigError
from or_spatial.paths import share_path

_PROBABILITIES = ("seen_clear", "seen_covered", "posture_outlier", "least_score")


@dataclass(frozen=True, kw_only=True)
class PersonShape:
    """Numbers of a standing person and of a detector; m above the floor, m, px, or probabilities.

    The shipped values are in `config/person_boxes.yaml`, which says where they come from.
    """

    torso_height_m: float  # above the floor
    torso_height_spread_m: float  # from person to person, and with posture
    top_m: float  # from the torso up to where the box's upper edge cuts the person's own axis
    top_spread_m: float
    half_width_m: float  # from the axis to either side
    side_spread_m: float
    foot_m: float  # height where the lower edge of a box that is not covered cuts the axis
    foot_spread_m: float
    hidden_top: float
    hidden_side: float
    hidden_bottom: float
    posture_outlier: float  # people who sit, bend or kneel: their height tells nothing
    jitter_px: float
    score_bias: float  # log-odds that a box shows a person = bias + slope * log-odds of its score
    score_slope: float
    seen_clear: float  # probability that a camera boxes a person whom nothing covers in its picture
    seen_covered: float  # and one whom another person's box covers
    people_per_m2: float
    existence_bias: float  # log-odds that a person is there = bias + slope * sum over boxes + per_miss * cameras
    existence_slope: float  # of the calibrated log-odds of the person's boxes
    existence_per_miss: float  # for each camera that looks there and has no box
    least_score: float  # boxes below are not looked at

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name in _PROBABILITIES or f.name.startswith("hidden_"):
                if not 0.0 < value < 1.0:
                    raise ConfigError(f"person shape: {f.name} is a probability strictly between 0 and 1, got {value}")
            elif f.name.endswith(("spread_m", "_px", "_per_m2")) and not value > 0.0:
                raise ConfigError(f"person shape: {f.name} must be more than 0, got {value}")

    def to_yaml(self) -> str:
        """The numbers as text, in the order in which they are explained here."""
        rounded = {k: float(f"{v:.4g}") for k, v in asdict(self).items()}
        return yaml.safe_dump(rounded, sort_keys=False)


def read_shape(path: str | Path) -> PersonShape:
    """Read a file of `PersonShape`'s numbers.

    Raises:
        ConfigError: missing, damaged, or a number is missing, unknown or out of range; names file and key.
    """
    path = Path(path)
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"person shape {path} cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"person shape {path}: expected names and numbers, got {type(data).__name__}")
    names = [f.name for f in fields(PersonShape)]
    if wrong := sorted(set(map(str, data)) ^ set(names)):
        raise ConfigError(f"person shape {path}: missing or unknown: {', '.join(wrong)}; the keys are {names}")
    if bad := [k for k, v in data.items() if isinstance(v, bool) or not isinstance(v, (int, float))]:
        raise ConfigError(f"person shape {path}: {bad[0]} must be a number, got {data[bad[0]]!r}")
    return PersonShape(**data)


@cache
def shipped_shape() -> PersonShape:
    """The numbers in `config/person_boxes.yaml`."""
    return read_shape(share_path("config", "person_boxes.yaml"))
