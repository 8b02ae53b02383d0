"""The C-arm and the robot: the two machines that are rolled to the patient. Both have the patient at +x."""

import numpy as np

from or_spatial.world import materials as look
from or_spatial.world.assets.draw import pick, stream
from or_spatial.world.assets.machines import display
from or_spatial.world.assets.tables import castor
from or_spatial.world.materials import rgb
from or_spatial.world.meshing import Kit, box, cylinder, place, rings, rod, rotation, smooth_path, sphere, tube
from or_spatial.world.parts import Material

_ISO_X = 1.12  # where the beam stands, ahead of the footprint's middle: over the table when the cart is at its side


def c_arm(variant: int, angle: float | None = None) -> Kit:
    """Mobile X-ray: generator cart, lifting column, and the C with tube below and receptor above.

    `angle` rad turns the C about the cart's long axis (0: beam vertical); drawn from the variant if None.
    """
    rng = stream("c_arm", variant)
    white = look.machine_white(rng)
    accent = look.painted(rng, rgb(60, 90, 140), rgb(90, 94, 100), rgb(60, 130, 130), rgb(140, 144, 150))
    kit = Kit()
    iso_z, radius = rng.uniform(1.0, 1.12), rng.uniform(0.52, 0.6)
    turn = rng.choice([0, 0, 0.25, -0.25, 0.6]) if angle is None else angle
    _cart(kit, rng, white, accent)
    for mesh, material in _arc(rng, white, accent, radius):
        kit.add(material, (mesh[0] @ rotation(roll=turn).T + [_ISO_X, 0, iso_z], mesh[1]))
    kit.add(white, place(box((0.42, 0.16, 0.16), bevel=0.03), (_ISO_X - radius - 0.2, 0, iso_z)))
    kit.add(accent, place(cylinder(0.11, -0.08, 0.08, 14), (_ISO_X - radius - 0.06, 0, iso_z), pitch=np.pi / 2))
    return kit


def _cart(kit: Kit, rng: np.random.Generator, white: Material, accent: Material) -> None:
    h = rng.uniform(0.85, 1.0)
    kit.add(white, box((0.62, 0.56, h - 0.2), (-0.55, 0, 0.16 + (h - 0.2) / 2), bevel=0.06, taper=0.92))
    kit.add(accent, box((0.66, 0.6, 0.12), (-0.55, 0, 0.16), bevel=0.07))
    kit.add(white, box((0.24, 0.3, 1.18), (-0.12, 0, 0.68), bevel=0.05))
    kit.add(look.DARK_PLASTIC, box((0.3, 0.4, 0.05), (-0.62, 0, h + 0.0), bevel=0.03))
    if rng.random() < 0.6:
        display(kit, rng, 0.34, 0.26, (-0.6, 0.0, h + 0.2), yaw=-np.pi / 2, tilt=0.25, glass=look.scan(rng))
    else:
        kit.add(look.screen(rng), box((0.26, 0.3, 0.01), (-0.62, 0, h + 0.03)))
    kit.add(accent, rod((-0.9, -0.22, h - 0.05), (-0.9, 0.22, h - 0.05), 0.018, 8))
    for s in (1, -1):
        kit.add(accent, rod((-0.9, s * 0.22, h - 0.05), (-0.78, s * 0.22, h - 0.12), 0.015, 6))
        kit.add(white, box((1.15, 0.09, 0.1), (0.25, s * 0.24, 0.14), bevel=0.03))
        castor(kit, 0.78, s * 0.24, 0.05)
        castor(kit, -0.75, s * 0.26, 0.07)
    cable = smooth_path([(-0.7, 0.28, 0.5), (-0.95, 0.34, 0.2), (-0.8, 0.5, 0.02), (-0.4, 0.55, 0.012)], 12)
    kit.add(look.RUBBER, tube(cable, 0.011, 6))


def _arc(rng: np.random.Generator, white: Material, accent: Material, radius: float) -> list:
    """The C about its own centre in the x-z plane, open towards +x: band, X-ray tube below, receptor above."""
    t = np.linspace(np.pi / 2 - 0.12, 3 * np.pi / 2 + 0.12, 26)
    centre = np.stack([np.cos(t), 0 * t, np.sin(t)], -1)
    section = np.array([(0.0, -0.055), (0.0, 0.055), (0.085, 0.055), (0.085, -0.055)])
    loops = [[c * (radius + d) + [0, w, 0] for d, w in section] for c in centre]
    band = rings(np.array(loops))
    stripe = rings(
        np.array(
            [[c * (radius + d) + [0, w, 0] for d, w in section * [0, 0.5] + [[0.088, 0]] * 4] for c in centre[::2]]
        ),
        False,
    )
    out = [(band, white), (stripe, accent)]
    source = box((0.3, 0.24, 0.26), (0.02, 0, -radius + 0.06), bevel=0.04)
    out += [(source, white), (cylinder(0.08, -radius + 0.19, -radius + 0.24, 14), look.DARK_PLASTIC)]
    if rng.random() < 0.5:
        out.append((place(cylinder(0.17, 0, 0.22, 18, 0.13), (0, 0, radius - 0.16)), white))
        out.append((cylinder(0.165, radius - 0.19, radius - 0.16, 18), look.DARK_PLASTIC))
    else:
        out.append((box((0.36, 0.36, 0.09), (0, 0, radius - 0.1), bevel=0.03), white))
        out.append((box((0.32, 0.32, 0.02), (0, 0, radius - 0.155)), look.DARK_PLASTIC))
    return out


