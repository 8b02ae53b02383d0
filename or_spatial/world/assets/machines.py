"""The anaesthesia workplace: machine with drawers, screens on arms, pumps on a pole, bag, hoses and cables."""

import numpy as np

from or_spatial.world import materials as look
from or_spatial.world.assets.draw import pick, stream
from or_spatial.world.assets.tables import castor
from or_spatial.world.materials import rgb
from or_spatial.world.meshing import Kit, box, cylinder, place, rod, smooth_path, sphere, tube
from or_spatial.world.parts import Material


def display(
    kit: Kit,
    rng: np.random.Generator,
    width: float,
    height: float,
    at: tuple,
    yaw: float = 0.0,
    tilt: float = 0.1,
    glass: Material | None = None,
) -> None:
    """A flat screen centred at `at` that looks to -y, turned by yaw, tilted up; curves unless `glass` is given."""
    shell = pick(rng, look.DARK_PLASTIC, look.machine_white(rng), look.GREY_PLASTIC)
    glass = glass or look.screen(rng, rng.random() < 0.92)
    kit.add(shell, place(box((width, 0.05, height), bevel=0.01), at, yaw=yaw, roll=-tilt))
    turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    front = turn @ [0, -0.028 * np.cos(tilt)]
    kit.add(
        glass,
        place(
            box((width - 0.04, 0.006, height - 0.04)),
            (at[0] + front[0], at[1] + front[1], at[2] + 0.028 * np.sin(tilt)),
            yaw=yaw,
            roll=-tilt,
        ),
    )


def anesthesia_equipment(variant: int) -> Kit:
    """One workplace out of three builds: a broad machine, a tall ventilator column, or a machine with a pump rack."""
    rng = stream("anesthesia_equipment", variant)
    w, d, h = rng.uniform(0.62, 0.84), rng.uniform(0.5, 0.66), rng.uniform(1.02, 1.25)
    white = look.machine_white(rng)
    accent = look.painted(rng, rgb(70, 110, 150), rgb(60, 66, 74), rgb(110, 150, 140), rgb(160, 164, 168))
    kit = Kit()
    desk = rng.uniform(0.76, 0.9)
    _base(kit, rng, white, accent, w, d, desk)
    kit.add(white, box((w * 0.95, d * 0.55, h - desk), (0, d * 0.18, (desk + h) / 2), bevel=0.03, taper=0.96))
    knobs = Material(accent.base_rgb, 0.5, texture="buttons")
    kit.add(knobs, box((w * 0.85, 0.02, (h - desk) * 0.55), (0, d * 0.18 - d * 0.28 - 0.012, desk + (h - desk) * 0.55)))
    for k in range(int(rng.integers(2, 4))):
        colour = pick(rng, rgb(200, 170, 30), rgb(90, 40, 120), rgb(40, 110, 180))
        kit.add(
            Material(colour, 0.4), box((0.09, 0.1, 0.16), (-w * 0.3 + 0.12 * k, -d * 0.18, desk + 0.14), bevel=0.02)
        )
    screens = int(rng.integers(1, 4))
    for k in range(screens):
        x = (k - (screens - 1) / 2) * w * 0.52
        sw = rng.uniform(0.3, 0.44)
        z = h + sw * 0.4 + rng.uniform(0.02, 0.12)
        kit.add(look.GREY_PLASTIC, rod((x * 0.6, d * 0.15, h), (x, d * 0.12, z), 0.02, 6))
        display(kit, rng, sw, sw * 0.72, (x, d * 0.08, z), yaw=0.35 * np.sign(x) * (abs(x) > 0.05), tilt=0.12)
    _circuit(kit, rng, w, d, desk)
    if rng.random() < 0.75:
        pump_pole(kit, rng, (pick(rng, 1, -1) * (w / 2 + 0.16), rng.uniform(-0.1, 0.15)))
    for _ in range(int(rng.integers(1, 4))):
        _cable(kit, rng, w, d, h)
    return kit


