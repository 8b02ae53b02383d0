"""Screens and carts: the guidance station, monitors on stands, booms and walls, carts with grey devices."""

import numpy as np

from or_spatial.world import materials as look
from or_spatial.world.assets.clutter import device
from or_spatial.world.assets.draw import pick, stream
from or_spatial.world.assets.machines import display
from or_spatial.world.assets.tables import castor
from or_spatial.world.materials import rgb
from or_spatial.world.meshing import Kit, box, cylinder, place, rod, smooth_path, sphere, tube
from or_spatial.world.parts import Material


def mps_station(variant: int) -> Kit:
    """Guidance cart: one or two screens above a keyboard and a computer cabinet; some carry the tracking camera."""
    rng = stream("mps_station", variant)
    white = look.machine_white(rng)
    accent = look.painted(rng, rgb(50, 54, 60), rgb(60, 100, 150), rgb(140, 146, 150))
    w, d, desk = rng.uniform(0.5, 0.64), rng.uniform(0.48, 0.6), rng.uniform(0.88, 1.02)
    kit = Kit()
    kit.add(accent, box((w, d, 0.1), (0, 0, 0.13), bevel=0.06))
    if rng.random() < 0.6:
        kit.add(white, box((w * 0.85, d * 0.75, desk - 0.2), (0, 0.04, 0.17 + (desk - 0.2) / 2), bevel=0.04))
        kit.add(accent, box((w * 0.6, 0.012, desk * 0.4), (0, 0.04 - d * 0.375 - 0.006, desk * 0.5)))
    else:
        kit.add(white, box((0.16, 0.14, desk - 0.15), (0, 0.1, 0.15 + (desk - 0.15) / 2), bevel=0.03))
        kit.add(white, box((w * 0.7, d * 0.6, 0.22), (0, 0.05, 0.3), bevel=0.03))
    kit.add(accent, box((w, d * 0.7, 0.03), (0, -d * 0.15, desk), bevel=0.03))
    kit.add(look.DARK_PLASTIC, box((w * 0.72, 0.14, 0.018), (0, -d * 0.28, desk + 0.025)))
    kit.add(look.GREY_PLASTIC, rod((0, 0.12, desk), (0, 0.12, desk + 0.5), 0.03, 8))
    sw = rng.uniform(0.5, 0.62)
    display(kit, rng, sw, sw * 0.62, (0, 0.06, desk + 0.38 + rng.uniform(0, 0.1)), tilt=0.06, glass=look.plan(rng))
    if rng.random() < 0.4:
        display(kit, rng, 0.4, 0.26, (0, 0.07, desk + 0.82), tilt=0.06)
    if rng.random() < 0.45:
        _tracker(kit, white, desk)
    for sx in (1, -1):
        for sy in (1, -1):
            castor(kit, sx * w * 0.42, sy * d * 0.42, 0.045)
    return kit


def _tracker(kit: Kit, white: Material, desk: float) -> None:
    """Infrared bar with two eyes on an arm above the screen."""
    arm = smooth_path([(0, 0.14, desk + 0.45), (0.1, 0.15, desk + 0.75), (0.05, 0.0, desk + 0.93)], 8)
    kit.add(white, tube(arm, 0.022, 8)).add(white, box((0.56, 0.09, 0.1), (0.05, -0.02, desk + 0.95), bevel=0.03))
    for s in (1, -1):
        kit.add(
            look.screen(np.random.default_rng(0), False),
            sphere((0.04, 0.02, 0.04), (0.05 + s * 0.22, -0.065, desk + 0.95), 10, 6),
        )


