"""Hand instruments: origin at the grip, x to the working end, z up as held; chunky, so that pixels see them."""

import numpy as np

from or_spatial.world import materials as look
from or_spatial.world.assets.draw import pick, stream
from or_spatial.world.materials import rgb, varied
from or_spatial.world.meshing import Kit, Mesh, box, cylinder, place, rod, rotation, smooth_path, sphere, tube
from or_spatial.world.parts import Material

INSTRUMENTS = ("scissors", "forceps", "retractor", "scalpel", "needle_holder", "suction")


def _rested(kit: Kit, lying: bool, on_side: bool = True) -> Kit:
    """With `lying`, turn the tool onto its side and let it rest on z = 0."""
    if not lying:
        return kit
    R = rotation(roll=np.pi / 2) if on_side else np.eye(3)
    turned = {k: [(v @ R.T, f) for v, f in meshes] for k, meshes in kit.meshes.items()}
    low = min(v[:, 2].min() for meshes in turned.values() for v, _ in meshes)
    return Kit({k: [(v - [0, 0, low], f) for v, f in meshes] for k, meshes in turned.items()})


def _along_x(
    radius: float, start: float, end: float, z: float = 0.0, end_radius: float | None = None, sides: int = 12
) -> Mesh:
    return place(cylinder(radius, start, end, sides, end_radius), (0, 0, z), pitch=np.pi / 2)


def _power(rng: np.random.Generator) -> tuple[Material, Material]:
    """Colours of a power tool: red-orange, grey, green or steel body, dark grip."""
    body = pick(
        rng,
        Material(rgb(208, 72, 44), 0.45),
        Material(rgb(120, 124, 130), 0.4),
        look.SATIN,
        Material(rgb(60, 110, 90), 0.45),
        Material(rgb(70, 74, 84), 0.4),
    )
    return varied(body, rng, 0.02, 0.1), pick(rng, look.DARK_PLASTIC, look.RUBBER, Material(rgb(96, 98, 104), 0.5))


def drill(variant: int, lying: bool = False) -> Kit:
    """Pistol drill with battery, chuck and bit."""
    rng = stream("drill", variant)
    body, grip = _power(rng)
    k = rng.uniform(0.95, 1.15)
    kit = Kit()
    kit.add(grip, place(box((0.046, 0.04, 0.12), bevel=0.012), (-0.01, 0, -0.01), pitch=-0.12))
    kit.add(grip, box((0.085 * k, 0.062, 0.05), (-0.012, 0, -0.09), bevel=0.015))
    kit.add(body, _along_x(0.034 * k, -0.075, 0.07, 0.065), _along_x(0.034 * k, 0.07, 0.1, 0.065, 0.022 * k))
    kit.add(body, sphere((0.022, 0.034 * k, 0.034 * k), (-0.075, 0, 0.065), 12, 7))
    kit.add(look.SATIN, _along_x(0.018, 0.1, 0.13, 0.065))
    bit = rng.uniform(0.1, 0.17)
    kit.add(look.SATIN, _along_x(rng.uniform(0.004, 0.006), 0.13, 0.13 + bit, 0.065, sides=6))
    kit.add(look.RUBBER, box((0.02, 0.014, 0.03), (0.025, 0, 0.025)))
    return _rested(kit, lying)


def saw(variant: int, lying: bool = False) -> Kit:
    """Oscillating saw: like the drill, but a flat broad blade ahead."""
    rng = stream("saw", variant)
    body, grip = _power(rng)
    k = rng.uniform(0.95, 1.15)
    kit = Kit()
    if rng.random() < 0.7:
        kit.add(grip, place(box((0.045, 0.04, 0.12), bevel=0.012), (-0.01, 0, -0.02), pitch=-0.1))
        kit.add(grip, box((0.09 * k, 0.06, 0.05), (-0.012, 0, -0.1), bevel=0.015))
        z = 0.055
    else:
        z = 0.0
        kit.add(grip, _along_x(0.026 * k, -0.13, -0.05, z))
    kit.add(body, place(box((0.17, 0.062 * k, 0.056 * k), bevel=0.02), (0.005, 0, z)))
    kit.add(look.SATIN, place(box((0.03, 0.05, 0.03), bevel=0.01), (0.105, 0, z)))
    long, wide = rng.uniform(0.085, 0.12), rng.uniform(0.018, 0.032)
    kit.add(look.SATIN, place(box((long, wide, 0.003), taper=1.0), (0.12 + long / 2, 0, z)))
    kit.add(look.SATIN, place(box((0.012, wide * 1.3, 0.0032)), (0.12 + long, 0, z)))
    return _rested(kit, lying)


