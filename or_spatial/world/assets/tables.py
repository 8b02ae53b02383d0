"""Tables: the operating table on its column, draped instrument tables, Mayo stands, steel side tables."""

import numpy as np

from or_spatial.world import materials as look
from or_spatial.world.assets.drapes import hanging_cloth
from or_spatial.world.assets.draw import pick, stream
from or_spatial.world.materials import rgb
from or_spatial.world.meshing import Kit, box, cylinder, extrude_x, place, rod

Size = tuple[float, float, float]


def operating_table_size(variant: int) -> Size:
    """Length, width, height of the padded top."""
    rng = stream("operating_table", variant)
    return float(rng.uniform(1.98, 2.12)), float(rng.uniform(0.50, 0.62)), float(rng.uniform(0.82, 1.0))


def operating_table(variant: int) -> Kit:
    """Padded sections over a steel frame with side rails, on a column with an H-shaped or flat foot on castors."""
    length, width, top = operating_table_size(variant)
    rng = stream("operating_table.look", variant)
    pad = look.painted(rng, rgb(34, 35, 40), rgb(28, 42, 70), rgb(48, 50, 54), roughness=0.55)
    metal = look.STEEL
    kit = Kit()
    thick = float(rng.uniform(0.05, 0.09))
    cuts = np.concatenate([[-0.5], np.sort(rng.uniform(-0.25, 0.3, int(rng.integers(1, 3)))), [0.36, 0.5]]) * length
    for a, b in zip(cuts[:-1], cuts[1:], strict=True):
        narrow = 0.62 if b > 0.49 * length and rng.random() < 0.6 else 1.0
        kit.add(pad, box((b - a - 0.012, width * narrow, thick), ((a + b) / 2, 0, top - thick / 2), bevel=0.03))
    kit.add(metal, box((length * 0.9, width * 0.82, 0.05), (0, 0, top - thick - 0.03)))
    for s in (1, -1):
        kit.add(metal, box((length * 0.84, 0.012, 0.032), (0, s * (width / 2 + 0.018), top - thick - 0.02)))
    _column(kit, rng, top - thick - 0.05, float(rng.uniform(-0.15, 0.15)))
    if rng.random() < 0.5:
        kit.add(look.DARK_PLASTIC, box((0.05, 0.11, 0.2), (0.3 * length, -width / 2 - 0.05, top - 0.25)))
    return kit


def _column(kit: Kit, rng: np.random.Generator, top: float, x: float) -> None:
    cover = pick(rng, look.STEEL, look.machine_white(rng), look.GREY_PLASTIC, weights=(3, 1, 1))
    side = float(rng.uniform(0.24, 0.34))
    kit.add(cover, box((side, side * 0.8, top - 0.62), (x, 0, 0.62 + (top - 0.62) / 2)))
    kit.add(look.STEEL, box((side * 1.25, side, 0.5), (x, 0, 0.39), bevel=0.02))
    long, wide = float(rng.uniform(0.95, 1.15)), float(rng.uniform(0.48, 0.62))
    if rng.random() < 0.5:
        kit.add(look.STEEL, box((long, wide * 0.45, 0.10), (x, 0, 0.17), bevel=0.05))
        for s in (1, -1):
            kit.add(look.STEEL, box((0.14, wide, 0.08), (x + s * long * 0.45, 0, 0.16), bevel=0.03))
    else:
        kit.add(cover, box((long, wide, 0.12), (x, 0, 0.15), taper=0.9, bevel=0.08))
    for sx in (1, -1):
        for sy in (1, -1):
            castor(kit, x + sx * long * 0.45, sy * wide * 0.45, 0.055)


def castor(kit: Kit, x: float, y: float, radius: float = 0.04) -> None:
    """A wheel standing on the floor at (x, y), with its fork."""
    wheel = place(cylinder(radius, -0.015, 0.015, 12), (x, y, radius), roll=np.pi / 2)
    hub = place(cylinder(radius * 0.55, -0.019, 0.019, 10), (x, y, radius), roll=np.pi / 2)
    kit.add(look.RUBBER, wheel).add(look.WHITE_PLASTIC, hub)
    kit.add(look.GREY_PLASTIC, box((0.03, 0.045, radius), (x, y, 1.8 * radius)))


def is_mayo(variant: int) -> bool:
    """Whether this variant of the instrument table is a Mayo stand."""
    return stream("instrument_table.form", variant).random() < 0.16


