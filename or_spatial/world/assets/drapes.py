"""Cloth: table covers that hang in folds, and the drape over a patient with its screen and its opening."""

import numpy as np
from numpy.typing import NDArray

from or_spatial.world import materials as look
from or_spatial.world.assets.draw import stream
from or_spatial.world.meshing import Kit, Mesh, both_sides, flipped, rod, sheet

_RING = 44


def hanging_cloth(length: float, width: float, top: float, drop: float, rng: np.random.Generator) -> list[Mesh]:
    """A cover over a table `length` x `width`, its surface at z = `top`: flat above, falling `drop` m in folds."""
    a = np.linspace(0, 2 * np.pi, _RING, endpoint=False) + np.pi / _RING
    outline = _rounded(a, length / 2, width / 2)
    waves = sum(
        np.cos(k * a + rng.uniform(0, 6.3)) * rng.uniform(0.4, 1.0) for k in rng.integers(5, 15, 3)
    )
    corner = np.abs(np.sin(2 * np.arctan2(outline[:, 1] / width, outline[:, 0] / length))) ** 3
    ragged = drop * (1 + 0.22 * corner + 0.05 * np.cos(3 * a + rng.uniform(0, 6.3)))
    out = outline / np.linalg.norm(outline, axis=1, keepdims=True)
    loops = []
    for f in (0.0, 0.04, 0.3, 0.65, 1.0):
        spread = 0.004 + 0.02 * min(1, f * 8) + f * (0.02 * waves + 0.03 + 0.05 * corner) * min(1.0, 0.3 + drop)
        loops.append(np.column_stack([outline + out * spread[:, None], top - f * ragged - 0.001]))
    fall = np.stack(loops[::-1])
    surface = np.stack([loops[0], np.column_stack([outline * 0.5, np.full(_RING, top)]), _point(top)])
    return [_closed(fall), _closed(surface)]


def _point(z: float) -> NDArray[np.float64]:
    a = np.linspace(0, 2 * np.pi, _RING, endpoint=False)
    return np.column_stack([1e-3 * np.cos(a), 1e-3 * np.sin(a), np.full(_RING, z)])


def _closed(loops: NDArray) -> Mesh:
    from or_spatial.world.meshing import grid_faces

    return loops.reshape(-1, 3), grid_faces(loops.shape[0], loops.shape[1], closed=True)


def _rounded(a: NDArray, x: float, y: float, square: float = 9.0) -> NDArray[np.float64]:
    """Superellipse points (N, 2), crowded to the corners so that they stay sharp."""
    c, s = np.cos(a), np.sin(a)
    r = (np.abs(c) ** square + np.abs(s) ** square) ** (-1 / square)
    return np.column_stack([x * r * c, y * r * s])


def table_drape_patient(variant: int, opening: str | None = None) -> Kit:
    """Drape over a patient who lies with the head at +x on operating table `variant`, in that table's frame.

    It covers chest to feet, hangs over both sides, and is held up as a screen before the head. `opening` (drawn from the
    variant if None): "leg" leaves the right leg (y > 0) bare from mid-thigh, "none" covers everything.
    """
    from or_spatial.world.assets.tables import operating_table_size

    length, width, top = operating_table_size(variant)
    rng = stream("table_drape_patient", variant)
    cloth = look.drape(rng)
    drawn = "leg" if rng.random() < 0.6 else "none"
    head = 0.42 + rng.uniform(-0.04, 0.05)
    x = np.linspace(-length / 2 - rng.uniform(0.02, 0.12), head, 44)
    v = np.linspace(-1, 1, 47)
    drop = rng.uniform(0.28, 0.6, 2)
    points = _over_body(x, v, width, top, drop, rng, opening or drawn)
    kit = Kit().add(cloth, *_screen(head, points[-1], width, top, rng))
    kit.add(cloth, flipped(sheet(points)))
    _poles(kit, head, width, top, rng)
    return kit


