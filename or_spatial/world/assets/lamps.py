"""Surgical lamps: one or more discs of light points on a hinged arm under the ceiling."""

import numpy as np

from or_spatial.world import materials as look
from or_spatial.world.assets.draw import pick, stream
from or_spatial.world.materials import rgb
from or_spatial.world.meshing import Kit, box, cylinder, lathe, place, rod, smooth_path, sphere, tube
from or_spatial.world.parts import Material

_DARK = Material(rgb(70, 72, 76), 0.25)


def lamp(variant: int, ceiling_above: float = 0.95, lit: float = 0.0) -> Kit:
    """One lamp head that shines down from its origin; its arm rises `ceiling_above` m. The face glows where a
    spot light of the scene lies before it, or always with `lit` > 0."""
    rng = stream("lamp", variant)
    shell = look.painted(rng, rgb(226, 226, 222), rgb(206, 210, 214), rgb(190, 198, 206), roughness=0.35)
    face = Material(rgb(206, 210, 214), 0.15, emission=lit, texture="lamp_face")
    radius = rng.uniform(0.27, 0.38)
    kit = Kit()
    form = pick(rng, "disc", "petals", "ring")
    if form == "disc":
        kit.add(shell, lathe([(radius * 0.97, 0.0), (radius, 0.03), (radius * 0.8, 0.09), (0.06, 0.13)], 26))
        _points(kit, rng, face, radius * 0.85)
    elif form == "petals":
        count = int(rng.integers(3, 6))
        for k in range(count):
            a = 2 * np.pi * k / count
            at = (0.6 * radius * np.cos(a), 0.6 * radius * np.sin(a), 0.0)
            kit.add(shell, place(lathe([(0.4 * radius, 0), (0.42 * radius, 0.03), (0.2 * radius, 0.07)], 16), at))
            kit.add(face, place(cylinder(0.34 * radius, -0.006, 0.002, 16), at))
        kit.add(shell, cylinder(0.3 * radius, 0.0, 0.1, 14))
    else:
        kit.add(shell, lathe([(radius * 0.98, 0.0), (radius, 0.02), (radius * 0.95, 0.05), (radius * 0.5, 0.07)], 26))
        kit.add(face, cylinder(0.9 * radius, -0.006, 0.0, 24))
        kit.add(_DARK, cylinder(0.35 * radius, -0.012, 0.0, 16))
    kit.add(look.WHITE_PLASTIC, cylinder(0.022, -0.14, 0.0, 10)).add(
        look.GREY_PLASTIC, sphere((0.026,) * 3, (0, 0, -0.14), 8, 6)
    )
    _arm(kit, rng, shell, radius, ceiling_above)
    return kit


def _points(kit: Kit, rng: np.random.Generator, face: Material, radius: float) -> None:
    kit.add(_DARK if rng.random() < 0.4 else face, cylinder(radius, -0.004, 0.002, 24))
    for ring, count in ((0.35, 6), (0.75, 12)):
        for k in range(count):
            a = 2 * np.pi * k / count
            kit.add(
                face, place(cylinder(0.034, -0.012, 0.0, 8), (ring * radius * np.cos(a), ring * radius * np.sin(a), 0))
            )


def _arm(kit: Kit, rng: np.random.Generator, shell: Material, radius: float, rise: float) -> None:
    """Yoke, spring arm and column: the arm leads away sideways and up."""
    yaw = rng.uniform(-np.pi, np.pi)
    ahead = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    reach = rng.uniform(0.7, 1.0)
    yoke = smooth_path(
        [
            ahead * radius * 0.2 + [0, 0, 0.1],
            ahead * radius * 0.9 + [0, 0, 0.2],
            ahead * (radius + 0.06) + [0, 0, 0.34],
        ],
        8,
    )
    joint, top = yoke[-1], ahead * reach + [0, 0, min(0.6, rise - 0.2)]
    kit.add(shell, tube(yoke, 0.022, 8), rod(joint, top, 0.032, 10), sphere((0.05,) * 3, joint, 10, 7))
    kit.add(shell, sphere((0.055,) * 3, top, 10, 7), rod(top, top * [1, 1, 0] + [0, 0, rise], 0.04, 10))
    kit.add(shell, place(box((0.26, 0.26, 0.04), bevel=0.08), top * [1, 1, 0] + [0, 0, rise - 0.02]))