def instrument_table_size(variant: int) -> Size:
    """Length, width, height of the surface on which instruments lie."""
    if is_mayo(variant):
        return mayo_size(variant)
    rng = stream("instrument_table", variant)
    return float(rng.uniform(0.95, 1.5)), float(rng.uniform(0.55, 0.70)), float(rng.uniform(0.84, 0.96))


def instrument_table(variant: int) -> Kit:
    """A back table under a sterile drape that hangs over its edges; some variants are Mayo stands."""
    if is_mayo(variant):
        return mayo_stand(variant)
    length, width, top = instrument_table_size(variant)
    rng = stream("instrument_table.look", variant)
    cloth = look.drape(rng)
    kit = Kit()
    frame(kit, rng, length - 0.1, width - 0.1, top - 0.03)
    kit.add(cloth, *hanging_cloth(length, width, top, rng.uniform(0.12, 0.6), rng))
    if rng.random() < 0.6:
        w, long = width * rng.uniform(0.3, 0.6), length * rng.uniform(0.25, 0.45)
        towel = look.drape(rng) if rng.random() < 0.6 else look.PAPER
        kit.add(
            towel, box((long, w, 0.004), (rng.uniform(-0.2, 0.2) * length, rng.uniform(-0.1, 0.1) * width, top + 0.002))
        )
    if rng.random() < 0.45:
        tray(kit, 0.34, 0.24, (rng.choice([-1, 1]) * length * 0.3, 0.12 * width, top))
    _bowls(kit, rng, length, width, top)
    return kit


def _bowls(kit: Kit, rng: np.random.Generator, length: float, width: float, top: float) -> None:
    """Steel bowls and swab stacks along the far edge."""
    for _ in range(int(rng.integers(0, 3))):
        x, y = rng.uniform(-0.42, 0.42) * length, width * rng.uniform(0.2, 0.36)
        if rng.random() < 0.5:
            kit.add(look.STEEL, place(cylinder(0.045, 0, 0.05, 12, 0.075), (x, y, top)))
        else:
            kit.add(look.PAPER, box((0.1, 0.1, rng.uniform(0.01, 0.05)), (x, y, top + 0.015)))


def tray(kit: Kit, length: float, width: float, at: tuple[float, float, float]) -> None:
    """A shallow steel tray with a rim standing at `at`."""
    x, y, z = at
    kit.add(look.STEEL, box((length, width, 0.006), (x, y, z + 0.004)))
    for s in (1, -1):
        kit.add(look.STEEL, box((length, 0.008, 0.025), (x, y + s * width / 2, z + 0.013)))
        kit.add(look.STEEL, box((0.008, width, 0.025), (x + s * length / 2, y, z + 0.013)))


def frame(kit: Kit, rng: np.random.Generator, length: float, width: float, top: float, shelf: bool = True) -> None:
    """Four legs on castors under a steel top, braced by rails or a lower shelf."""
    metal = look.STEEL
    kit.add(metal, box((length, width, 0.025), (0, 0, top - 0.0125)))
    for sx in (1, -1):
        for sy in (1, -1):
            x, y = sx * (length / 2 - 0.03), sy * (width / 2 - 0.03)
            kit.add(metal, rod((x, y, 0.08), (x, y, top), 0.014, 6))
            castor(kit, x, y)
    z = float(rng.uniform(0.18, 0.32))
    if shelf:
        kit.add(metal, box((length - 0.05, width - 0.05, 0.018), (0, 0, z)))
    else:
        kit.add(metal, box((length - 0.05, 0.03, 0.03), (0, 0, z)))
        for s in (1, -1):
            kit.add(metal, box((0.03, width - 0.05, 0.03), (s * (length / 2 - 0.03), 0, z)))


def mayo_size(variant: int) -> Size:
    """Length, width, height of the tray."""
    rng = stream("mayo_stand", variant)
    return float(rng.uniform(0.50, 0.66)), float(rng.uniform(0.36, 0.45)), float(rng.uniform(0.92, 1.12))


