"""Small things that make a room look used: buckets, stools, steps, poles, cables on the floor, devices and boxes."""

import numpy as np

from or_spatial.world import materials as look
from or_spatial.world.assets.draw import pick, stream
from or_spatial.world.materials import rgb
from or_spatial.world.meshing import Kit, box, cylinder, lathe, place, rod, smooth_path, tube
from or_spatial.world.parts import Material


def device(kit: Kit, rng: np.random.Generator, at: tuple[float, float, float]) -> None:
    """A grey or white box with keys and a display on its front (-y), standing at `at`."""
    x, y, z = at
    w, d, h = rng.uniform(0.26, 0.42), rng.uniform(0.24, 0.34), rng.uniform(0.1, 0.22)
    kit.add(
        look.machine_white(rng) if rng.random() < 0.7 else look.GREY_PLASTIC,
        box((w, d, h), (x, y, z + h / 2), bevel=0.01),
    )
    panel = Material(pick(rng, rgb(60, 70, 86), rgb(190, 192, 190), rgb(40, 42, 48)), 0.4, texture="buttons")
    kit.add(panel, box((w * 0.9, 0.008, h * 0.8), (x, y - d / 2 - 0.003, z + h / 2)))
    if rng.random() < 0.6:
        kit.add(look.screen(rng), box((w * 0.4, 0.01, h * 0.45), (x - w * 0.18, y - d / 2 - 0.006, z + h * 0.58)))


def bucket(variant: int) -> Kit:
    """Kick bucket of steel in a wheeled ring, or a plastic waste bin."""
    rng = stream("bucket", variant)
    kit = Kit()
    if rng.random() < 0.6:
        r = rng.uniform(0.15, 0.18)
        kit.add(look.STEEL, lathe([(r * 0.75, 0.06), (r, 0.32), (r * 0.97, 0.325), (r * 0.72, 0.08)], 18, caps=False))
        kit.add(look.STEEL, place(cylinder(r * 0.74, 0.07, 0.08, 16), (0, 0, 0)))
        a = np.linspace(0, 2 * np.pi, 19)
        kit.add(look.RUBBER, tube(np.stack([0.2 * np.cos(a), 0.2 * np.sin(a), 0 * a + 0.1], -1), 0.014, 6))
        if rng.random() < 0.5:
            kit.add(look.BLOOD_CLOTH, place(cylinder(r * 0.8, 0.0, 0.04, 10, r * 0.3), (0, 0, 0.18)))
        return kit
    body = look.painted(rng, rgb(60, 62, 66), rgb(220, 220, 216), rgb(190, 170, 60), rgb(70, 100, 150))
    h = rng.uniform(0.4, 0.7)
    kit.add(body, box((0.34, 0.3, h), (0, 0, h / 2), taper=1.12, bevel=0.04))
    kit.add(look.WHITE_PLASTIC, box((0.36, 0.32, 0.03), (0, 0, h + 0.01), taper=1.0, bevel=0.04))
    return kit


def stool(variant: int) -> Kit:
    """Round stool on five castors."""
    rng = stream("stool", variant)
    h = rng.uniform(0.45, 0.65)
    kit = Kit().add(look.STEEL, rod((0, 0, 0.08), (0, 0, h - 0.05), 0.025, 8))
    seat = look.painted(rng, rgb(36, 38, 42), rgb(40, 60, 110), rgb(90, 94, 98)) if rng.random() < 0.75 else look.STEEL
    kit.add(seat, lathe([(0.16, h - 0.06), (0.18, h - 0.03), (0.175, h - 0.005), (0.1, h)], 20))
    for k in range(5):
        a = 2 * np.pi * k / 5
        kit.add(look.STEEL, rod((0, 0, 0.1), (0.25 * np.cos(a), 0.25 * np.sin(a), 0.05), 0.016, 6))
        kit.add(
            look.RUBBER,
            place(cylinder(0.028, -0.01, 0.01, 8), (0.25 * np.cos(a), 0.25 * np.sin(a), 0.028), roll=np.pi / 2),
        )
    if rng.random() < 0.3:
        kit.add(seat, box((0.04, 0.3, 0.22), (0.18, 0, h + 0.22), bevel=0.015)).add(
            look.STEEL, rod((0.12, 0, h - 0.03), (0.18, 0, h + 0.15), 0.014, 6)
        )
    return kit