def mako_robot(variant: int, joints: tuple[float, float, float, float] | None = None) -> Kit:
    """Arm cart of a knee robot: heavy base, column, and a six-jointed arm that reaches to +x.

    `joints` = (turn of the column, shoulder, elbow, wrist) rad; zeros stretch the arm straight ahead. Drawn if None.
    """
    rng = stream("mako_robot", variant)
    white = look.machine_white(rng)
    accent = look.painted(rng, rgb(46, 48, 54), rgb(60, 90, 130), rgb(120, 124, 130), rgb(150, 156, 160))
    w, h = rng.uniform(0.6, 0.72), rng.uniform(0.8, 1.0)
    if joints is None:
        joints = (rng.uniform(-0.3, 0.3), rng.uniform(-1.1, -0.7), rng.uniform(1.3, 1.9), rng.uniform(-0.2, 0.6))
    kit = Kit()
    kit.add(white, box((0.78, w, h - 0.14), (-0.12, 0, 0.14 + (h - 0.14) / 2), bevel=0.1, taper=rng.uniform(0.8, 0.95)))
    kit.add(accent, box((0.95, w * 1.04, 0.14), (-0.05, 0, 0.15), bevel=0.1))
    kit.add(accent, box((0.02, w * 0.5, 0.25), (-0.515, 0, h * 0.6)))
    kit.add(accent, rod((-0.55, -w * 0.35, h), (-0.55, w * 0.35, h), 0.02, 8))
    for s in (1, -1):
        kit.add(accent, rod((-0.55, s * w * 0.35, h), (-0.42, s * w * 0.35, h - 0.1), 0.016, 6))
        for x in (-0.42, 0.36):
            castor(kit, x, s * w * 0.44, 0.06)
    if rng.random() < 0.5:
        display(kit, rng, 0.36, 0.24, (-0.4, 0, h + 0.32), yaw=-np.pi / 2, tilt=0.2)
        kit.add(look.GREY_PLASTIC, rod((-0.4, 0, h - 0.02), (-0.4, 0, h + 0.22), 0.025, 8))
    _robot_arm(kit, rng, white, accent, h, joints)
    return kit


def _robot_arm(kit: Kit, rng: np.random.Generator, white: Material, accent: Material, h: float, joints: tuple) -> None:
    thick = rng.uniform(0.07, 0.1)
    lengths = (rng.uniform(0.36, 0.45), rng.uniform(0.34, 0.42), 0.16)
    root = np.array([0.08, 0, h + 0.18])
    kit.add(white, place(cylinder(thick * 1.7, h - 0.06, h + 0.12, 18, thick * 1.4), (0.08, 0, 0)))
    kit.add(accent, sphere((thick * 1.3,) * 3, root, 14, 9))
    at, pitch = root, 0.0
    for k, (length, turn) in enumerate(zip(lengths, joints[1:], strict=True)):
        pitch += turn
        R = rotation(yaw=joints[0], pitch=pitch)
        end = at + R @ [length, 0, 0]
        r = thick * (1.0, 0.82, 0.55)[k]
        kit.add(white, tube(np.linspace(at, end, 5), np.array([0.95, 1.05, 0.95, 0.9, 0.85]) * r, 14))
        kit.add(accent, sphere((r * 1.02,) * 3, end, 12, 8))
        at = end
    tip = rotation(yaw=joints[0], pitch=pitch) @ [0.14, 0, 0]
    kit.add(look.STEEL, rod(at, at + tip, 0.022, 10)).add(look.STEEL, rod(at + tip, at + 1.35 * tip, 0.006, 6))
    ring = pick(rng, rgb(60, 130, 200), rgb(230, 230, 230), rgb(60, 180, 120))
    kit.add(Material(ring, 0.4, emission=0.3), place(cylinder(thick * 1.75, h + 0.1, h + 0.125, 18), (0.08, 0, 0)))
