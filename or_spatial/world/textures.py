"""Procedural patterns in the coordinates in which a surface was made, filtered by the footprint of a pixel.

Each pattern takes a `Surface` and changes its colour, roughness, emission and bumped normal in place of an image map.
A pattern finer than a pixel fades to its mean instead of flickering.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
_LATTICE = 64


@dataclass
class Surface:
    """N shaded points. `rest` (N, 3) m texture coordinates; `rest_normal` (N, 3) face normal there; `base` (N, 3)
    linear colour; `roughness`, `emission`, `scale`, `footprint` (N,), the last two in m; `bump` (N, 3) to add to the
    normal.
    """

    rest: Array
    rest_normal: Array
    base: Array
    roughness: Array
    emission: Array
    scale: Array
    footprint: Array
    bump: Array


def _noise_table() -> Array:
    """(64^3, 4): value noise in [-1, 1] and its gradient per cell, periodic."""
    value = np.random.default_rng(20240607).uniform(-1, 1, (_LATTICE,) * 3)
    grad = [(np.roll(value, -1, k) - np.roll(value, 1, k)) / 2 for k in range(3)]
    return np.stack([value, *grad], -1).reshape(-1, 4).astype(np.float32)


_TABLE = _noise_table()


def noise(points: Array) -> Array:
    """Value noise and its gradient (N, 4) at points (N, 3) in cells."""
    low = np.floor(points)
    t = (points - low).astype(np.float32)
    t = t * t * (3 - 2 * t)
    i = low.astype(np.int64)
    out = np.zeros((len(points), 4), np.float32)
    lattice = [((i + d) % _LATTICE) for d in (0, 1)]
    for dx in (0, 1):
        wx = t[:, 0] if dx else 1 - t[:, 0]
        ix = lattice[dx][:, 0] * _LATTICE
        for dy in (0, 1):
            wxy = wx * (t[:, 1] if dy else 1 - t[:, 1])
            iy = (ix + lattice[dy][:, 1]) * _LATTICE
            for dz in (0, 1):
                w = wxy * (t[:, 2] if dz else 1 - t[:, 2])
                out += w[:, None] * _TABLE[iy + lattice[dz][:, 2]]
    return out


def _planar(s: Surface) -> tuple[Array, Array]:
    """The two coordinates in the plane of the face."""
    axis = np.argmax(np.abs(s.rest_normal), axis=1)
    x, y, z = s.rest.T
    u = np.where(axis == 0, y, x)
    v = np.where(axis == 2, y, z)
    return u, v


def _lines(u: Array, period: Array, width: Array, footprint: Array) -> Array:
    """Share of a pixel that a line of `width` covers, one at every multiple of `period`."""
    distance = np.abs((u / period + 0.5) % 1.0 - 0.5) * period
    reach = np.maximum(width, footprint)
    return np.clip((reach - distance) / reach, 0, 1) * np.minimum(1, width / reach)


def _fade(s: Surface, cell: Array | float) -> Array:
    """1 where a cell is many pixels wide, 0 where it is less than one and a half."""
    return np.clip(cell / (1.5 * s.footprint + 1e-6) - 1, 0, 1).astype(np.float32)[:, None]


def _octave(s: Surface, cell: Array, stretch: tuple[float, float, float] = (1, 1, 1)) -> Array:
    return noise(s.rest / cell[:, None] * np.asarray(stretch, np.float32)) * _fade(s, cell)


def _cloth(s: Surface) -> None:
    wide = _octave(s, s.scale, (1.7, 1.7, 0.45))
    fine = _octave(s, s.scale * 0.33, (1.2, 1.2, 0.6))
    s.base *= 1 + 0.03 * wide[:, :1] + 0.02 * fine[:, :1]
    s.bump -= 0.62 * wide[:, 1:] + 0.36 * fine[:, 1:]


def _creased(s: Surface) -> None:
    """Sharp ridges, as of folded and unfolded paper cloth."""
    for cell, depth in ((s.scale, 0.5), (s.scale * 0.4, 0.32)):
        n = _octave(s, cell)
        ridge = np.sign(n[:, :1]) * (1 - np.abs(n[:, :1]).clip(0, 1)) ** 2
        s.bump -= depth * 1.6 * ridge * n[:, 1:]
        s.base *= 1 - 0.07 * (1 - np.abs(n[:, :1])) * _fade(s, cell)
    fold_u = _lines(s.rest[:, 0], s.scale * 1.9, 0.006, s.footprint)
    fold_v = _lines(s.rest[:, 1], s.scale * 1.6, 0.006, s.footprint)
    s.base *= (1 - 0.14 * np.maximum(fold_u, fold_v))[:, None]


def _vinyl(s: Surface) -> None:
    u, v = _planar(s)
    speck = noise(s.rest / 0.012)[:, :1] * _fade(s, 0.012)
    cloud = noise(s.rest / 0.55)[:, :1] + 0.5 * noise(s.rest / 0.17)[:, :1]
    s.base *= 1 + 0.05 * speck + 0.035 * cloud
    seam = _lines(u, s.scale, 0.006, s.footprint)
    s.base *= (1 - 0.35 * seam)[:, None]
    s.roughness *= 1 + 0.18 * cloud[:, 0]


def _tile(s: Surface) -> None:
    u, v = _planar(s)
    grout = np.maximum(_lines(u, s.scale, 0.005, s.footprint), _lines(v, s.scale, 0.005, s.footprint))[:, None]
    each = noise(np.stack([np.floor(u / s.scale), np.floor(v / s.scale), 0 * u], -1).astype(np.float32) * 0.73)
    s.base *= (1 + 0.02 * each[:, :1]) * (1 - 0.28 * grout)
    s.roughness = s.roughness * (1 - grout[:, 0]) + 0.9 * grout[:, 0]


def _panel(s: Surface) -> None:
    u, v = _planar(s)
    joint = np.maximum(_lines(u, s.scale, 0.012, s.footprint), _lines(v, s.scale, 0.012, s.footprint))
    s.base *= (1 - 0.45 * joint)[:, None]


def _ceiling(s: Surface) -> None:
    u, v = _planar(s)
    grid = np.maximum(_lines(u, s.scale, 0.02, s.footprint), _lines(v, s.scale, 0.02, s.footprint))
    dots = noise(s.rest / 0.02)[:, 0] * _fade(s, 0.02)[:, 0]
    s.base *= (1 - 0.3 * grid + 0.08 * dots)[:, None]


def _brushed(s: Surface) -> None:
    streak = noise(s.rest * np.float32([3, 130, 130]))[:, :1] * _fade(s, 0.009)
    cloud = noise(s.rest / 0.19)[:, :1]
    s.base *= 1 + 0.05 * streak + 0.06 * cloud
    s.roughness *= 1 + 0.2 * cloud[:, 0]
    s.bump += 0.05 * streak * np.float32([0, 1, 0.4])


def _screen(s: Surface) -> None:
    """Dark ground with coloured curves and number fields, one row each few centimetres."""
    u, v = _planar(s)
    row = np.floor(v / 0.055)
    phase = row * 12.9898
    wave = 0.5 + 0.32 * np.sin(u * (70 + 20 * np.sin(phase)) + phase) * np.exp(
        -((((u * 9 + phase) % 1) - 0.4) ** 2) * 30
    )
    reach = np.maximum(0.0025, s.footprint)
    line = np.clip((reach - np.abs(v / 0.055 - row - wave) * 0.055) / reach, 0, 1) * np.minimum(1, 0.006 / reach)
    field = (((u / 0.11) % 1.0) > 0.74) & (np.sin(phase * 3.1) > -0.2)
    colours = np.float32([[0.1, 0.9, 0.25], [0.9, 0.8, 0.1], [0.2, 0.75, 0.95], [0.9, 0.25, 0.2], [0.9, 0.9, 0.9]])
    tint = colours[(np.abs(row).astype(int) * 2 + 1) % 5]
    s.base += tint * (0.8 * line + 0.25 * field)[:, None]


def _bones(s: Surface, bone: tuple[float, float, float]) -> None:
    u, v = _planar(s)
    wobble = noise(np.stack([u, v, 0 * u], -1).astype(np.float32) / 0.07)[:, 0]
    shaft = np.exp(-(((u + 0.03 * np.sin(v * 9)) / (0.045 + 0.03 * np.cos(v * 21) ** 4)) ** 4)) * (0.75 + 0.25 * wobble)
    joint = 1 - 0.8 * np.exp(-((((v / 0.15 + 0.5) % 1 - 0.5) / 0.06) ** 2))
    s.base += np.float32(bone) * (shaft * joint)[:, None]


def _plan(s: Surface) -> None:
    u, v = _planar(s)
    _bones(s, (0.75, 0.68, 0.5))
    column = np.abs(u) > 0.17
    row = (v / 0.035) % 1 > 0.3
    tint = np.where(
        ((v / 0.035).astype(int) % 4 == 0)[:, None], np.float32([0.1, 0.6, 0.25]), np.float32([0.3, 0.4, 0.55])
    )
    s.base = np.where((column & row)[:, None], tint, s.base).astype(np.float32)


def _scan(s: Surface) -> None:
    _bones(s, (0.65, 0.66, 0.68))


def _cap(s: Surface) -> None:
    """Thin bouffant cap: hair shows between the folds of the gauze."""
    n = _octave(s, s.scale, (1.5, 1.5, 1))
    m = _octave(s, s.scale * 0.4)
    s.base *= np.clip(0.92 + 0.34 * n[:, :1] + 0.3 * m[:, :1], 0.35, 1.45)
    s.bump -= 0.5 * n[:, 1:] + 0.4 * m[:, 1:]


def _skin(s: Surface) -> None:
    n = noise(s.rest / (0.4 * s.scale[:, None]))[:, :1]
    s.base *= 1 + n * np.float32([0.04, 0.07, 0.08])


def _striped(s: Surface) -> None:
    """Bands along the limb."""
    band = np.clip(np.sin(2 * np.pi * s.rest[:, 2] / s.scale) * 3, -1, 1)[:, None] * _fade(s, s.scale * 0.5)
    s.base = np.clip(s.base * (1 + 0.8 * band) + 0.12 * (band > 0), 0, 0.9).astype(np.float32)


def _speckle(s: Surface) -> None:
    n = _octave(s, s.scale)
    s.base *= 1 + 0.12 * n[:, :1]


def _wood(s: Surface) -> None:
    n = noise(s.rest * np.float32([6, 40, 40]))[:, :1]
    s.base *= 1 + 0.12 * n


def _buttons(s: Surface) -> None:
    """Front of a device: dark display strip, rows of small coloured keys and connectors."""
    u, v = _planar(s)
    cell_u, cell_v = np.floor(u / 0.032), np.floor(v / 0.03)
    inside = (((u / 0.032) % 1 - 0.5) ** 2 + ((v / 0.03) % 1 - 0.5) ** 2) < 0.09
    pick = noise(np.stack([cell_u * 0.91, cell_v * 1.37, 0 * u], -1).astype(np.float32))[:, 0]
    colours = np.float32([[0.02, 0.02, 0.03], [0.05, 0.09, 0.3], [0.5, 0.06, 0.05], [0.1, 0.35, 0.1], [0.6, 0.5, 0.1]])
    tint = colours[((pick + 1) * 11).astype(int) % 5]
    cover = (inside & (pick > -0.15)).astype(np.float32)[:, None] * (0.25 + 0.75 * _fade(s, 0.02))
    s.base = s.base * (1 - cover) + tint * cover


PATTERNS = {
    "cloth": _cloth,
    "creased": _creased,
    "vinyl": _vinyl,
    "tile": _tile,
    "panel": _panel,
    "ceiling": _ceiling,
    "brushed": _brushed,
    "screen": _screen,
    "plan": _plan,
    "scan": _scan,
    "cap": _cap,
    "skin": _skin,
    "striped": _striped,
    "speckle": _speckle,
    "wood": _wood,
    "buttons": _buttons,
}
"""Every `Material.texture` that the renderer knows; any other name (as "plain") leaves the surface as it is."""
