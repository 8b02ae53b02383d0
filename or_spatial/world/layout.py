"""Rooms: where walls, table, machines and staff places are. A layout is a number; the same number is the same room.

Convention
    room frame      z up, floor z = 0, origin in the middle of the floor; walls at +-width/2, +-depth/2
    table frame     x towards the patient's head, y towards the operated side (where the surgeon stands), origin under
                    the middle of the table; layouts with side = -1 are mirror images
    Place           footprint `length_m` along its own x, `width_m` along its y; who works at it stands at -y, but
                    C-arm and robot have the patient at +x (as the assets of these names do)
"""

from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

LAYOUTS = 120

NOMINAL_SIZE_M: dict[str, tuple[float, float, float]] = {
    "operating_table": (2.05, 0.60, 0.95),
    "instrument_table": (1.45, 0.66, 0.92),
    "secondary_table": (1.10, 0.60, 0.90),
    "anesthesia_equipment": (0.80, 0.70, 1.50),
    "c_arm": (2.60, 0.80, 1.75),
    "mako_robot": (1.10, 0.75, 1.70),
    "mps_station": (0.65, 0.62, 1.60),
    "monitor": (0.70, 0.60, 1.70),
    "cabinet": (1.80, 0.60, 0.95),
    "shelf_cart": (0.60, 0.50, 1.50),
}
"""Length, width, height that rooms are planned with (operating-room table of sizes); assets vary around them."""

MIDDLE_AHEAD_M = {"c_arm": 0.40, "c_arm@work": -0.08}
"""Where the footprint's middle lies on the asset's x axis: a C-arm's cart is its origin, at work its C is overhead."""
SWEPT_M = {"c_arm": (-0.95, 1.75, 0.75), "mako_robot": (-0.60, 0.95, 0.80)}
"""From, to along the asset's x axis, and width, of all that a machine's arm covers at any height."""
_FRONT_X = ("c_arm", "mako_robot")