def _over_body(x: NDArray, v: NDArray, width: float, top: float, drop: NDArray, rng: np.random.Generator, opening: str) -> NDArray:
    """Grid (len(x), len(v), 3): across the table for |v| < 0.6, hanging at the sides beyond."""
    flat = 0.62
    across = np.clip(v / flat, -1, 1) * (width / 2 + 0.02)
    hang = (np.abs(v) - flat).clip(0) / (1 - flat)
    X, Y = np.meshgrid(x, across, indexing="ij")
    height = top + 0.012 + _body_height(X, Y, opening)
    height += _crumple(X, Y, rng, 0.012)
    edge = np.minimum(height, top + 0.03)
    side = (1 + np.sign(v)) / 2
    fall = (drop[0] * (1 - side) + drop[1] * side) * hang
    wave = np.cos(x[:, None] * rng.uniform(9, 15) + rng.uniform(0, 6) + 2 * side) + 0.6 * np.cos(
        x[:, None] * rng.uniform(21, 31) + rng.uniform(0, 6) - side
    )
    out = np.sign(v) * (hang > 0) * (0.035 + hang * (0.035 + 0.022 * wave))
    ragged = 1 + 0.12 * np.cos(x[:, None] * 4.1 + rng.uniform(0, 6))
    z = np.where(hang > 0, edge - fall * ragged, height)
    return np.stack([X, Y + out, z], -1)


def _body_height(X: NDArray, Y: NDArray, opening: str) -> NDArray:
    """How far a covered body lifts the cloth off the table: trunk, two legs, feet; tents between them."""
    trunk = 0.23 * _bump(Y / 0.27, 2.6) * _step(X, -0.05, 0.12)
    height = trunk
    for s in (1, -1):
        y = (Y - s * 0.10) / 0.19
        thick = np.interp(X, [-1.0, -0.9, -0.5, -0.1, 0.15], [0.13, 0.11, 0.12, 0.17, 0.19])
        leg = thick * _bump(y, 2.0) * _step(X, -1.12, -0.98)
        feet = 0.24 * _bump(Y / 0.26, 2.2) * np.exp(-(((X + 0.87) / 0.09) ** 2))
        leg = np.maximum(leg, feet)
        height = np.maximum(height, leg)
    if opening == "leg":
        bare = _bump((Y - 0.12) / 0.16, 4.0) * (1 - _step(X, -0.34, -0.22))
        height = height * (1 - bare)
    return height


def _bump(u: NDArray, power: float) -> NDArray:
    return (1 - np.abs(u).clip(0, 1) ** power) ** 0.6


def _step(x: NDArray, low: float, high: float) -> NDArray:
    t = ((x - low) / (high - low)).clip(0, 1)
    return t * t * (3 - 2 * t)


def _crumple(X: NDArray, Y: NDArray, rng: np.random.Generator, depth: float) -> NDArray:
    """Sharp crossing creases."""
    total = np.zeros_like(X)
    for _ in range(6):
        a, k = rng.uniform(0, np.pi), rng.uniform(9, 30)
        total += np.abs(np.sin(k / 2 * (X * np.cos(a) + Y * np.sin(a)) + rng.uniform(0, 6.3) + 0.8 * np.sin(3 * X))) * 9 / k
    return depth * (total - total.mean())


def _screen(head: float, edge: NDArray, width: float, top: float, rng: np.random.Generator) -> list[Mesh]:
    """The end towards the head, raised over a bar: the anaesthesia screen."""
    high = top + rng.uniform(0.36, 0.56)
    columns = len(edge)
    wide = np.linspace(-1, 1, columns) * (width / 2 + rng.uniform(0.08, 0.2))
    sag = 0.02 * np.cos(np.linspace(-1.5, 1.5, columns)) + 0.01 * np.cos(np.linspace(0, 17, columns))
    bar = np.column_stack([np.full(columns, head + 0.06), wide, high - sag])
    middle = (edge + bar) / 2
    middle[:, 0] -= 0.015 + 0.02 * np.cos(np.linspace(0, 19, columns) + rng.uniform(0, 6))
    middle[:, 2] -= 0.03
    back = bar - [-0.03, 0, rng.uniform(0.12, 0.3)]
    back[:, 2] += 0.02 * np.cos(np.linspace(0, 14, columns))
    return [both_sides(flipped(sheet(np.stack([edge, middle, bar, back]))))]


def _poles(kit: Kit, head: float, width: float, top: float, rng: np.random.Generator) -> None:
    y = width / 2 + 0.06
    for s in (1, -1):
        kit.add(look.STEEL, rod((head + 0.07, s * y, top - 0.12), (head + 0.07, s * y, top + 0.36), 0.009, 6))