def step(variant: int) -> Kit:
    """Low platform to stand on: steel legs, steel or rubber top."""
    rng = stream("step", variant)
    long, w, h = rng.uniform(0.4, 0.6), rng.uniform(0.3, 0.4), rng.uniform(0.14, 0.24)
    top = look.STEEL if rng.random() < 0.6 else look.RUBBER
    kit = Kit().add(top, box((long, w, 0.025), (0, 0, h - 0.0125), bevel=0.02))
    for sx in (1, -1):
        for sy in (1, -1):
            kit.add(
                look.STEEL,
                rod((sx * long * 0.46, sy * w * 0.44, 0), (sx * long * 0.43, sy * w * 0.4, h - 0.02), 0.012, 6),
            )
    return kit


def iv_pole(variant: int) -> Kit:
    """Wheeled pole with hooks and one or two bags."""
    rng = stream("iv_pole", variant)
    h = rng.uniform(1.6, 2.1)
    kit = Kit().add(look.STEEL, rod((0, 0, 0.06), (0, 0, h), 0.012, 8))
    for k in range(5):
        a = 2 * np.pi * k / 5
        kit.add(look.STEEL, rod((0, 0, 0.1), (0.26 * np.cos(a), 0.26 * np.sin(a), 0.05), 0.012, 6))
        kit.add(
            look.RUBBER,
            place(cylinder(0.03, -0.01, 0.01, 8), (0.26 * np.cos(a), 0.26 * np.sin(a), 0.03), roll=np.pi / 2),
        )
    for s in (1, -1):
        kit.add(
            look.STEEL, tube(smooth_path([(0, 0, h - 0.01), (s * 0.08, 0, h), (s * 0.1, 0, h + 0.03)], 6), 0.005, 5)
        )
        if s > 0 or rng.random() < 0.5:
            fluid = Material(
                pick(rng, rgb(214, 220, 222), rgb(225, 215, 170), rgb(130, 30, 30), weights=(5, 1, 1)), 0.2
            )
            kit.add(fluid, box((0.11, 0.03, 0.19), (s * 0.1, 0, h - 0.1), taper=0.7, bevel=0.012))
            line = smooth_path([(s * 0.1, 0, h - 0.2), (s * 0.16, -0.05, h - 0.7), (s * 0.08, -0.1, 0.95)], 10)
            kit.add(look.WHITE_PLASTIC, tube(line, 0.003, 4))
    if rng.random() < 0.5:
        device(kit, rng, (0, -0.1, rng.uniform(0.9, 1.2)))
    return kit


def cable(variant: int) -> Kit:
    """A cable or hose lying on the floor in loops."""
    rng = stream("cable", variant)
    t = np.linspace(0, rng.uniform(2, 5) * np.pi, 40)
    r = rng.uniform(0.12, 0.3) * (1 + 0.15 * np.sin(t * 0.31 + rng.uniform(0, 6)))
    path = np.stack([r * np.cos(t) + 0.02 * t, r * np.sin(t) * rng.uniform(0.6, 1.0) - 0.015 * t, 0 * t + 0.008], -1)
    path = np.concatenate([path, [path[-1] + [rng.uniform(0.1, 0.4), rng.uniform(-0.3, 0.3), 0]]])
    path -= path.mean(0) * [1, 1, 0]
    skin = pick(rng, look.ORANGE_HOSE, look.RUBBER, look.GREY_PLASTIC, Material(rgb(60, 90, 150), 0.5))
    return Kit().add(skin, tube(path, rng.uniform(0.005, 0.011), 5))