@dataclass(frozen=True)
class Place:
    """A footprint on the floor: centre x, y in the room, turn, full length and width, m."""

    x: float
    y: float
    yaw: float
    length_m: float
    width_m: float

    def distance(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Horizontal distance (...,) from points (..., 2) to the footprint, 0 inside."""
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        d = np.asarray(points, dtype=float) - (self.x, self.y)
        along, across = d[..., 0] * c + d[..., 1] * s, -d[..., 0] * s + d[..., 1] * c
        return np.hypot(
            np.maximum(np.abs(along) - self.length_m / 2, 0), np.maximum(np.abs(across) - self.width_m / 2, 0)
        )

    def outline(self, step_m: float = 0.15) -> NDArray[np.float64]:
        """Points (N, 2) that fill the footprint, for clearance tests between footprints."""
        a = np.linspace(-0.5, 0.5, max(2, int(np.ceil(self.length_m / step_m)) + 1)) * self.length_m
        b = np.linspace(-0.5, 0.5, max(2, int(np.ceil(self.width_m / step_m)) + 1)) * self.width_m
        along, across = (g.ravel() for g in np.meshgrid(a, b))
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        return np.stack([self.x + along * c - across * s, self.y + along * s + across * c], -1)

    def gap(self, other: "Place") -> float:
        """Clear width between two footprints, m (to the sampling step)."""
        return float(min(self.distance(other.outline()).min(), other.distance(self.outline()).min()))


@dataclass(frozen=True)
class Spot:
    """Where somebody stands and which way they face, room frame."""

    x: float
    y: float
    yaw: float


@dataclass(frozen=True)
class Layout:
    """One planned room; `places` by object id kind, working places under `<kind>@work`."""

    index: int
    width_m: float
    depth_m: float
    height_m: float
    table: Spot
    side: int
    arrangement: str
    places: dict[str, Place] = field(hash=False)
    spots: dict[str, Spot] = field(hash=False)
    lamps: tuple[tuple[float, float, float], ...]
    doors: tuple[Spot, ...]

    def room_from_table(self, x: float, y: float) -> tuple[float, float]:
        """Room x, y of a point of the table frame."""
        return _room_from_table(self.table, self.side, x, y)


def _room_from_table(table: Spot, side: int, x: float, y: float) -> tuple[float, float]:
    c, s = np.cos(table.yaw), np.sin(table.yaw)
    y = y * side
    return (float(table.x + x * c - y * s), float(table.y + x * s + y * c))


def place_at(kind: str, x: float, y: float, yaw: float) -> Place:
    """The nominal footprint of a kind at a place."""
    length, width, _ = NOMINAL_SIZE_M[kind.split("@")[0]]
    return Place(x, y, yaw, 1.75 if kind == "c_arm@work" else length, width)


def build_layout(index: int) -> Layout:
    """Room `index` in [0, LAYOUTS); the caller may change its places and spots."""
    planned = _planned(index)
    return replace(planned, places=dict(planned.places), spots=dict(planned.spots))


@cache
def _planned(index: int) -> Layout:
    """Plan a room.

    Positions are drawn until every footprint is free of the others, the walls and the staff's places.
    """
    if not 0 <= index < LAYOUTS:
        raise ValueError(f"layouts are numbered 0 to {LAYOUTS - 1}, got {index}")
    for attempt in range(200):
        rng = np.random.default_rng([4711, index, attempt])
        if layout := _try(index, rng):
            return layout
    raise RuntimeError(f"no room found for layout {index}")


def _try(index: int, rng: np.random.Generator) -> Layout | None:
    width, depth = rng.uniform(6.6, 9.0), rng.uniform(6.4, 8.0)
    quarter = rng.integers(4) * np.pi / 2
    table = Spot(rng.uniform(-0.5, 0.5), rng.uniform(-0.4, 0.4), float(quarter + rng.normal(0, 0.22)))
    side = 1 if (index // 3) % 2 else -1
    arrangement = ("beside", "foot", "behind")[index % 3]
    places, spots = _field(rng, table, side, arrangement)
    walls = (width, depth)
    if not all(_inside(p, walls) for name, p in places.items() if "@" not in name):
        return None
    if not all(abs(s.x) < width / 2 - 0.4 and abs(s.y) < depth / 2 - 0.4 for s in spots.values()):
        return None
    doors = tuple(_door(rng, walls) for _ in range(int(rng.integers(1, 4))))
    for kind in ("mps_station", "secondary_table", "cabinet", "mako_robot", "c_arm", "monitor", "shelf_cart"):
        place = _free_place(kind, rng, walls, places, spots, doors, table)
        if place is None:
            return None
        places[kind] = place
        if kind in ("mps_station", "secondary_table", "monitor"):
            spots[kind] = operator_spot(place)
            at = np.array([spots[kind].x, spots[kind].y])
            sterile = (places["operating_table"], places["instrument_table"])
            if not _free(spots[kind], places, walls) or min(float(p.distance(at)) for p in sterile) < 1.05:
                return None
    spots |= _wall_spots(rng, walls, places, spots)
    if "visitor_2" not in spots:
        return None
    height = rng.uniform(2.8, 3.3)
    lamps = tuple(
        (*_room_from_table(table, side, rng.uniform(-0.8, 0.3), sy * rng.uniform(0.15, 0.8)), rng.uniform(1.9, 2.1))
        for sy in (1, -1)
    )
    return Layout(index, width, depth, height, table, side, arrangement, places, spots, lamps, doors)


def _field(rng: np.random.Generator, table: Spot, side: int, arrangement: str) -> tuple[dict, dict]:
    """The sterile core in table coordinates: who stands where follows operating-room.md section 2.3."""
    places: dict[str, Place] = {}
    spots: dict[str, Spot] = {}

    def put(name: str, x: float, y: float, facing: tuple[float, float]) -> None:
        px, py = _room_from_table(table, side, x, y)
        heading = table.yaw + side * np.arctan2(facing[1], facing[0])
        turn = 0.0 if name.split("@")[0] in _FRONT_X else np.pi / 2
        places[name] = place_at(name, px, py, float(heading + turn))

    def stand(name: str, x: float, y: float, towards: tuple[float, float]) -> None:
        px, py = _room_from_table(table, side, x, y)
        yaw = np.arctan2(towards[1] - y, towards[0] - x)
        spots[name] = Spot(px, py, float(table.yaw + side * yaw))

    j = rng.uniform(-0.08, 0.08, 12)
    places["operating_table"] = place_at("operating_table", table.x, table.y, table.yaw)
    tables = {
        "beside": (-1.45 + j[0], 1.50 + j[1], (3 * j[2], -1.0), (-1.20, 0.78)),
        "foot": (-2.05 + j[0], 0.15 + j[1], (1.0, 2 * j[2]), (-1.42, 0.72)),
        "behind": (-0.60 + j[0], 1.95 + j[1], (2 * j[2], -1.0), (-1.22, 1.18)),
    }
    x, y, facing, nurse = tables[arrangement]
    put("instrument_table", x, y, facing)
    stand("nurse", nurse[0] + j[3] / 2, nurse[1] + j[4] / 2, (x, y))
    stand("head_surgeon", -0.42 + j[5], 0.66, (-0.42, 0.0))
    stand("assistant_surgeon", -0.55 + j[6], -0.66, (-0.50, 0.0))
    stand("foot_end", -1.36, -0.10, (-0.9, 0.0))
    stand("torso", 0.22 + j[7], 0.66, (0.22, 0.0))
    stand("torso_far", 0.22 + j[7], -0.68, (0.22, 0.0))
    stand("head_end", 1.38, 0.12, (0.9, 0.0))
    put("anesthesia_equipment", 1.80 + j[8], -0.80 + j[9], (-0.6, 1.0) if rng.random() < 0.4 else (0.1, 1.0))
    stand("anaesthetist", 1.98 + j[8], 0.10 + j[9], (1.80, -0.80))
    put("mako_robot@work", -0.50 + j[10], -1.42, (0.0, 1.0))
    stand("assistant_robot", -1.22, -0.60, (-0.55, -0.05))
    stand("mako_push", -0.50 + j[10], -2.42, (-0.5 + j[10], -1.42))
    put("c_arm@work", 0.25 + j[11], -1.22, (0.0, 1.0))
    stand("c_arm_operator", 0.25 + j[11], -2.52, (0.25 + j[11], -1.2))
    return places, spots


def _inside(place: Place, walls: tuple[float, float], margin_m: float = 0.05) -> bool:
    half = np.array(walls) / 2 - margin_m
    return bool((np.abs(place.outline()) <= half).all())


def _door(rng: np.random.Generator, walls: tuple[float, float]) -> Spot:
    wall = int(rng.integers(4))
    along = rng.uniform(-0.35, 0.35)
    width, depth = walls
    return (
        Spot(width / 2, along * depth, np.pi),
        Spot(along * width, depth / 2, -np.pi / 2),
        Spot(-width / 2, along * depth, 0.0),
        Spot(along * width, -depth / 2, np.pi / 2),
    )[wall]


def _free_place(kind, rng, walls, places, spots, doors, table) -> Place | None:
    """A free footprint: against a wall, or for the guidance cart 1.6 to 3 m from the field with its screen to it."""
    length, width, _ = NOMINAL_SIZE_M[kind]
    others = list(places.values())
    people = np.array([(s.x, s.y) for s in spots.values()])
    ways_in = np.array([(d.x + 0.7 * np.cos(d.yaw), d.y + 0.7 * np.sin(d.yaw)) for d in doors])
    for _ in range(60):
        if kind in ("mps_station", "monitor"):
            a, r = rng.uniform(0, 2 * np.pi), rng.uniform(1.9, 3.2)
            x, y = table.x + r * np.cos(a), table.y + r * np.sin(a)
            place = Place(x, y, float(a - np.pi / 2 + rng.normal(0, 0.3)), length, width)
        else:
            place = against_wall(rng, walls, length, width)
        if not _inside(place, walls) or min(place.gap(o) for o in others) < 0.25:
            continue
        if place.distance(people).min() > 0.42 and place.distance(ways_in).min() > 0.5:
            return place
    return None


def against_wall(rng: np.random.Generator, walls: tuple[float, float], length: float, width: float) -> Place:
    """A footprint a hand from one of the `walls` (width and depth of the room, m), its front into the room."""
    wall, along = int(rng.integers(4)), rng.uniform(-0.5, 0.5)
    off = width / 2 + rng.uniform(0.06, 0.2)
    w, d = walls
    x, y, yaw = (
        (w / 2 - off, along * (d - length - 0.3), -np.pi / 2),
        (along * (w - length - 0.3), d / 2 - off, 0.0),
        (-w / 2 + off, along * (d - length - 0.3), np.pi / 2),
        (along * (w - length - 0.3), -d / 2 + off, np.pi),
    )[wall]
    return Place(float(x), float(y), float(yaw), length, width)


def operator_spot(place: Place) -> Spot:
    """In front of a machine (its -y side), facing it, at arm's length."""
    off = place.width_m / 2 + 0.45
    return Spot(place.x + off * np.sin(place.yaw), place.y - off * np.cos(place.yaw), float(place.yaw + np.pi / 2))


def _free(spot: Spot, places: dict[str, Place], walls: tuple[float, float], clear_m: float = 0.30) -> bool:
    at = np.array([spot.x, spot.y])
    if abs(at[0]) > walls[0] / 2 - 0.35 or abs(at[1]) > walls[1] / 2 - 0.35:
        return False
    return all(float(p.distance(at)) >= clear_m for p in places.values())


def _wall_spots(rng, walls, places, spots) -> dict[str, Spot]:
    """Places for those who only watch or wait: 1 m off the sterile field, clear of machines and each other."""
    found: dict[str, Spot] = {}
    taken = [(s.x, s.y) for s in spots.values()]
    sterile = [places["operating_table"], places["instrument_table"]]
    for _ in range(300):
        x, y = rng.uniform(-0.5, 0.5, 2) * (np.array(walls) - 0.9)
        at = np.array([x, y])
        if min(float(p.distance(at)) for p in sterile) < 1.15 or min(np.hypot(*(at - t)) for t in taken) < 0.75:
            continue
        spot = Spot(float(x), float(y), float(np.arctan2(sterile[0].y - y, sterile[0].x - x) + rng.normal(0, 0.3)))
        if _free(spot, places, walls, 0.38):
            found[f"visitor_{len(found)}"] = spot
            taken.append((x, y))
        if len(found) == 6:
            break
    return found
