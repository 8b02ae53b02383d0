"""What one person wears, drawn once from a seed, and the head with cap, mask and face that goes with it."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from or_spatial.world import materials as look
from or_spatial.world.figure import hand_mesh, shell, shoe_mesh
from or_spatial.world.materials import rgb, varied
from or_spatial.world.meshing import Mesh, place, smooth_path, sphere, tube
from or_spatial.world.parts import Material

_ATTIRE_SEED = {"scrubs": 1, "sterile_gown": 2, "lead_apron": 3, "patient": 4}
_PERSONS = 64
FREE_PALETTES = 1 << 30
"""Palette seeds from here on wear clothes of any hue; below it the colours of published pictures."""
Piece = tuple[str, Material, Mesh]


@dataclass(frozen=True)
class Outfit:
    """Materials and cuts of one person. `sleeve` is "long" or "short"; `hem` the height of the lowest edge as a
    fraction of body height; `folds` rows of (count, phase, drift); `hands` resting places (left, right) in the torso
    frame, / height.
    """

    top: Material
    legs: Material
    shoe: Material
    sock: Material
    hand: Material
    skin: Material
    cap: Material
    mask: Material | None
    hair: Material
    sleeve: str
    hem: float
    flare: float
    cap_style: str
    glasses: bool
    bulk: float
    folds: tuple[tuple[float, float, float], ...]
    hands: tuple[NDArray[np.float64], NDArray[np.float64]]

    @property
    def gloved(self) -> bool:
        """Whether the hands wear gloves."""
        return self.hand is not self.skin


def outfit(attire: str, skin_tone: int, palette_seed: int) -> Outfit:
    """Clothes of one of the four kinds; the seed settles everything the kind leaves open."""
    rng = np.random.default_rng([_ATTIRE_SEED[attire], int(palette_seed) & 0x7FFFFFFF])
    skin = varied(look.skin(skin_tone), rng, 0.01, 0.06)
    cap, style = _cap(rng)
    base = Outfit(
        top=look.scrubs(rng),
        legs=look.scrubs(rng),
        shoe=_shoe(rng),
        sock=varied(Material(rgb(60, 62, 70), 0.9, texture="striped", texture_scale_m=0.05), rng, 0.3, 0.5),
        hand=skin,
        skin=skin,
        cap=cap,
        mask=_mask(rng),
        hair=look.painted(rng, rgb(40, 30, 24), rgb(72, 50, 34), rgb(20, 18, 18), rgb(140, 118, 88), roughness=0.8),
        sleeve="short",
        hem=0.47,
        flare=0.0,
        cap_style=style,
        glasses=bool(rng.random() < 0.35),
        bulk=0.004,
        folds=tuple(
            (float(k), float(rng.uniform(0, 6.3)), float(rng.normal(0, 2.5))) for k in rng.choice(range(5, 13), 3)
        ),
        hands=_resting(rng, rng.random() < 0.35),
    )
    dressed = {"scrubs": _staff, "sterile_gown": _scrubbed, "lead_apron": _aproned, "patient": _patient}[attire]
    worn = dressed(base, rng)
    return _repainted(worn, attire, rng) if palette_seed >= FREE_PALETTES else worn


def _repainted(worn: Outfit, attire: str, rng: np.random.Generator) -> Outfit:
    """The same clothes in colours of any hue: hospitals differ, and a colour says little about who wears it."""
    top = look.any_cloth(rng, worn.top, pale=attire in ("sterile_gown", "patient"))
    suited = worn.legs is worn.top or rng.random() < 0.3
    legs = top if suited else look.any_cloth(rng, worn.legs) if worn.legs is not worn.skin else worn.skin
    cap = look.any_cloth(rng, worn.cap, pale=worn.cap_style == "bouffant")
    mask = worn.mask and look.any_cloth(rng, worn.mask, pale=True)
    hand = look.any_cloth(rng, worn.hand) if worn.gloved and rng.random() < 0.5 else worn.hand
    return replace(worn, top=top, legs=legs, cap=cap, mask=mask, hand=hand)


def _staff(base: Outfit, rng: np.random.Generator) -> Outfit:
    """Suit of one colour; two in five wear a long-sleeved jacket or an unsterile long gown, one in four gloves."""
    cut = rng.random()
    hand = look.glove(rng) if rng.random() < 0.25 else base.skin
    suit = replace(base, legs=base.top, hand=hand)
    if cut < 0.25:
        return replace(suit, sleeve="long", hem=0.43, bulk=0.016, top=varied(look.scrubs(rng), rng))
    if cut < 0.38:
        dark = varied(Material(rgb(66, 82, 138), 0.9, texture="cloth", texture_scale_m=0.15), rng, 0.02, 0.15)
        return replace(suit, sleeve="long", hem=float(rng.uniform(0.2, 0.3)), flare=0.02, bulk=0.018, top=dark)
    return suit


def _scrubbed(base: Outfit, rng: np.random.Generator) -> Outfit:
    hem = float(rng.uniform(0.13, 0.24))
    return replace(
        base,
        top=look.gown(rng),
        hand=look.glove(rng),
        sleeve="long",
        hem=hem,
        flare=float(rng.uniform(0.02, 0.045)),
        bulk=float(rng.uniform(0.016, 0.03)),
        hands=_resting(rng, True),
    )


def _aproned(base: Outfit, rng: np.random.Generator) -> Outfit:
    apron = look.painted(rng, rgb(40, 60, 120), rgb(36, 92, 84), rgb(110, 40, 60), rgb(70, 74, 82), roughness=0.5)
    return replace(base, top=apron, hem=float(rng.uniform(0.27, 0.36)), flare=0.008, bulk=0.02)


def _patient(base: Outfit, rng: np.random.Generator) -> Outfit:
    shirt = look.painted(
        rng, rgb(68, 84, 136), rgb(150, 172, 200), rgb(206, 208, 204), rgb(120, 160, 150), roughness=0.9
    )
    shirt = replace(shirt, texture="cloth", texture_scale_m=0.12)
    mask = base.mask if rng.random() < 0.4 else None
    return replace(base, top=shirt, legs=base.skin, mask=mask, hem=0.465, flare=0.0, glasses=False, bulk=0.012)


def _resting(rng: np.random.Generator, clasped: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Hands hang at the sides, or are held before the belly."""
    if clasped:
        x, z = rng.uniform(0.14, 0.2), rng.uniform(0.06, 0.16)
        return np.array([x, 0.035, z]), np.array([x + 0.01, -0.035, z + 0.01])
    x, z = rng.uniform(0.02, 0.08, 2), rng.uniform(-0.08, -0.04, 2)
    return np.array([x[0], 0.165, z[0]]), np.array([x[1], -0.165, z[1]])


