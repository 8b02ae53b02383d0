"""The colours and surfaces of an operating room, after what published pictures and material tables show.

Base colours are unlit sRGB; those of cloth, floor and skin follow medians sampled in real theatres, spread per person
by hue and value, so that a colour alone never tells who is scrubbed.
"""

import colorsys
from dataclasses import replace

import numpy as np

from or_spatial.world.parts import Material, Rgb


def rgb(red: float, green: float, blue: float) -> Rgb:
    """sRGB bytes as fractions."""
    return red / 255, green / 255, blue / 255


STEEL = Material(rgb(186, 184, 180), 0.38, 1.0, texture="brushed", texture_scale_m=0.004)
CHROME = Material(rgb(200, 198, 195), 0.18, 1.0)
SATIN = Material(rgb(188, 187, 184), 0.33, 1.0)
WHITE_PLASTIC = Material(rgb(218, 217, 211), 0.45)
GREY_PLASTIC = Material(rgb(128, 132, 136), 0.5)
DARK_PLASTIC = Material(rgb(42, 44, 48), 0.5)
RUBBER = Material(rgb(28, 28, 30), 0.75)
CARDBOARD = Material(rgb(170, 136, 98), 0.9, texture="speckle", texture_scale_m=0.05)
PAPER = Material(rgb(228, 226, 218), 0.9)
ORANGE_HOSE = Material(rgb(205, 105, 40), 0.6)
BLOOD_CLOTH = Material(rgb(130, 40, 38), 0.8)
VINYL = Material(rgb(175, 174, 170), 0.42, texture="vinyl", texture_scale_m=1.8)
TILE = Material(rgb(224, 224, 221), 0.22, texture="tile", texture_scale_m=0.15)
CEILING = Material(rgb(196, 195, 190), 0.9, texture="ceiling", texture_scale_m=0.6)

_SKINS = (
    rgb(232, 190, 162),
    rgb(222, 172, 138),
    rgb(198, 146, 112),
    rgb(164, 113, 80),
    rgb(122, 80, 56),
    rgb(86, 56, 42),
)
_GOWNS = (rgb(150, 177, 216), rgb(140, 168, 212), rgb(158, 186, 214), rgb(90, 142, 122), rgb(108, 150, 138))
_SCRUBS = (
    rgb(62, 78, 132),
    rgb(48, 60, 104),
    rgb(92, 122, 178),
    rgb(122, 152, 200),
    rgb(70, 128, 112),
    rgb(98, 46, 62),
    rgb(64, 122, 138),
)
_DRAPES = (rgb(102, 158, 166), rgb(88, 144, 154), rgb(114, 156, 194), rgb(48, 82, 142), rgb(98, 150, 128))
_GLOVES = (rgb(104, 116, 200), rgb(126, 138, 208), rgb(226, 216, 196), rgb(150, 182, 160), rgb(196, 160, 120))


def varied(material: Material, rng: np.random.Generator, hue: float = 0.02, value: float = 0.12) -> Material:
    """The material with hue and value shifted at random by up to the given fractions."""
    h, s, v = colorsys.rgb_to_hsv(*material.base_rgb)
    h = (h + rng.uniform(-hue, hue)) % 1.0
    v = float(np.clip(v * (1 + rng.uniform(-value, value)), 0.02, 0.97))
    s = float(np.clip(s * (1 + rng.uniform(-value, value)), 0, 1))
    return replace(material, base_rgb=tuple(float(c) for c in colorsys.hsv_to_rgb(h, s, v)))


def _pick(rng: np.random.Generator, colours: tuple[Rgb, ...], weights: tuple[float, ...]) -> Rgb:
    return colours[int(rng.choice(len(colours), p=np.asarray(weights) / np.sum(weights)))]


def skin(tone: int) -> Material:
    """Skin of one of six tones, light to dark."""
    return Material(_SKINS[int(tone) % 6], 0.5, texture="skin", texture_scale_m=0.12)


def gown(rng: np.random.Generator) -> Material:
    """Non-woven sterile gown: mostly light blue, sometimes green, now and then as dark as scrubs."""
    colour = _pick(rng, _GOWNS + (rgb(84, 106, 166),), (4, 4, 2, 1.2, 1, 1.5))
    return varied(Material(colour, 0.9, texture="cloth", texture_scale_m=0.16), rng, 0.02, 0.1)


def scrubs(rng: np.random.Generator) -> Material:
    """Cotton suit: mostly navy or ceil, some jade or wine, overlapping the gowns."""
    colour = _pick(rng, _SCRUBS, (4, 4, 2, 1, 1.2, 0.8, 1))
    return varied(Material(colour, 0.92, texture="cloth", texture_scale_m=0.13), rng, 0.025, 0.14)


def any_cloth(rng: np.random.Generator, like: Material, pale: bool = False) -> Material:
    """A surface as `like`, in a colour of any hue: strong or greyish, dark to light, or `pale`."""
    hue, grey = rng.random(), rng.random() < 0.25
    saturation = rng.uniform(0.0, 0.08) if grey else rng.uniform(0.08, 0.3 if pale else 0.7)
    value = rng.uniform(0.55, 0.95) if pale else rng.uniform(0.12, 0.9)
    colour = tuple(float(c) for c in colorsys.hsv_to_rgb(hue, saturation, value))
    return replace(like, base_rgb=colour, texture_scale_m=float(like.texture_scale_m * rng.uniform(0.7, 1.4)))


def drape(rng: np.random.Generator) -> Material:
    """Non-woven drape: teal, light or deep blue, green."""
    colour = _pick(rng, _DRAPES, (4, 3, 2, 1.2, 1))
    return varied(Material(colour, 0.9, texture="creased", texture_scale_m=0.22), rng, 0.02, 0.1)


def glove(rng: np.random.Generator) -> Material:
    """Examination or surgical glove: violet-blue nitrile, cream or brown latex, green."""
    return varied(Material(_pick(rng, _GLOVES, (4, 2, 2, 1, 1)), 0.45), rng, 0.02, 0.1)


def painted(rng: np.random.Generator, *colours: Rgb, roughness: float = 0.45) -> Material:
    """A lacquered colour out of several, slightly varied."""
    return varied(Material(colours[int(rng.integers(len(colours)))], roughness), rng, 0.015, 0.08)


def machine_white(rng: np.random.Generator) -> Material:
    """Housing of a medical device: white, cream, light grey or grey-blue."""
    return painted(rng, rgb(222, 221, 215), rgb(226, 222, 205), rgb(196, 199, 202), rgb(178, 190, 202))


def plan(rng: np.random.Generator) -> Material:
    """Display of a guidance system: bones on a blue-grey ground between columns of fields."""
    return Material(rgb(46, 62, 84), 0.15, emission=float(rng.uniform(0.9, 1.8)), texture="plan", texture_scale_m=0.2)


def scan(rng: np.random.Generator) -> Material:
    """Display of a radiograph: light bones on dark grey."""
    return Material(rgb(24, 25, 27), 0.15, emission=float(rng.uniform(0.9, 1.8)), texture="scan", texture_scale_m=0.2)


def screen(rng: np.random.Generator, lit: bool = True) -> Material:
    """Display: dark glass, or lit with curves and fields."""
    if not lit:
        return Material(rgb(14, 14, 18), 0.1)
    colour = _pick(rng, (rgb(40, 70, 110), rgb(24, 26, 30), rgb(70, 90, 104), rgb(120, 128, 132)), (3, 3, 1, 1))
    return Material(colour, 0.15, emission=float(rng.uniform(0.8, 2.2)), texture="screen", texture_scale_m=0.1)