def hammer(variant: int, lying: bool = False) -> Kit:
    """Mallet: grip at the origin, head across the end."""
    rng = stream("hammer", variant)
    long = rng.uniform(0.15, 0.19)
    kit = Kit()
    grip = pick(
        rng, Material(rgb(132, 88, 54), 0.6, texture="wood"), look.SATIN, look.RUBBER, Material(rgb(60, 80, 130), 0.5)
    )
    kit.add(
        grip,
        tube(
            np.stack([np.linspace(-0.07, 0.06, 6), np.zeros(6), np.zeros(6)], -1),
            [0.012, 0.015, 0.014, 0.015, 0.014, 0.011],
            10,
        ),
    )
    kit.add(grip if rng.random() < 0.4 else look.SATIN, _along_x(0.009, 0.05, long, sides=8))
    r, half = rng.uniform(0.019, 0.026), rng.uniform(0.03, 0.045)
    head = pick(rng, look.SATIN, look.STEEL, Material(rgb(40, 40, 44), 0.5))
    kit.add(head, place(cylinder(r, -half, half, 14), (long, 0, 0)))
    if rng.random() < 0.4:
        kit.add(Material(rgb(210, 205, 190), 0.5), place(cylinder(r * 1.02, half, half + 0.012, 14), (long, 0, 0)))
    return _rested(kit, lying)


def instrument(variant: int, lying: bool = False) -> Kit:
    """One of INSTRUMENTS, chosen by the variant."""
    rng = stream("instrument", variant)
    kind = INSTRUMENTS[int(rng.integers(len(INSTRUMENTS)))]
    kit = Kit()
    {
        "scissors": _scissors,
        "forceps": _forceps,
        "retractor": _retractor,
        "scalpel": _scalpel,
        "needle_holder": _needle_holder,
        "suction": _suction,
    }[kind](kit, rng)
    return _rested(kit, lying, on_side=kind == "retractor")


def _rings(kit: Kit, material: Material, spread: float, back: float) -> None:
    """Two finger rings behind the grip."""
    a = np.linspace(0, 2 * np.pi, 13)
    for s in (1, -1):
        loop = np.stack([-back + 0.016 * np.cos(a), s * (spread + 0.012 * np.sin(a)), 0 * a], -1)
        kit.add(material, tube(loop, 0.0035, 5))


def _scissors(kit: Kit, rng: np.random.Generator) -> None:
    long, open_ = rng.uniform(0.09, 0.12), rng.uniform(0.05, 0.3)
    _rings(kit, look.SATIN, 0.024, 0.055)
    for s in (1, -1):
        kit.add(look.SATIN, rod((-0.045, s * 0.02, 0), (0.02, -s * 0.003, 0), 0.0045, 6))
        tip = (0.02 + long * np.cos(open_ / 2), -s * long * np.sin(open_ / 2), 0)
        kit.add(look.SATIN, rod((0.02, -s * 0.003, 0), tip, 0.006, 6, 0.002))


def _forceps(kit: Kit, rng: np.random.Generator) -> None:
    gap, long = rng.uniform(0.008, 0.016), rng.uniform(0.1, 0.14)
    for s in (1, -1):
        path = smooth_path(
            [(-0.07, 0, 0), (-0.02, s * gap, 0), (0.03, s * gap * 0.9, 0), (long - 0.02, s * 0.0025, 0)], 8
        )
        kit.add(look.SATIN, tube(path, np.linspace(0.006, 0.003, 8), 6, flatten=0.6))


def _needle_holder(kit: Kit, rng: np.random.Generator) -> None:
    gold = Material(rgb(206, 160, 70), 0.3, 1.0) if rng.random() < 0.6 else look.SATIN
    _rings(kit, gold, 0.024, 0.075)
    for s in (1, -1):
        kit.add(look.SATIN, rod((-0.065, s * 0.02, 0), (0.06, -s * 0.003, 0), 0.0048, 6))
    kit.add(look.SATIN, rod((0.06, 0, 0), (0.1, 0, 0), 0.006, 8, 0.0035))


def _retractor(kit: Kit, rng: np.random.Generator) -> None:
    wide, long = rng.uniform(0.018, 0.042), rng.uniform(0.1, 0.16)
    kit.add(look.SATIN, box((0.16, 0.02, 0.008), (0.0, 0, 0), bevel=0.004))
    kit.add(look.SATIN, box((long - 0.08, wide * 0.7, 0.006), (0.06 + long / 2, 0, 0)))
    path = smooth_path([(0.02 + long, 0, 0), (0.05 + long, 0, -0.01), (0.06 + long, 0, -0.05)], 6)
    kit.add(look.SATIN, tube(path, wide / 2, 8, up=(0, 1, 0), flatten=0.16))


def _scalpel(kit: Kit, rng: np.random.Generator) -> None:
    grip = look.SATIN if rng.random() < 0.6 else Material(rgb(90, 160, 110), 0.5)
    kit.add(grip, box((0.135, 0.010, 0.006), (-0.01, 0, 0), bevel=0.002))
    kit.add(look.CHROME, place(box((0.045, 0.010, 0.002), taper=0.6), (0.078, 0.0, 0)))


def _suction(kit: Kit, rng: np.random.Generator) -> None:
    clear = Material(rgb(200, 208, 212), 0.25) if rng.random() < 0.6 else look.SATIN
    path = smooth_path([(-0.06, 0, 0), (0.05, 0, 0), (0.13, 0, -0.02), (0.18, 0, -0.05)], 10)
    kit.add(clear, tube(path, np.linspace(0.0085, 0.005, 10), 8))
    hose = smooth_path([(-0.06, 0, 0), (-0.16, 0.03, -0.02), (-0.26, 0.02, -0.06)], 9)
    kit.add(Material(rgb(190, 196, 192), 0.4), tube(hose, 0.006, 6))