def shelf_clutter(variant: int) -> Kit:
    """Devices side by side as they stand on a shelf; origin on the shelf, 0.8 m long."""
    rng = stream("shelf_clutter", variant)
    kit = Kit()
    for x in (-0.22, 0.22):
        device(kit, rng, (x, 0, 0))
    return kit


def boxes(variant: int) -> Kit:
    """A pile of cartons, cases or packs."""
    rng = stream("boxes", variant)
    kit, z = Kit(), 0.0
    for _ in range(int(rng.integers(2, 5))):
        s = rng.uniform((0.25, 0.2, 0.12), (0.5, 0.4, 0.3))
        skin = pick(rng, look.CARDBOARD, look.DARK_PLASTIC, look.machine_white(rng), Material(rgb(50, 80, 140), 0.6))
        kit.add(
            skin,
            place(
                box(s, bevel=0.008), (rng.normal(0, 0.03), rng.normal(0, 0.03), z + s[2] / 2), yaw=rng.normal(0, 0.15)
            ),
        )
        z += s[2]
    return kit


def drawer_trolley(variant: int) -> Kit:
    """Cart of drawers on castors, with or without things on it."""
    rng = stream("drawer_trolley", variant)
    w, d, h = rng.uniform(0.5, 0.72), rng.uniform(0.4, 0.52), rng.uniform(0.8, 1.05)
    body = look.painted(
        rng, rgb(222, 221, 215), rgb(176, 46, 44), rgb(60, 92, 160), rgb(204, 178, 66), rgb(120, 126, 130)
    )
    front = body if rng.random() < 0.5 else look.any_cloth(rng, look.WHITE_PLASTIC)
    kit = Kit().add(body, box((w, d, h - 0.12), (0, 0, 0.12 + (h - 0.12) / 2), bevel=0.015))
    count = int(rng.integers(4, 7))
    tall = (h - 0.2) / count
    for k in range(count):
        z = 0.16 + tall * (k + 0.5)
        kit.add(front, box((w * 0.92, 0.012, tall * 0.86), (0, -d / 2 - 0.006, z), bevel=0.004))
        kit.add(look.GREY_PLASTIC, box((w * 0.4, 0.02, 0.016), (0, -d / 2 - 0.02, z + tall * 0.25)))
    for sx in (1, -1):
        for sy in (1, -1):
            at = (sx * w * 0.42, sy * d * 0.4, 0.05)
            kit.add(look.RUBBER, place(cylinder(0.05, -0.015, 0.015, 10), at, roll=np.pi / 2))
    if rng.random() < 0.6:
        device(kit, rng, (rng.uniform(-0.08, 0.08), 0, h))
    return kit


def linen_hamper(variant: int) -> Kit:
    """Bag for used linen in a frame on castors."""
    rng = stream("linen_hamper", variant)
    r, h = rng.uniform(0.2, 0.26), rng.uniform(0.75, 0.95)
    bag = look.any_cloth(rng, Material(rgb(190, 60, 60), 0.9, texture="creased", texture_scale_m=0.2))
    kit = Kit().add(bag, lathe([(0.02, 0.1), (r * 0.8, 0.12), (r * 1.05, h * 0.5), (r, h), (r * 0.5, h - 0.04)], 18))
    for k in range(4):
        a = np.pi / 4 + k * np.pi / 2
        foot, top = np.array([1.1 * r * np.cos(a), 1.1 * r * np.sin(a)]), r * np.array([np.cos(a), np.sin(a)])
        kit.add(look.CHROME, rod((*foot, 0.05), (*top, h), 0.011, 6))
        kit.add(look.RUBBER, place(cylinder(0.028, -0.01, 0.01, 8), (*foot, 0.028), roll=np.pi / 2))
    ring = np.linspace(0, 2 * np.pi, 19)
    kit.add(look.CHROME, tube(np.stack([r * np.cos(ring), r * np.sin(ring), 0 * ring + h], -1), 0.01, 6))
    return kit
