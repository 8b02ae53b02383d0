"""The geometric predicates: their names, their converses, and the thresholds that define them (docs/relations.md)."""

from dataclasses import dataclass

PREDICATES: tuple[str, ...] = (
    "left_of",
    "right_of",
    "in_front_of",
    "behind",
    "above",
    "below",
    "on",
    "inside",
    "near",
    "touching",
)
"""Index order of every array of relation probabilities; the order of `geometric` in or_world.yaml."""

DIRECTIONAL: frozenset[str] = frozenset(PREDICATES[:4])
"""The predicates that need a viewer."""

CONVERSE: dict[str, str] = {
    "left_of": "right_of",
    "right_of": "left_of",
    "in_front_of": "behind",
    "behind": "in_front_of",
    "above": "below",
    "on": "below",
    "near": "near",
    "touching": "touching",
}
"""`a p b` implies `b CONVERSE[p] a`. `below` has none (it may be the converse of above or of on), nor has `inside`."""

EXCLUSIVE: tuple[tuple[str, ...], ...] = (PREDICATES[:4], ("above", "below", "on"), ("near", "touching"))
"""Of each group at most one holds from one thing to another, as one viewer sees them."""

RIVALS: dict[str, frozenset[str]] = {p: frozenset(group) - {p} for group in EXCLUSIVE for p in group}
"""What is denied by each predicate."""


@dataclass(frozen=True)
class RelationRules:
    """Thresholds of the predicates, in m and as fractions; chosen, except where a source stands.

    `nearest_m`, `farthest_m`: horizontal centre distance within which left, right, front and behind are meant.
    `touching_m`, `near_m`: surface distance. `overlap`: common footprint as a fraction of the smaller one.
    `sink_m`: how far a thing above may reach below the upper face; `contact_m`: how exactly it must lie on it.
    `inside`: fraction of the volume. TopoOR (arXiv 2603.09466) calls 0.5 m of surface distance a spatial relation.
    """

    nearest_m: float = 0.25
    farthest_m: float = 2.5
    touching_m: float = 0.02
    near_m: float = 0.50
    overlap: float = 0.25
    sink_m: float = 0.05
    contact_m: float = 0.04
    inside: float = 0.80


DEFAULT_RULES = RelationRules()
