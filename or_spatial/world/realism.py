"""How rich a version of the world looks: what its cameras, clothes, bodies, light and clutter are drawn from.

A version changes pictures, not plots: with the same split and seed every version plays the same script in the same
room (training rooms of version 2 are more), so that what a figure loses between two versions is due to looks alone.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Realism:
    """What there is to draw from.

    `lens_deg` horizontal fields of view; `exposure_ev` spread of exposures in stops; `shutter_s` longest exposure time
    (0: nothing moves while it is open); `picture_spread` of contrast and saturation, and whether cameras sharpen;
    `build_spread` and `build` (least, most) of girths; `free_cloth` share of people in colours of any hue;
    `light_spread` of bounced against direct light and among panels, in log; `panel_fails` share of dead panels;
    `carts` and `clutter` pieces of scenery at most beside what version 1 has.
    """

    version: int
    lens_deg: tuple[float, float]
    exposure_ev: float
    shutter_s: float
    picture_spread: float
    build_spread: float
    build: tuple[float, float]
    free_cloth: float
    light_spread: float
    panel_fails: float
    carts: int
    clutter: int


PLAIN = Realism(
    version=1,
    lens_deg=(60, 95),
    exposure_ev=0.28,
    shutter_s=0.0,
    picture_spread=0.0,
    build_spread=0.10,
    build=(0.8, 1.3),
    free_cloth=0.0,
    light_spread=0.0,
    panel_fails=0.0,
    carts=0,
    clutter=0,
)
RICH = Realism(
    version=2,
    lens_deg=(45, 100),
    exposure_ev=0.38,
    shutter_s=1 / 25,
    picture_spread=0.14,
    build_spread=0.15,
    build=(0.75, 1.45),
    free_cloth=0.35,
    light_spread=0.30,
    panel_fails=0.06,
    carts=3,
    clutter=4,
)
VERSIONS = {realism.version: realism for realism in (PLAIN, RICH)}