def _cap(rng: np.random.Generator) -> tuple[Material, str]:
    gauze = (rgb(168, 182, 204), rgb(150, 172, 200), rgb(176, 196, 186), rgb(196, 202, 206))
    if rng.random() < 0.65:
        colour = gauze[int(rng.integers(len(gauze)))]
        return varied(Material(colour, 0.9, texture="cap", texture_scale_m=0.045), rng, 0.02, 0.1), "bouffant"
    cloth = look.scrubs(rng) if rng.random() < 0.6 else Material(rgb(170, 90, 60), 0.9)
    return varied(replace(cloth, texture="speckle", texture_scale_m=0.03), rng, 0.06, 0.15), "tied"


def _mask(rng: np.random.Generator) -> Material:
    return look.painted(
        rng, rgb(112, 164, 202), rgb(216, 216, 216), rgb(140, 190, 190), rgb(120, 176, 214), roughness=0.9
    )


def _shoe(rng: np.random.Generator) -> Material:
    return look.painted(
        rng, rgb(222, 220, 214), rgb(30, 30, 32), rgb(70, 80, 100), rgb(60, 110, 90), rgb(150, 60, 60), rgb(96, 98, 104)
    )


@lru_cache(maxsize=_PERSONS)
def head_pieces(height: float, attire: str, skin_tone: int, palette_seed: int) -> tuple[Piece, ...]:
    """Head, face, cap and mask about the head's centre: x out of the face, z to the crown; (name, material, mesh)."""
    wear = outfit(attire, skin_tone, palette_seed)
    rng = np.random.default_rng([7, int(palette_seed) & 0x7FFFFFFF])
    r = np.array([0.056, 0.0455, 0.066]) * height
    dark, lens = Material(rgb(40, 32, 30), 0.4), Material(rgb(30, 32, 38), 0.1)
    pieces = [
        ("head", wear.skin, sphere(r, sides=14, rows=9)),
        ("head", wear.skin, _jaw(r)),
        ("head", wear.skin, _nose(r)),
    ]
    pieces += [("head", wear.skin, sphere(r * [0.16, 0.1, 0.22], (0, s * r[1], -0.05 * r[2]), 6, 4)) for s in (1, -1)]
    for s in (1, -1):
        eye = (0.915 * r[0], s * 0.38 * r[1], 0.08 * r[2])
        pieces.append(("head", dark, sphere(r * [0.05, 0.13, 0.06], eye, 6, 4)))
        pieces.append(
            ("head", wear.hair, sphere(r * [0.06, 0.24, 0.03], (eye[0] - 0.01 * r[0], eye[1], 0.21 * r[2]), 6, 4))
        )
        if wear.glasses:
            pieces.append(("head", lens, _rim(r, s)))
    if wear.mask is not None:
        pieces.append(("head", wear.mask, _mask_mesh(r)))
    pieces += [("head", m, mesh) for m, mesh in _headgear(wear, r, rng)]
    return tuple(pieces)