def mayo_stand(variant: int) -> Kit:
    """One tray on an off-centre post with a T or U foot; draped or bare steel."""
    length, width, top = mayo_size(variant)
    rng = stream("mayo_stand.look", variant)
    kit = Kit()
    y = width * 0.36
    kit.add(look.STEEL, box((0.04, 0.04, top - 0.1), (0, y, top / 2 + 0.03)))
    kit.add(look.STEEL, box((length * 0.9, 0.06, 0.04), (0, y, 0.07), bevel=0.02))
    for s in (1, -1):
        kit.add(look.STEEL, box((0.05, width, 0.035), (s * length * 0.42, y - width * 0.4, 0.07), bevel=0.02))
        castor(kit, s * length * 0.42, y, 0.028)
        castor(kit, s * length * 0.42, y - width * 0.85, 0.028)
    if rng.random() < 0.6:
        kit.add(look.STEEL, box((length, width, 0.012), (0, 0, top - 0.012)))
        kit.add(look.drape(rng), *hanging_cloth(length, width, top, rng.uniform(0.08, 0.3), rng))
    else:
        tray(kit, length, width, (0, 0, top - 0.007))
    return kit


def secondary_table_size(variant: int) -> Size:
    """Length, width, height of the upper surface."""
    rng = stream("secondary_table", variant)
    return float(rng.uniform(0.7, 1.2)), float(rng.uniform(0.45, 0.62)), float(rng.uniform(0.8, 0.95))


def secondary_table(variant: int) -> Kit:
    """Unsterile side table of bare steel or with drawers: boxes, bottles and paper on top, some with an open shelf."""
    length, width, top = secondary_table_size(variant)
    rng = stream("secondary_table.look", variant)
    kit = Kit()
    if rng.random() < 0.65:
        frame(kit, rng, length, width, top, shelf=rng.random() < 0.7)
    else:
        _drawers(kit, rng, length, width, top)
    if rng.random() < 0.5:
        kit.add(look.STEEL, extrude_x([(-0.004, 0), (0.004, 0), (0.004, 0.04), (-0.004, 0.04)], length / 2))
        kit.meshes[("", look.STEEL)][-1] = place(kit.meshes[("", look.STEEL)][-1], (0, width / 2, top))
    for _ in range(int(rng.integers(1, 5))):
        x, y = rng.uniform(-0.4, 0.4) * length, rng.uniform(0.05, 0.35) * width
        bottle_or_box(kit, rng, (x, y, top))
    return kit


def _drawers(kit: Kit, rng: np.random.Generator, length: float, width: float, top: float) -> None:
    body = look.machine_white(rng)
    front = look.painted(rng, rgb(205, 208, 210), rgb(120, 160, 190), rgb(190, 120, 70), rgb(150, 180, 150))
    kit.add(body, box((length, width, top - 0.12), (0, 0, 0.1 + (top - 0.12) / 2), bevel=0.01))
    kit.add(look.GREY_PLASTIC, box((length, width, 0.02), (0, 0, top - 0.01)))
    rows = int(rng.integers(3, 6))
    step = (top - 0.2) / rows
    for k in range(rows):
        z = 0.15 + step * (k + 0.5)
        kit.add(front, box((length - 0.06, 0.012, step - 0.02), (0, -width / 2 - 0.006, z)))
        kit.add(look.DARK_PLASTIC, box((length * 0.3, 0.02, 0.015), (0, -width / 2 - 0.018, z + step * 0.25)))
    for sx in (1, -1):
        for sy in (1, -1):
            castor(kit, sx * (length / 2 - 0.06), sy * (width / 2 - 0.06), 0.045)


def bottle_or_box(kit: Kit, rng: np.random.Generator, at: tuple[float, float, float]) -> None:
    """One small thing that stands about on worktops."""
    x, y, z = at
    colour = look.painted(
        rng, rgb(220, 220, 215), rgb(150, 60, 55), rgb(60, 100, 160), rgb(120, 90, 60), rgb(90, 140, 100)
    )
    if rng.random() < 0.4:
        r, h = rng.uniform(0.025, 0.045), rng.uniform(0.1, 0.22)
        kit.add(colour, place(cylinder(r, 0, h, 10), (x, y, z)))
        kit.add(look.WHITE_PLASTIC, place(cylinder(r * 0.5, 0, 0.03, 8), (x, y, z + h)))
    else:
        s = rng.uniform((0.1, 0.08, 0.04), (0.28, 0.2, 0.14))
        kit.add(colour, place(box(s), (x, y, z + s[2] / 2), yaw=rng.uniform(-0.5, 0.5)))
