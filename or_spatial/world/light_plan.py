"""How one clip is lit: which of the four regimes, and where its lamps aim."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from or_spatial.world.light import REGIMES, Lighting, lamp_light, room_lighting
from or_spatial.world.realism import Realism
from or_spatial.world.splits import split_plan, stream

if TYPE_CHECKING:
    from or_spatial.world.script import Script

_SHARES = (0.54, 0.36, 0.04, 0.06)
"""In the published pictures the lamp is off (operating-room.md section 5.1); the hard regimes are kept rarer."""


def lamp_regime(split: str, seed: int, procedure: str) -> str:
    """The regime of a clip; the gallbladder is often done in the dark."""
    rng = stream(split, seed, "regime")
    regime = str(rng.choice(REGIMES, p=_SHARES))
    return "dark" if procedure == "laparoscopic_gallbladder" and rng.random() < 0.5 else regime


def _balanced(light: Lighting, realism: Realism, rng: np.random.Generator) -> Lighting:
    """More or less bounced against direct light, panels that differ, and now and then a dead one."""
    if not realism.light_spread:
        return light
    strengths = np.exp(rng.normal(0, realism.light_spread, len(light.lights)))
    strengths[rng.random(len(strengths)) < realism.panel_fails] = 0.03
    panels = tuple(replace(p, intensity=float(p.intensity * s)) for p, s in zip(light.lights, strengths, strict=True))
    bounced = float(np.exp(rng.normal(0, realism.light_spread)))
    return Lighting(panels, tuple(float(c * bounced) for c in light.ambient_rgb))


def room_light(script: "Script") -> Lighting:
    """The clip's light: ceiling panels, and lamps aimed at the field when they are on."""
    rng = stream(script.split, script.seed, "light")
    regime = lamp_regime(script.split, script.seed, script.procedure)
    layout = script.layout
    light = room_lighting(layout.width_m, layout.depth_m, layout.height_m, rng, regime)
    light = _balanced(light, split_plan(script.split).realism, stream(script.split, script.seed, "balance"))
    if regime not in ("lamp_on", "field_metered"):
        return light
    trunk = script.procedure in ("vertebroplasty", "laparoscopic_gallbladder")
    field = np.array([*layout.room_from_table(0.2 if trunk else -0.42, 0.06), 1.0])
    strength = rng.uniform(3.0, 14.0) if regime == "lamp_on" else 1.1
    lamps = tuple(
        lamp_light(at, field + rng.normal(0, 0.06, 3), float(strength), float(rng.uniform(4000, 4800)))
        for at in script.lamp_at
    )
    return Lighting(light.lights + lamps, light.ambient_rgb)