def _jaw(r: NDArray) -> Mesh:
    return sphere(r * [0.72, 0.74, 0.5], (0.16 * r[0], 0, -0.52 * r[2]), 9, 5)


def _nose(r: NDArray) -> Mesh:
    return sphere(r * [0.2, 0.14, 0.2], (0.98 * r[0], 0, -0.16 * r[2]), 6, 5)


def _rim(r: NDArray, s: int) -> Mesh:
    a = np.linspace(0, 2 * np.pi, 9)
    loop = np.stack([0 * a + 1.02 * r[0], s * 0.4 * r[1] + 0.3 * r[1] * np.cos(a), (0.06 + 0.2 * np.sin(a)) * r[2]], -1)
    return tube(loop, 0.02 * r[0], 4)


def _mask_mesh(r: NDArray) -> Mesh:
    """Pleated patch from the bridge of the nose to under the chin."""
    columns = 13
    lift = 0.1 * np.cos(np.linspace(-np.pi / 2, np.pi / 2, columns))
    bumps = 0.06 * np.cos(np.linspace(-1.5, 1.5, columns))[None] * np.sin(np.linspace(0.2, 3.0, 7))[:, None]
    lower, upper = np.full(columns, -1.05), -0.26 + 2.2 * lift
    return shell(r * [1.1, 1.07, 1.0], (-1.25, 1.25), lower, upper, 7, bumps)


def _headgear(wear: Outfit, r: NDArray, rng: np.random.Generator) -> list[tuple[Material, Mesh]]:
    columns = 17
    around = np.linspace(-np.pi, np.pi, columns)
    front = np.cos(around)
    if wear.cap_style == "bouffant":
        bumps = 0.07 * rng.standard_normal((8, columns)) * np.linspace(1, 0.2, 8)[:, None]
        bumps[:, -1], bumps[0], bumps[-1] = bumps[:, 0], -0.09, bumps[-1, 0]
        lower, upper = -0.28 + 0.62 * (front + 1) / 2, np.full(columns, np.pi / 2)
        mesh = shell(r * rng.uniform(1.22, 1.4) * [1.12, 1.22, 1.0], (-np.pi, np.pi), lower, upper, 8, bumps)
        band = shell(r * 1.07, (-np.pi, np.pi), lower - 0.1, lower + 0.3, 3)
        return [(wear.cap, place(mesh, (-0.16 * r[0], 0, -0.02 * r[2]))), (wear.cap, band)]
    lower, upper = -0.2 + 0.56 * (front + 1) / 2, np.full(columns, np.pi / 2)
    hair = shell(r * 1.04, (-np.pi, np.pi), lower - 0.4 * (1 - front) / 2, lower + 0.2, 3)
    cap = shell(r * [1.1, 1.12, 1.12], (-np.pi, np.pi), lower, upper, 6)
    knot = tube(smooth_path([(-1.08, 0, -0.1), (-1.25, 0.2, -0.35), (-1.2, 0.25, -0.7)], 5) * r, 0.07 * r[0], 5)
    return [(wear.hair, hair), (wear.cap, cap), (wear.cap, knot)]


@lru_cache(maxsize=_PERSONS)
def hand_of(height: float, left: bool) -> Mesh:
    """A hand for a body of `height` m, see `hand_mesh`."""
    return hand_mesh(height, left)


@lru_cache(maxsize=_PERSONS)
def shoe_of(height: float) -> Mesh:
    """A shoe for a body of `height` m, see `shoe_mesh`."""
    return shoe_mesh(height)
