"""Lamps of the renderer and the four ways in which a theatre is lit.

Units: a light of intensity I and radius r gives irradiance I * cos / (d^2 + r^2) at d metres on its axis; a white
surface at irradiance 1 appears as 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from or_spatial.world.parts import Rgb

FIELD_RADIUS_M = 0.16
"""Of the bright field that a surgical lamp throws where it is aimed at."""
REGIMES = ("lamp_off", "lamp_on", "field_metered", "dark")
"""Lamp off as in the published pictures; lamp on with the room metered (field burnt); field metered; minimal light."""


@dataclass(frozen=True)
class Light:
    """A glowing disc of `radius_m` at `position` (3,), room frame; `color_rgb` linear. With a `spot_direction` (3,) it
    shines within `spot_angle_rad` (half angle) of it, otherwise downwards like a ceiling panel.
    """

    position: tuple[float, float, float]
    radius_m: float
    color_rgb: Rgb
    intensity: float
    spot_direction: tuple[float, float, float] | None = None
    spot_angle_rad: float | None = None

    @property
    def axis(self) -> NDArray[np.float64]:
        """Unit direction (3,) in which the disc faces."""
        a = np.asarray(self.spot_direction if self.spot_direction is not None else (0.0, 0.0, -1.0), float)
        return a / np.linalg.norm(a)


@dataclass(frozen=True)
class Lighting:
    """Lights and the colour `ambient_rgb` (linear) of what has bounced more than once."""

    lights: tuple[Light, ...]
    ambient_rgb: Rgb = (0.45, 0.45, 0.45)


def colour_of(kelvin: float) -> Rgb:
    """Linear RGB of mean 1 of a black body near 3000-7500 K against a 5000 K white (fit by eye, not colorimetric)."""
    shift = np.clip((kelvin - 5000) / 2500, -1, 1)
    rgb = np.array([1 - 0.16 * shift, 1.0, 1 + 0.22 * shift])
    return tuple(float(c) for c in rgb / rgb.mean())


def lamp_light(position: ArrayLike, target: ArrayLike, strength: float = 30.0, kelvin: float = 4400) -> Light:
    """A surgical lamp just below its disc at `position` aimed at `target` (3,), both m; `strength` is the irradiance
    there in units of the room's own.
    """
    position, target = np.asarray(position, float), np.asarray(target, float)
    ahead = target - position
    distance = np.linalg.norm(ahead)
    ahead /= distance
    start = tuple(float(c) for c in position + 0.06 * ahead)
    direction = tuple(float(c) for c in ahead)
    angle = float(np.arctan2(FIELD_RADIUS_M, distance))
    return Light(start, 0.26, colour_of(kelvin), float(strength * (distance**2 + 0.26**2)), direction, angle)


def room_lighting(
    width: float, depth: float, height: float, rng: np.random.Generator, regime: str = "lamp_off"
) -> Lighting:
    """Ceiling panels over a room centred on the origin (`width` along x, `depth` along y); add `lamp_light`s yourself.

    The level suits the regime: "field_metered" darkens the room by some 4 stops, "dark" by 3.
    """
    level = {"field_metered": 0.07, "dark": 0.12}.get(regime, 1.0) * rng.uniform(0.85, 1.15)
    tint = colour_of(rng.uniform(4200, 6200))
    rows, columns = (2, 2) if rng.random() < 0.7 else (1, 3)
    xs = (np.arange(columns) + 0.5) / columns * width * 0.8 - 0.4 * width
    ys = (np.arange(rows) + 0.5) / rows * depth * 0.8 - 0.4 * depth
    share = 0.62 * level * 1.5 * ((height - 0.9) ** 2 + 1.2) / (rows * columns) ** 0.5
    lights = [Light((float(x), float(y), height - 0.04), 1.1, tint, float(share)) for x in xs for y in ys]
    ambient = tuple(float(c * 0.56 * level) for c in tint)
    return Lighting(tuple(lights), ambient)
