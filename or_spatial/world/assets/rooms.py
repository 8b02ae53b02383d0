"""The shell of a room: vinyl floor coved up the walls, tiles or panels, a lit ceiling grid, doors, cupboards."""

import numpy as np

from or_spatial.world import materials as look
from or_spatial.world.assets.draw import pick, stream
from or_spatial.world.assets.tables import bottle_or_box
from or_spatial.world.materials import rgb, varied
from or_spatial.world.meshing import Kit, Mesh, box, cylinder, join, place
from or_spatial.world.parts import Material

Door = tuple[float, float, float]


def room(
    variant: int, width: float = 7.5, depth: float = 7.0, height: float = 3.0, doors: tuple[Door, ...] | None = None
) -> Kit:
    """Walls at +-width/2 and +-depth/2 about the origin, floor z = 0, ceiling at `height`, with doors and fittings.

    `doors` are (x, y, yaw into the room) on a wall; drawn from the variant if None.
    """
    rng = stream("room", variant)
    kit = Kit()
    floor = varied(
        pick(
            rng,
            look.VINYL,
            Material(rgb(150, 158, 160), 0.42, texture="vinyl", texture_scale_m=1.8),
            Material(rgb(166, 170, 150), 0.42, texture="vinyl", texture_scale_m=2.0),
            weights=(4, 1, 1),
        ),
        rng,
        0.02,
        0.06,
    )
    kit.add(floor, _slab(width, depth, 0.0, up=True), name="floor")
    kit.add(varied(look.CEILING, rng, 0.01, 0.08), _slab(width, depth, height, up=False), name="ceiling")
    wall = _wall_material(rng)
    dado = wall if rng.random() < 0.6 else look.painted(rng, rgb(150, 176, 184), rgb(170, 190, 170), rgb(190, 186, 176))
    split = height * rng.uniform(0.4, 0.7)
    for yaw, span, off in _walls(width, depth):
        kit.add(dado, _wall(yaw, span, off, 0.1, split), name="wall")
        kit.add(wall, _wall(yaw, span, off, split, height), name="wall")
        kit.add(floor, _wall(yaw, span, off - 0.012, 0.0, 0.1), name="floor")
    for light in _panels(rng, width, depth):
        kit.add(_LIT, box((*light[2:], 0.03), (light[0], light[1], height - 0.01)), name="ceiling")
    for k, (yaw, span, off) in enumerate(_walls(width, depth)):
        drawn = [float(rng.choice([-0.3, -0.1, 0.1, 0.3]))] if k == 0 or rng.random() < 0.35 else []
        at = [d * span for d in drawn] if doors is None else _doors_on(doors, yaw, off)
        _fittings(kit, rng, yaw, span, off, at)
    return kit


_LIT = Material(rgb(245, 246, 248), 0.5, emission=2.2, texture="ceiling_light")


def _wall_material(rng: np.random.Generator) -> Material:
    if rng.random() < 0.65:
        return varied(look.TILE, rng, 0.02, 0.05)
    panel = look.painted(
        rng, rgb(214, 216, 212), rgb(190, 204, 206), rgb(204, 208, 190), rgb(176, 192, 200), roughness=0.4
    )
    return Material(panel.base_rgb, 0.4, texture="panel", texture_scale_m=float(rng.uniform(0.9, 1.3)))


def _slab(width: float, depth: float, z: float, up: bool) -> Mesh:
    w, d = width / 2, depth / 2
    corners = np.array([(-w, -d, z), (w, -d, z), (w, d, z), (-w, d, z)])
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    return corners, faces if up else faces[:, ::-1]


def _walls(width: float, depth: float) -> list[tuple[float, float, float]]:
    """(yaw of the outward direction, span, distance from the middle) of the four walls."""
    return [
        (0.0, depth, width / 2),
        (np.pi / 2, width, depth / 2),
        (np.pi, depth, width / 2),
        (-np.pi / 2, width, depth / 2),
    ]


def _wall(yaw: float, span: float, off: float, low: float, high: float) -> Mesh:
    """A rectangle seen from inside."""
    s = span / 2
    v = np.array([(off, -s, low), (off, s, low), (off, s, high), (off, -s, high)])
    return place((v, np.array([[0, 2, 1], [0, 3, 2]], np.int32)), yaw=yaw)


def _panels(rng: np.random.Generator, width: float, depth: float) -> list[tuple[float, float, float, float]]:
    """Lit ceiling panels: x, y, size x, size y; tubes in rows or squares."""
    long = rng.random() < 0.5
    sx, sy = (1.2, 0.16) if long else (0.58, 0.58)
    return [(x * width, y * depth, sx, sy) for x in (-0.3, 0.0, 0.3) for y in (-0.3, 0.0, 0.3) if x or y]


