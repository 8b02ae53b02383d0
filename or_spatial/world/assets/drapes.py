"""Cloth: table covers that hang in folds, and the drape over a patient with its screen and its opening."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from or_spatial.world import materials as look
from or_spatial.world.assets.draw import stream
from or_spatial.world.meshing import Kit, Mesh, both_sides, flipped, grid_faces, rod, sheet
from or_spatial.world.parts import Part

_RING = 44
_FLAT = 0.62  # share of the drape's width that lies on the table


def hanging_cloth(length: float, width: float, top: float, drop: float, rng: np.random.Generator) -> list[Mesh]:
    """A cover over a table `length` x `width`, its surface at z = `top`: flat above, falling `drop` m in folds."""
    a = np.linspace(0, 2 * np.pi, _RING, endpoint=False) + np.pi / _RING
    outline = _rounded(a, length / 2, width / 2)
    waves = sum(np.cos(k * a + rng.uniform(0, 6.3)) * rng.uniform(0.4, 1.0) for k in rng.integers(5, 15, 3))
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
    return loops.reshape(-1, 3), grid_faces(loops.shape[0], loops.shape[1], closed=True)


def _rounded(a: NDArray, x: float, y: float, square: float = 9.0) -> NDArray[np.float64]:
    """Superellipse points (N, 2), crowded to the corners so that they stay sharp."""
    c, s = np.cos(a), np.sin(a)
    r = (np.abs(c) ** square + np.abs(s) ** square) ** (-1 / square)
    return np.column_stack([x * r * c, y * r * s])


def table_drape_patient(variant: int, opening: str | None = None) -> Kit:
    """Drape over a patient of usual size who lies with the head at +x on operating table `variant`, in its frame.

    `opening`: see `drape_over`. Fit it to a given patient with `drape_over`, so that nothing pokes through.
    """
    from or_spatial.world.assets.tables import operating_table_size
    from or_spatial.world.bodies import BodyPose, BodyShape, body_parts

    length, _, top = operating_table_size(variant)
    pose = BodyPose(np.array([0.0, 0.0, top]), yaw_rad=np.pi, lying=True, knee_flexion_rad=0.6)
    patient = body_parts(BodyShape(attire="patient"), pose)
    shift = np.eye(4)
    shift[0, 3] = length / 2 - 0.12 - max(p.vertices[:, 0].max() for p in patient)
    return drape_over(variant, tuple(p.moved(shift) for p in patient), opening)


def drape_over(variant: int, patient: Sequence[Part], opening: str | None = None) -> Kit:
    """Drape `variant` over a patient's parts, all in the frame of operating table `variant`, head at +x.

    It covers chest to feet, hangs over both sides, and is held up as a screen before the head; the cloth is the kit's
    first material. `opening` (drawn from the variant if None): "leg" leaves the right leg bare from mid-thigh and runs
    below it, "none" covers everything.
    """
    from or_spatial.world.assets.tables import operating_table_size

    length, width, top = operating_table_size(variant)
    rng = stream("table_drape_patient", variant)
    cloth = look.drape(rng)
    drawn = "leg" if rng.random() < 0.6 else "none"
    torso = np.concatenate([p.vertices for p in patient if p.name == "torso"])
    head = torso[:, 0].max() - rng.uniform(0.16, 0.24)
    x = np.linspace(-length / 2 - rng.uniform(0.02, 0.12), head, 46)
    v = np.linspace(-1, 1, 47)
    across = np.clip(v / _FLAT, -1, 1) * (width / 2 + 0.03)
    lift = _lift(x, across, top, patient, opening or drawn)
    points = _over_body(x, v, across, lift, top, rng.uniform(0.28, 0.6, 2), rng)
    kit = Kit().add(cloth, *_screen(head, points[-1], width, top, rng))
    kit.add(cloth, flipped(sheet(points)))
    _poles(kit, head, width, top)
    return kit


def _lift(x: NDArray, y: NDArray, top: float, patient: Sequence[Part], opening: str) -> NDArray[np.float64]:
    """How far (len(x), len(y)) the cloth lies above the table's top: over what it covers, tented, under a bare leg."""
    covered, bare = [], []
    for part in patient:
        leg = opening == "leg" and part.name in ("right_leg", "right_foot")
        (bare if leg else covered).append(np.concatenate([part.vertices, part.vertices[part.faces].mean(1)]))
    solid = np.concatenate(covered)
    if bare:
        leg = np.concatenate(bare)
        thigh = leg[:, 0].max() - 0.24
        solid = np.concatenate([solid, leg[leg[:, 0] > thigh]])
    h = _tented(_raster(x, y, solid, top), x[1] - x[0], y[len(y) // 2 + 1] - y[len(y) // 2])
    if bare:
        h *= 1 - _below(x, y, leg[leg[:, 0] < thigh - 0.02])
    return h


def _raster(x: NDArray, y: NDArray, points: NDArray, top: float) -> NDArray[np.float64]:
    """Highest point above the table's top per grid cell and its neighbours, 0 where there is none."""
    h = np.zeros((len(x), len(y)))
    flat = y[len(y) // 2 + 1] - y[len(y) // 2]
    for dx in (-0.5, 0, 0.5):
        for dy in (-1, -0.5, 0, 0.5, 1):
            i = np.rint((points[:, 0] - x[0]) / (x[1] - x[0]) + dx).astype(int)
            k = np.rint(points[:, 1] / flat + dy).astype(int) + len(y) // 2
            ok = (i >= 0) & (i < len(x)) & (k >= 0) & (k < len(y))
            np.maximum.at(h, (i[ok], k[ok]), points[ok, 2] - top)
    side = np.abs(np.arange(len(y)) - len(y) // 2) * flat > np.abs(y[-1]) + 1e-9
    h[:, side] = h[:, [np.flatnonzero(~side)[0]] * (side.sum() // 2) + [np.flatnonzero(~side)[-1]] * (side.sum() // 2)]
    return h


def _tented(h: NDArray, dx: float, dy: float, slope: float = 1.15) -> NDArray[np.float64]:
    """Cloth falls off no steeper than `slope` and is smooth: an upper envelope, then a light blur that never sinks."""
    for _ in range(10):
        for axis, step in ((0, dx), (1, dy)):
            for way in (1, -1):
                moved = np.roll(h, way, axis)
                edge = [slice(None)] * 2
                edge[axis] = 0 if way == 1 else -1
                moved[tuple(edge)] = 0
                h = np.maximum(h, moved - slope * step)
    padded = np.pad(h, 1, mode="edge")
    blurred = sum(padded[a : a + h.shape[0], b : b + h.shape[1]] for a in range(3) for b in range(3)) / 9
    return np.maximum(h, blurred) * (h > 0)


def _below(x: NDArray, y: NDArray, leg: NDArray) -> NDArray[np.float64]:
    """1 where the cloth runs under the bare leg, falling to 0 beside it."""
    reach = np.zeros((len(x), len(y)))
    for k, at in enumerate(x):
        near = leg[np.abs(leg[:, 0] - at) < 0.06]
        if len(near):
            middle, half = (near[:, 1].min() + near[:, 1].max()) / 2, np.ptp(near[:, 1]) / 2 + 0.02
            reach[k] = 1 - _step(np.abs(y - middle), half, half + 0.05)
    return reach


def _over_body(
    x: NDArray, v: NDArray, across: NDArray, lift: NDArray, top: float, drop: NDArray, rng: np.random.Generator
) -> NDArray:
    """Grid (len(x), len(v), 3): across the table for |v| < _FLAT, hanging at the sides beyond."""
    hang = (np.abs(v) - _FLAT).clip(0) / (1 - _FLAT)
    X, Y = np.meshgrid(x, across, indexing="ij")
    crumple = _crumple(X, Y, rng, 0.017)
    height = top + 0.014 + lift + np.where(lift > 0.02, crumple - crumple.min(), 0.3 * crumple)
    side = (1 + np.sign(v)) / 2
    fall = (drop[0] * (1 - side) + drop[1] * side) * hang
    wave = np.cos(x[:, None] * rng.uniform(9, 15) + rng.uniform(0, 6) + 2 * side) + 0.6 * np.cos(
        x[:, None] * rng.uniform(21, 31) + rng.uniform(0, 6) - side
    )
    out = np.sign(v) * (hang > 0) * (0.025 + hang * (0.03 + 0.026 * wave))
    ragged = 1 + 0.12 * np.cos(x[:, None] * 4.1 + rng.uniform(0, 6))
    z = np.where(hang > 0, height - (fall + (height - top - 0.02).clip(0) * np.minimum(1, 3 * hang)) * ragged, height)
    return np.stack([X, Y + out, z], -1)


def _step(x: NDArray, low: float, high: float) -> NDArray:
    t = ((x - low) / (high - low)).clip(0, 1)
    return t * t * (3 - 2 * t)


def _crumple(X: NDArray, Y: NDArray, rng: np.random.Generator, depth: float) -> NDArray:
    """Sharp crossing creases."""
    total = np.zeros_like(X)
    for _ in range(6):
        a, k = rng.uniform(0, np.pi), rng.uniform(9, 30)
        total += (
            np.abs(np.sin(k / 2 * (X * np.cos(a) + Y * np.sin(a)) + rng.uniform(0, 6.3) + 0.8 * np.sin(3 * X))) * 9 / k
        )
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


def _poles(kit: Kit, head: float, width: float, top: float) -> None:
    y = width / 2 + 0.06
    for s in (1, -1):
        kit.add(look.STEEL, rod((head + 0.07, s * y, top - 0.12), (head + 0.07, s * y, top + 0.36), 0.009, 6))
