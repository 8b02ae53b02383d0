"""What fills a room without being an object of the graph: walls, cupboards, stools, buckets, poles, cables."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from or_spatial.geometry.transforms import pose_matrix, rotation_from_yaw
from or_spatial.world.assets import build_asset
from or_spatial.world.layout import Place, against_wall
from or_spatial.world.parts import Part, Solid
from or_spatial.world.splits import draw_variant, split_plan, stream

if TYPE_CHECKING:
    from or_spatial.world.script import Script

_SMALL = (("iv_pole", 2), ("bucket", 2), ("stool", 2), ("step", 1), ("boxes", 2), ("cable", 4))
_CARTS = ("drawer_trolley", "linen_hamper", "shelf_cart")


def room_scenery(script: "Script") -> tuple[Solid, ...]:
    """Floor, walls and ceiling, furniture that nobody asks about, and clutter on free floor."""
    rng = stream(script.split, script.seed, "scenery")
    layout = script.layout
    size = {"width": layout.width_m, "depth": layout.depth_m, "height": layout.height_m}
    doors = tuple((d.x, d.y, d.yaw) for d in layout.doors)
    parts = list(build_asset("room", draw_variant(script.split, rng), **size, doors=doors))
    for kind in ("cabinet", "shelf_cart"):
        parts += _placed(kind, draw_variant(script.split, rng), layout.places[kind])
    for kind, place in _clutter(script, rng):
        parts += _placed(kind, draw_variant(script.split, rng), place)
    return (Solid("", tuple(parts)),)


def _placed(kind: str, variant: int, place: Place) -> tuple[Part, ...]:
    matrix = pose_matrix(rotation_from_yaw(place.yaw), (place.x, place.y, 0.0))
    return tuple(p.moved(matrix) for p in build_asset(kind, variant))


def _clutter(script: "Script", rng: np.random.Generator) -> list[tuple[str, Place]]:
    """One to four of each small thing where nobody walks or stands, and the carts of richer versions at the walls."""
    layout, realism = script.layout, split_plan(script.split).realism
    walls = (layout.width_m, layout.depth_m)
    people = np.array([(s.x, s.y) for s in layout.spots.values()])
    places = list(layout.places.values())
    found: list[tuple[str, Place]] = []

    def strew(kind: str, draw: Callable[[], Place], clear_m: float) -> None:
        for _ in range(12):
            place = draw()
            if min(place.gap(p) for p in places) > 0.1 and place.distance(people).min() > clear_m:
                found.append((kind, place))
                places.append(place)
                break

    def anywhere() -> Place:
        x, y = rng.uniform(-0.5, 0.5, 2) * (layout.width_m - 0.8, layout.depth_m - 0.8)
        return Place(float(x), float(y), float(rng.uniform(-np.pi, np.pi)), 0.4, 0.4)

    for kind, most in _SMALL:
        for _ in range(int(rng.integers(0, most + 1))):
            strew(kind, anywhere, 0.3)
    for _ in range(int(rng.integers(0, realism.clutter + 1))):
        strew(str(rng.choice([kind for kind, _ in _SMALL])), anywhere, 0.3)
    for _ in range(int(rng.integers(0, realism.carts + 1))):
        strew(str(rng.choice(_CARTS)), lambda: against_wall(rng, walls, 0.65, 0.5), 0.45)
    return found