def _doors_on(doors: tuple[Door, ...], yaw: float, off: float) -> list[float]:
    """How far along the wall of outward direction `yaw` its doors lie."""
    out, along = np.array([np.cos(yaw), np.sin(yaw)]), np.array([-np.sin(yaw), np.cos(yaw)])
    return [float(along @ (x, y)) for x, y, _ in doors if out @ (x, y) > off - 0.2]


def _fittings(kit: Kit, rng: np.random.Generator, yaw: float, span: float, off: float, doors: list[float]) -> None:
    """Doors, gas and power rail, notices, radiator or window on one wall; nothing deeper than 0.12 m."""

    def room_side(mesh: Mesh, y: float, z: float) -> Mesh:
        return place(place(mesh, (off - 0.02, y, z)), yaw=yaw)

    ys = rng.permutation(np.linspace(-0.36, 0.36, 4)) * span
    ys = np.where([any(abs(y - d) < 1.1 for d in doors) for y in ys], np.sign(ys) * 0.42 * span, ys)
    for at in doors:
        leaf = look.painted(rng, rgb(70, 74, 80), rgb(29, 39, 88), rgb(180, 186, 184), rgb(120, 140, 150))
        w = rng.uniform(1.2, 1.6)
        kit.add(leaf, room_side(box((0.05, w, 2.1)), at, 1.06))
        kit.add(
            look.STEEL,
            room_side(box((0.06, 0.06, 2.2)), at - w / 2 - 0.03, 1.1),
            room_side(box((0.06, 0.06, 2.2)), at + w / 2 + 0.03, 1.1),
        )
        kit.add(look.screen(rng, False), room_side(box((0.06, 0.3, 0.5)), at + 0.2, 1.55))
    if rng.random() < 0.7:
        kit.add(look.WHITE_PLASTIC, room_side(box((0.09, 1.3, 0.12)), ys[1], 1.4))
        for k in range(6):
            plug = Material(pick(rng, rgb(40, 70, 140), rgb(220, 220, 220), rgb(50, 120, 60), rgb(190, 170, 40)), 0.5)
            kit.add(plug, room_side(box((0.12, 0.06, 0.06)), ys[1] - 0.5 + 0.2 * k, 1.4))
    if rng.random() < 0.6:
        for k in range(int(rng.integers(1, 4))):
            paper = pick(rng, look.PAPER, Material(rgb(200, 190, 120), 0.9), Material(rgb(150, 180, 200), 0.9))
            kit.add(paper, room_side(box((0.01, 0.21, 0.3)), ys[2] + 0.3 * k, 1.5 + rng.uniform(-0.15, 0.15)))
    if rng.random() < 0.5:
        kit.add(look.WHITE_PLASTIC, room_side(box((0.1, 0.14, 0.22)), ys[3], 1.15))
        kit.add(Material(rgb(180, 40, 36), 0.5), room_side(box((0.1, 0.1, 0.16)), ys[3] + 0.3, 1.2))
    else:
        kit.add(look.screen(rng, rng.random() < 0.5), room_side(box((0.06, 0.9, 0.55)), ys[3], 1.7))
    if rng.random() < 0.4:
        ribs = [room_side(cylinder(0.03, 0.15, 1.3, 8), ys[2] - 0.5 + 0.07 * k, 0) for k in range(10)]
        kit.add(look.WHITE_PLASTIC, join(*ribs))


def cabinet(variant: int) -> Kit:
    """Worktop with drawers and doors below, small things on it; doors face -y."""
    rng = stream("cabinet", variant)
    n = int(rng.integers(3, 5))
    w, d, h = 0.45 * n, rng.uniform(0.5, 0.6), rng.uniform(0.86, 0.95)
    white = look.machine_white(rng)
    top = pick(rng, look.STEEL, Material(rgb(150, 152, 150), 0.4), Material(rgb(196, 190, 176), 0.5))
    kit = (
        Kit()
        .add(white, box((w, d - 0.03, h - 0.13), (0, 0.015, 0.1 + (h - 0.13) / 2)))
        .add(look.DARK_PLASTIC, box((w, d - 0.1, 0.1), (0, 0.03, 0.05)))
    )
    kit.add(top, box((w + 0.02, d, 0.03), (0, 0, h - 0.015)))
    for k in range(n):
        x = -w / 2 + 0.45 * (k + 0.5)
        rows = int(rng.choice([1, 4]))
        step = (h - 0.16) / rows
        for r in range(rows):
            z = 0.11 + step * (r + 0.5)
            kit.add(white, box((0.435, 0.018, step - 0.014), (x, -d / 2 + 0.022, z)))
            kit.add(look.STEEL, box((0.12, 0.02, 0.012), (x, -d / 2 + 0.005, z + step * 0.5 - 0.05)))
    for _ in range(int(rng.integers(2, 7))):
        bottle_or_box(kit, rng, (rng.uniform(-0.45, 0.45) * w, rng.uniform(-0.1, 0.3) * d, h))
    return kit