def _base(
    kit: Kit, rng: np.random.Generator, white: Material, accent: Material, w: float, d: float, desk: float
) -> None:
    kit.add(white, box((w * 0.92, d * 0.8, desk - 0.16), (0, d * 0.08, 0.13 + (desk - 0.16) / 2), bevel=0.03))
    kit.add(accent, box((w, d, 0.07), (0, 0, 0.12), bevel=0.05))
    kit.add(
        look.GREY_PLASTIC if rng.random() < 0.5 else white, box((w, d * 0.95, 0.03), (0, -d * 0.02, desk), bevel=0.03)
    )
    rows = int(rng.integers(2, 4))
    step = (desk - 0.3) / rows
    for k in range(rows):
        z = 0.2 + step * (k + 0.5)
        kit.add(white, box((w * 0.82, 0.02, step - 0.02), (0, -d * 0.32 - 0.012, z)))
        kit.add(look.DARK_PLASTIC, box((w * 0.3, 0.025, 0.018), (0, -d * 0.33 - 0.02, z + step * 0.28)))
    for sx in (1, -1):
        for sy in (1, -1):
            castor(kit, sx * w * 0.42, sy * d * 0.4, 0.05)


def _circuit(kit: Kit, rng: np.random.Generator, w: float, d: float, desk: float) -> None:
    """Breathing hoses in a loop, the bag, and the absorber."""
    side = pick(rng, 1, -1)
    x = side * w * 0.38
    kit.add(look.WHITE_PLASTIC, place(cylinder(0.07, 0, 0.22, 12), (x, -d * 0.2, desk - 0.16)))
    bag = pick(rng, rgb(40, 44, 48), rgb(40, 90, 80), rgb(60, 90, 150))
    kit.add(Material(bag, 0.6), sphere((0.06, 0.06, 0.12), (x * 1.1, -d * 0.55, desk - 0.02), 10, 7))
    hose = Material(rgb(190, 205, 215), 0.4) if rng.random() < 0.6 else Material(rgb(60, 90, 150), 0.5)
    for k in (0, 1):
        path = [(x, -d * 0.25 - 0.05 * k, desk + 0.06), (x + side * 0.2, -d * 0.5, desk + 0.22 + 0.05 * k)]
        path += [(x + side * 0.3, -d * 0.7, desk - 0.1 * k), (x + side * 0.1, -d * 0.85, desk - 0.1)]
        kit.add(hose, tube(smooth_path(path, 14), 0.013, 6))


def pump_pole(kit: Kit, rng: np.random.Generator, at: tuple[float, float]) -> None:
    """Two to five syringe pumps above each other on a wheeled pole."""
    x, y = at
    white = look.machine_white(rng)
    top = rng.uniform(1.45, 1.8)
    kit.add(look.STEEL, rod((x, y, 0.06), (x, y, top), 0.014, 8))
    for k in range(5):
        a = 2 * np.pi * k / 5
        kit.add(look.STEEL, rod((x, y, 0.1), (x + 0.2 * np.cos(a), y + 0.2 * np.sin(a), 0.06), 0.012, 5))
        castor(kit, x + 0.2 * np.cos(a), y + 0.2 * np.sin(a), 0.025)
    z = rng.uniform(0.85, 1.05)
    face = Material(rgb(40, 50, 66), 0.4, texture="buttons")
    for _ in range(int(rng.integers(2, 6))):
        kit.add(white, box((0.32, 0.15, 0.11), (x, y - 0.05, z), bevel=0.015))
        kit.add(face, box((0.24, 0.006, 0.075), (x - 0.02, y - 0.128, z)))
        kit.add(look.screen(rng), box((0.12, 0.008, 0.03), (x - 0.03, y - 0.13, z + 0.012)))
        z += 0.125
    bag_z = top - 0.1
    kit.add(look.STEEL, rod((x - 0.1, y, top), (x + 0.1, y, top), 0.006, 5))
    kit.add(
        Material(rgb(208, 216, 218), 0.2), box((0.1, 0.035, 0.17), (x + 0.09, y, bag_z - 0.05), taper=0.7, bevel=0.02)
    )
    kit.add(look.WHITE_PLASTIC, rod((x + 0.09, y, bag_z - 0.15), (x + 0.02, y - 0.1, z - 0.3), 0.003, 4))


def _cable(kit: Kit, rng: np.random.Generator, w: float, d: float, h: float) -> None:
    a = np.array([rng.uniform(-0.4, 0.4) * w, d * 0.3 * rng.choice([-1, 1]), h * rng.uniform(0.6, 0.95)])
    b = np.array([rng.uniform(-0.6, 0.6) * w, a[1] * 1.5, rng.uniform(0.2, 0.6)])
    low = np.minimum(a, b) - [0, 0, rng.uniform(0.1, 0.3)]
    path = smooth_path([a, (a * 0.6 + b * 0.4) * [1, 1.2, 0.7], [*low[:2], max(0.05, low[2])], b], 10)
    kit.add(pick(rng, look.RUBBER, look.GREY_PLASTIC, look.WHITE_PLASTIC), tube(path, 0.005, 5))