def monitor(variant: int, mount: str | None = None) -> Kit:
    """A large display on a wheeled stand, on a ceiling boom (above its footprint), or on a wall at +y."""
    rng = stream("monitor", variant)
    drawn = pick(rng, "stand", "boom", weights=(0.55, 0.45))
    mount = mount or drawn
    kit = Kit()
    width = rng.uniform(0.52, 0.75)
    z = rng.uniform(1.4, 1.62)
    screens = 2 if mount == "boom" and rng.random() < 0.5 else 1
    for k in range(screens):
        x = (k - (screens - 1) / 2) * (width + 0.03)
        shown = pick(rng, look.screen, look.scan, look.plan, weights=(3, 2, 1))(rng)
        display(kit, rng, width, width * 0.6, (x, 0, z), yaw=0.2 * (2 * k - 1) * (screens - 1), tilt=0.05, glass=shown)
    metal = pick(rng, look.STEEL, look.machine_white(rng), look.GREY_PLASTIC)
    if mount == "stand":
        kit.add(metal, rod((0, 0.05, 0.08), (0, 0.05, z), 0.03, 10))
        foot = rng.uniform(0.24, 0.3)
        for k in range(4):
            a = np.pi / 4 + k * np.pi / 2
            kit.add(metal, rod((0, 0.05, 0.12), (foot * np.cos(a), 0.05 + foot * np.sin(a), 0.08), 0.02, 6))
            castor(kit, foot * np.cos(a), 0.05 + foot * np.sin(a), 0.035)
        if rng.random() < 0.6:
            kit.add(metal, box((0.4, 0.35, 0.03), (0, 0.03, 0.9), bevel=0.03))
            device(kit, rng, (0, 0.03, 0.915))
    elif mount == "boom":
        top = z + width * 0.3
        kit.add(metal, box((width * screens * 0.7, 0.05, 0.06), (0, 0.05, z), bevel=0.01))
        kit.add(metal, rod((0, 0.06, z), (0, 0.06, top + 0.3), 0.025, 8))
        kit.add(metal, rod((0, 0.06, top + 0.3), (0.5, 0.5, top + 0.42), 0.04, 10))
        kit.add(metal, rod((0.5, 0.5, top + 0.4), (0.5, 0.5, top + 0.75), 0.06, 10))
    else:
        kit.add(metal, box((0.2, 0.1, 0.2), (0, 0.07, z)))
    return kit


def shelf_cart(variant: int) -> Kit:
    """Tower of shelves with grey devices, cables at the back; sometimes a screen on top."""
    rng = stream("shelf_cart", variant)
    w, d = rng.uniform(0.5, 0.62), rng.uniform(0.42, 0.52)
    levels = int(rng.integers(3, 6))
    heights = np.linspace(0.15, rng.uniform(1.1, 1.4), levels)
    frame = pick(rng, look.STEEL, look.machine_white(rng), look.GREY_PLASTIC)
    kit = Kit()
    for sx in (1, -1):
        for sy in (1, -1):
            kit.add(frame, box((0.03, 0.03, heights[-1] - 0.05), (sx * w / 2, sy * d / 2, heights[-1] / 2 + 0.04)))
            castor(kit, sx * w / 2, sy * d / 2, 0.04)
    for z in heights:
        kit.add(frame, box((w, d, 0.02), (0, 0, z)))
        if rng.random() < 0.85:
            device(kit, rng, (rng.uniform(-0.04, 0.04), 0, z + 0.01))
    if rng.random() < 0.5:
        display(kit, rng, 0.42, 0.3, (0, 0, heights[-1] + 0.25), tilt=0.08)
        kit.add(look.GREY_PLASTIC, rod((0, 0.04, heights[-1]), (0, 0.03, heights[-1] + 0.2), 0.025, 8))
    cable = look.RUBBER if rng.random() < 0.6 else Material(rgb(120, 130, 150), 0.6)
    for _ in range(3):
        x, z = rng.uniform(-0.4, 0.4) * w, rng.choice(heights[1:])
        path = [(x, -d / 2, z + 0.06), (x + 0.06, -d / 2 - 0.08, z - 0.2), (x * 0.5, -d / 2 - 0.03, max(0.06, z - 0.5))]
        kit.add(cable, tube(smooth_path(path, 9), 0.006, 5))
    return kit


def suction(kit: Kit, rng: np.random.Generator, at: tuple[float, float]) -> None:
    """Two clear canisters on a pole."""
    x, y = at
    kit.add(look.STEEL, rod((x, y, 0.05), (x, y, 0.95), 0.014, 8))
    for s in (1, -1):
        kit.add(Material(rgb(190, 200, 200), 0.2), place(cylinder(0.065, 0.45, 0.7, 12), (x + s * 0.1, y, 0)))
        kit.add(
            pick(rng, look.ORANGE_HOSE, look.WHITE_PLASTIC), place(cylinder(0.068, 0.7, 0.73, 12), (x + s * 0.1, y, 0))
        )
