"""What fills a room without being an object of the graph: walls, cupboards, stools, buckets, poles, cables."""

from typing import TYPE_CHECKING

import numpy as np

from or_spatial.world.layout import Place
from or_spatial.world.materials import CEILING, TILE, VINYL
from or_spatial.world.parts import Part, Solid
from or_spatial.world.splits import draw_variant, stream
from or_spatial.world.timeline import Pose2

if TYPE_CHECKING:
    from or_spatial.world.script import Script


def room_scenery(script: "Script") -> tuple[Solid, ...]:
    """Floor, walls and ceiling, furniture that nobody asks about, and clutter on free floor."""
    from or_spatial.world.simulation import asset, moved_parts

    rng = stream(script.split, script.seed, "scenery")
    layout = script.layout
    parts = list(_shell(layout.width_m, layout.depth_m, layout.height_m))
    for kind in ("cabinet", "shelf_cart"):
        p = layout.places[kind]
        parts += moved_parts(asset(kind, draw_variant(script.split, rng)), Pose2(p.x, p.y, p.yaw))
    for kind, place in _clutter(script, rng):
        parts += moved_parts(asset(kind, draw_variant(script.split, rng)), Pose2(place.x, place.y, place.yaw))
    return (Solid("", tuple(parts)),)


def _clutter(script: "Script", rng: np.random.Generator) -> list[tuple[str, Place]]:
    """One to four of each small thing where nobody walks or stands."""
    layout = script.layout
    people = np.array([(s.x, s.y) for s in layout.spots.values()])
    places = list(layout.places.values())
    found = []
    for kind, most in (("iv_pole", 2), ("bucket", 2), ("stool", 2), ("step", 1), ("cable", 3)):
        for _ in range(int(rng.integers(0, most + 1))):
            for _ in range(12):
                x, y = rng.uniform(-0.5, 0.5, 2) * (layout.width_m - 0.8, layout.depth_m - 0.8)
                place = Place(float(x), float(y), float(rng.uniform(-np.pi, np.pi)), 0.4, 0.4)
                if min(place.gap(p) for p in places) > 0.1 and place.distance(people).min() > 0.3:
                    found.append((kind, place))
                    places.append(place)
                    break
    return found


def _shell(width: float, depth: float, height: float) -> list[Part]:
    w, d = width / 2, depth / 2
    corners = [(-w, -d), (w, -d), (w, d), (-w, d)]
    floor = [(x, y, 0.0) for x, y in corners]
    roof = [(x, y, height) for x, y in corners]
    parts = [_quad(floor, VINYL, "floor"), _quad(roof[::-1], CEILING, "ceiling")]
    for k in range(4):
        a, b = k, (k + 1) % 4
        parts.append(_quad([floor[b], floor[a], roof[a], roof[b]], TILE, "wall"))
    return parts


def _quad(corners: list[tuple[float, float, float]], material, name: str) -> Part:
    return Part(np.array(corners, float), np.array([[0, 1, 2], [0, 2, 3]], np.int32), material, name)
