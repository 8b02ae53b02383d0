"""Furniture, machines, instruments and clutter of an operating room, each a family of procedural variants.

Convention
    frame      origin on the floor under the footprint; z up; x along the length; who works at it stands at -y.
               operating_table, table_drape_patient: x towards the patient's head. c_arm, mako_robot: x towards the
               patient. lamp: origin in the middle of its shining face, which looks down. Hand instruments: origin at
               the grip, x along the tool to its working end, z up as held; with `lying=True` they rest on z = 0
    variant    any integer; 0-999 train, 1000-1999 test, 2000-2999 val share no member (each draws its own numbers)
    size       (length, width, height) m; the height of a table is that of the surface on which things lie
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from or_spatial.errors import ConfigError
from or_spatial.world.assets import carts, clutter, drapes, imaging, lamps, machines, rooms, tables, tools
from or_spatial.world.meshing import Kit
from or_spatial.world.parts import Part

_BUILDERS: dict[str, Callable[..., Kit]] = {
    "operating_table": tables.operating_table,
    "table_drape_patient": drapes.table_drape_patient,
    "instrument_table": tables.instrument_table,
    "mayo_stand": tables.mayo_stand,
    "secondary_table": tables.secondary_table,
    "anesthesia_equipment": machines.anesthesia_equipment,
    "c_arm": imaging.c_arm,
    "mako_robot": imaging.mako_robot,
    "mps_station": carts.mps_station,
    "monitor": carts.monitor,
    "lamp": lamps.lamp,
    "drill": tools.drill,
    "saw": tools.saw,
    "hammer": tools.hammer,
    "instrument": tools.instrument,
    "room": rooms.room,
    "cabinet": rooms.cabinet,
    "shelf_cart": carts.shelf_cart,
    "bucket": clutter.bucket,
    "stool": clutter.stool,
    "step": clutter.step,
    "iv_pole": clutter.iv_pole,
    "cable": clutter.cable,
    "shelf_clutter": clutter.shelf_clutter,
    "boxes": clutter.boxes,
    "drawer_trolley": clutter.drawer_trolley,
    "linen_hamper": clutter.linen_hamper,
}

KINDS = tuple(_BUILDERS)
"""Every kind that can be built."""

_TABLE_SIZES = {
    "operating_table": tables.operating_table_size,
    "instrument_table": tables.instrument_table_size,
    "mayo_stand": tables.mayo_size,
    "secondary_table": tables.secondary_table_size,
}


@lru_cache(maxsize=512)
def build_asset(kind: str, variant: int, **options: Any) -> tuple[Part, ...]:
    """Parts of an asset in its own frame; see Convention. Options: c_arm(angle, rad), mako_robot(joints, 4 rad), tools
    (lying), monitor(mount "stand" | "boom" | "wall"), room(width, depth, height), lamp(ceiling_above, m).

    Raises:
        ConfigError: no such kind.
    """
    if kind not in _BUILDERS:
        raise ConfigError(f"no asset kind {kind!r}; there are {', '.join(KINDS)}")
    return tuple(_frozen(p) for p in _BUILDERS[kind](int(variant), **options).parts())


def drape_patient(variant: int, patient: Sequence[Part], opening: str | None = None) -> tuple[Part, ...]:
    """The drape of operating table `variant` fitted to a patient's parts (table frame, head at +x): the cloth first,
    then the poles of its screen. `opening` is "leg" (right leg bare), "none", or drawn.
    """
    return drapes.drape_over(int(variant), patient, opening).parts()


@lru_cache(maxsize=4096)
def asset_size(kind: str, variant: int) -> tuple[float, float, float]:
    """(length, width, height) m of an asset; the height of a table is that of its surface."""
    if kind in _TABLE_SIZES:
        return _TABLE_SIZES[kind](int(variant))
    points = np.concatenate([p.vertices for p in build_asset(kind, variant)])
    return tuple(float(v) for v in np.ptp(points, axis=0))


def _frozen(part: Part) -> Part:
    """Cached parts are shared: nobody may write into them."""
    part.vertices.setflags(write=False)
    part.faces.setflags(write=False)
    return replace(part)
