"""What the shipped rules find in one graph, before patience and hysteresis, beside what exactly holds.

A rule's condition is asked of the tracked graph (a `Finding`'s probability) and, in the same words, of the room itself:
distances of meshes, heights of exact boxes, attire and velocities of the script. What a rule says about is a subject,
or a subject and an object (`per`); everything of the right labels that was found is asked about, and what the rule is
silent about counts as said with probability 0. Cameras and silence are judged without probabilities and left out.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from or_spatial.evaluation.metrics.matching import Match
from or_spatial.hazards.closeness import Bodies
from or_spatial.hazards.contamination import Ledger
from or_spatial.hazards.engine import HazardEngine
from or_spatial.hazards.findings import WORTH_TELLING, Finding, find, members
from or_spatial.hazards.passage import in_passage
from or_spatial.hazards.schema import (
    Absence,
    Between,
    Contamination,
    Crowd,
    Distance,
    Height,
    Rule,
    TimeToContact,
)
from or_spatial.scene import SceneGraph
from or_spatial.world import hazard_truth
from or_spatial.world.simulation import Simulation
from or_spatial.world.truth import PairFacts

Key = tuple[str, ...]


@dataclass(frozen=True)
class HazardSamples:
    """S questions that rules answered: `rules` (S,), what was said `p` (S,), and whether it holds `true` (S,)."""

    rules: tuple[str, ...]
    p: np.ndarray
    true: np.ndarray


@dataclass(frozen=True)
class Exact:
    """The room of one moment without doubt: its graph, and the distances of all surfaces, m."""

    simulation: Simulation
    time_s: float
    graph: SceneGraph
    facts: PairFacts

    def apart_m(self, a: str, b: str) -> float:
        """Distance of two surfaces, m."""
        return float(self.facts.distance_m[self.facts.ids.index(a), self.facts.ids.index(b)])

    def ids(self, groups: Iterable) -> list[str]:
        """Who belongs to groups of a rule."""
        return [m.value.id for m in members(self.graph, list(groups)) if m.enters]


def judge_hazards(
    simulation: Simulation, time_s: float, truth: SceneGraph, facts: PairFacts, graph: SceneGraph, match: Match
) -> HazardSamples:
    """All shipped rules at one moment; `truth` and `facts` are of that moment, `match` true id to id in `graph`."""
    exact = Exact(simulation, time_s, truth, facts)
    true_of = {said: true for true, said in match.items()}
    rows = [
        (rule_id, p, true)
        for rule_id, rule in HazardEngine.from_yaml().rules.items()
        if type(rule.condition) in _HOLDS
        for p, true in _answers(rule, exact, graph, true_of)
    ]
    rules, p, holds = zip(*rows, strict=True) if rows else ((), (), ())
    return HazardSamples(tuple(rules), np.array(p, dtype=np.float64), np.array(holds, dtype=bool))


def _answers(rule: Rule, exact: Exact, graph: SceneGraph, true_of: dict[str, str]) -> list[tuple[float, bool]]:
    said = {_key(rule, f): f.probability for f in _findings(rule, graph)}
    holding = _HOLDS[type(rule.condition)](rule.condition, exact)
    if _by_subject(rule):
        holding = {key[:1] for key in holding}
    asked = dict.fromkeys(_questions(rule, graph), 0.0) | said
    return [(p, tuple(true_of.get(id, "") for id in key) in holding) for key, p in asked.items()]


def _findings(rule: Rule, graph: SceneGraph) -> list[Finding]:
    """What the condition finds in this graph alone: for contamination, who is being touched now."""
    if isinstance(rule.condition, Contamination):
        at_once = rule.condition.model_copy(update={"touch_s": 0.0, "touch_probability": WORTH_TELLING})
        ledger = Ledger(at_once)
        ledger.follow(graph)
        return ledger.findings()
    return find(rule.condition, graph, rule.per)


def _by_subject(rule: Rule) -> bool:
    return rule.per == "subject" or isinstance(rule.condition, (Absence, Contamination, Height, Crowd))


def _key(rule: Rule, finding: Finding) -> Key:
    return finding.object_ids[:1] if _by_subject(rule) else finding.object_ids[:2]


def _questions(rule: Rule, graph: SceneGraph) -> list[Key]:
    """Everything of the right labels that a rule could speak about; a crowd's subject is what it stands around."""
    condition = rule.condition
    if isinstance(condition, Crowd):
        return [(m.value.id,) for m in members(graph, list(condition.object))]
    subjects = [m.value.id for m in members(graph, [condition.subject])]
    if _by_subject(rule):
        return [(id,) for id in subjects]
    objects = [m.value.id for m in members(graph, list(condition.object))]
    return [(a, b) for a in subjects for b in objects if a != b]


def _within(condition: Distance | Contamination, exact: Exact) -> set[Key]:
    pairs = ((a, b) for a in exact.ids([condition.subject]) for b in exact.ids(condition.object) if a != b)
    return {(a, b) for a, b in pairs if exact.apart_m(a, b) <= condition.reach_m}


def _meeting(condition: TimeToContact, exact: Exact) -> set[Key]:
    return {(a, b) for a, b, _ in hazard_truth.collisions(exact.simulation, exact.time_s)}


def _low(condition: Height, exact: Exact) -> set[Key]:
    height = {o.id: o.center_m[2] for o in exact.graph.objects}
    return {(id,) for id in exact.ids([condition.subject]) if height[id] < condition.below_m}


def _alone(condition: Absence, exact: Exact) -> set[Key]:
    company = exact.ids(condition.object)
    near = {
        id: sum(exact.apart_m(id, other) <= condition.within_m for other in company if other != id)
        for id in exact.ids([condition.subject])
    }
    return {(id,) for id, count in near.items() if count < condition.at_least}


def _crowded(condition: Crowd, exact: Exact) -> set[Key]:
    people = exact.ids([condition.subject])
    return {
        (id,)
        for id in exact.ids(condition.object)
        if sum(exact.apart_m(id, p) <= condition.reach_m for p in people if p != id) >= condition.at_least
    }


def _between(condition: Between, exact: Exact) -> set[Key]:
    """In the passage between the exact boxes: which has no meaning on meshes."""
    thing = {o.id: o for o in exact.graph.objects}
    people, first, second = (exact.ids(g) for g in ([condition.subject], condition.object, condition.other))
    found = set()
    for a in first:
        for b in second:
            for i in (p for p in people if len({p, a, b}) == 3):
                bodies = Bodies.of([thing[i], thing[a], thing[b]])
                if in_passage(bodies, 0, 1, 2, condition.width_m, condition.within_m)[1] > 0.5:
                    found.add((i, a, b))
    return found


_HOLDS: dict[type, Callable[..., set[Key]]] = {
    Distance: _within,
    Contamination: _within,
    TimeToContact: _meeting,
    Height: _low,
    Absence: _alone,
    Crowd: _crowded,
    Between: _between,
}
