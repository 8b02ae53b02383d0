"""Who has been contaminated by touch, by whom, and until when: what attire alone cannot tell.

    sterile ── touched for touch_s by something unsterile, or contaminated before ──► contaminated
    contaminated ── looks unsterile by attire for regown_s (fresh gown, fresh drape next), or is gone ──► forgotten

A chain is written down when the touch happens and never followed again, so that two who touch each other, are gowned
anew and touch again cannot send anybody round in circles. Nothing here is known of the time before the first graph.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from or_spatial.hazards.closeness import within_reach
from or_spatial.hazards.findings import SAME_PLACE_M, Finding, Member, members, surfaces
from or_spatial.hazards.schema import Contamination
from or_spatial.scene.graph import Scale, SceneGraph
from or_spatial.scene.relations import EvidenceSource, Family, SpatialRelation
from or_spatial.scene.values import NAN, UNKNOWN3, Vec3

_NS = 1_000_000_000
_DIP_NS = 3 * _NS // 10  # a touch goes on through dips as short as rules forgive by default
_BARE = 0.35  # attire below this is off: clearly under one half, so that a doubtful look cleanses nobody
_LONGEST_CHAIN = 8


@dataclass(frozen=True, kw_only=True)
class Stain:
    """Why a thing counts as contaminated.

    `chain`: ids from the first unsterile thing to this one. `contact`: probability of the touch; `probability`: that
    it contaminated, which weighs who touched. `place` (room, m) and `seen_ns`: where and when it was seen last.
    """

    label: str
    chain: tuple[str, ...]
    contact: float
    probability: float
    sure: bool
    since_ns: int
    place: Vec3 = UNKNOWN3
    seen_ns: int = 0
    bare_ns: int | None = None

    @property
    def by(self) -> str:
        """Who or what touched it."""
        return self.chain[-2]

    @property
    def story(self) -> str:
        """The chain in words."""
        return " > ".join(self.chain)


@dataclass(frozen=True)
class _Contact:
    """Somebody has been touching since; strongly so last at. Stamps in ns."""

    since_ns: int
    strong_ns: int


@dataclass
class Ledger:
    """Remembers what one contamination rule has found, from graph to graph."""

    condition: Contamination
    stains: dict[str, Stain] = field(default_factory=dict)
    _contacts: dict[tuple[str, str], _Contact] = field(default_factory=dict, repr=False)
    _known: frozenset[str] = frozenset()

    def follow(self, graph: SceneGraph) -> None:
        """Take in one graph, which shows attire as it looks."""
        self._forget(graph.stamp_ns)
        self._pass_on(graph)
        self._look(graph)
        if graph.scale == Scale.METRIC:
            self._spread(graph)
        self._known = frozenset(o.id for o in graph.objects)

    def renamed(self) -> None:
        """Ids mean others from now on, as after a tracker's restart: the contaminated are sought where they were."""
        self.stains = {f"former {id}": stain for id, stain in self.stains.items()}
        self._contacts, self._known = {}, frozenset()

    def left_sterile(self, id: str) -> float:
        """What share of its sterility by attire a thing keeps: all of it until the touch that contaminated it is over.

        Somebody who leans on a sterile table comes too near it, and goes on doing so, after it counts as contaminated.
        """
        stain = self.stains.get(id)
        return 1.0 if stain is None or (id, stain.by) in self._contacts else 1.0 - stain.probability

    def findings(self) -> list[Finding]:
        """One finding for each contaminated thing, seen at present or not."""
        return [_finding(id, stain) for id, stain in self.stains.items()]

    def _forget(self, now_ns: int) -> None:
        away_ns = self.condition.left_after_s * _NS
        self.stains = {id: s for id, s in self.stains.items() if abs(now_ns - s.seen_ns) <= away_ns}

    def _pass_on(self, graph: SceneGraph) -> None:
        """A contaminated thing that vanished goes on as the new one of its kind that appears in its place."""
        ids = {o.id for o in graph.objects}
        for id in [i for i in self.stains if i not in ids]:
            stain = self.stains[id]
            heirs = [
                o
                for o in graph.objects
                if o.label == stain.label
                and o.id not in self._known
                and o.id not in self.stains
                and math.dist(o.center_m, stain.place) <= SAME_PLACE_M
            ]
            if heirs:
                heir = min(heirs, key=lambda o: math.dist(o.center_m, stain.place))
                del self.stains[id]
                self.stains[heir.id] = replace(stain, chain=(*stain.chain[:-1], heir.id))

    def _look(self, graph: SceneGraph) -> None:
        """Where the contaminated are, and whether they have taken off what was contaminated."""
        for o in graph.objects:
            if (stain := self.stains.get(o.id)) is None:
                continue
            bare_ns = None
            if o.sterile < _BARE:
                bare_ns = graph.stamp_ns if stain.bare_ns is None else stain.bare_ns
            elif math.isnan(o.sterile):
                bare_ns = stain.bare_ns  # attire not seen now: neither off nor on again
            if bare_ns is not None and graph.stamp_ns - bare_ns >= self.condition.regown_s * _NS:
                del self.stains[o.id]
                continue
            place = o.center_m if all(map(math.isfinite, o.center_m)) else stain.place
            self.stains[o.id] = replace(stain, place=place, seen_ns=graph.stamp_ns, bare_ns=bare_ns)

    def _spread(self, graph: SceneGraph) -> None:
        """Whoever has been touched for long enough counts as contaminated from now on."""
        touched = [m for m in members(graph, [self.condition.subject]) if m.enters]
        sources = [*self._sources(graph)]
        going_on = {}
        for m, by, p in self._touches(touched, sources):
            key, now_ns = (m.value.id, by.value.id), graph.stamp_ns
            before = self._contacts.get(key)
            if p < self.condition.touch_probability:
                if before and now_ns - before.strong_ns <= _DIP_NS:
                    going_on[key] = before
                continue
            since_ns = before.since_ns if before and now_ns - before.strong_ns <= _DIP_NS else now_ns
            going_on[key] = _Contact(since_ns, now_ns)
            if now_ns - since_ns >= self.condition.touch_s * _NS and not self._spreads(m.value.id):
                self._stain(m, by, p, now_ns)
        self._contacts = going_on

    def _spreads(self, id: str) -> bool:
        """Whether a thing is contaminated surely enough to be told, and to contaminate what it touches."""
        return id in self.stains and self.stains[id].probability > 0.5

    def _sources(self, graph: SceneGraph) -> Iterator[Member]:
        """What contaminates: the unsterile by attire, and the contaminated, whose doubt goes on to whom they touch."""
        for m in members(graph, self.condition.object):
            if m.enters and not self._spreads(m.value.id):
                yield m
        for o in graph.objects:
            if self._spreads(o.id) and all(map(math.isfinite, o.center_m)):
                yield Member(o, True, self.stains[o.id].probability, self.stains[o.id].sure)

    def _touches(self, clean: Sequence[Member], sources: Sequence[Member]) -> Iterator[tuple[Member, Member, float]]:
        """Each pair with the probability that the surfaces of the two touch."""
        if not clean or not sources:
            return
        bodies = surfaces(self.condition, [*clean, *sources])
        i, j = (a.ravel() for a in np.meshgrid(np.arange(len(clean)), np.arange(len(sources)), indexing="ij"))
        p = within_reach(bodies, i, j + len(clean), self.condition.reach_m)[1]
        for a, b, chance in zip(i, j, p, strict=True):
            if clean[a].value.id != sources[b].value.id:
                yield clean[a], sources[b], float(chance)

    def _stain(self, m: Member, by: Member, p: float, now_ns: int) -> None:
        before = self.stains.get(m.value.id)
        if before and before.probability >= p * by.chance:
            return
        source = self.stains.get(by.value.id)
        chain = (*(source.chain if source else (by.value.id,)), m.value.id)
        if len(chain) > _LONGEST_CHAIN:
            chain = (chain[0], *chain[-_LONGEST_CHAIN + 1 :])
        self.stains[m.value.id] = Stain(
            label=m.value.label,
            chain=chain,
            contact=p,
            probability=p * by.chance,
            sure=m.sure and by.sure,
            since_ns=now_ns,
            place=m.value.center_m,
            seen_ns=now_ns,
        )


class Sterility:
    """All contamination rules together: what they remember, and graphs in which the contaminated are not sterile."""

    def __init__(self, conditions: Mapping[str, Contamination]) -> None:
        self._conditions = dict(conditions)
        self.ledgers = {rule_id: Ledger(c) for rule_id, c in conditions.items()}

    def reset(self) -> None:
        """Forget everything, as after a jump back in time."""
        self.ledgers = {rule_id: Ledger(c) for rule_id, c in self._conditions.items()}

    def renamed(self) -> None:
        """Ids mean others from now on."""
        for ledger in self.ledgers.values():
            ledger.renamed()

    def follow(self, graph: SceneGraph) -> SceneGraph:
        """Take in a graph; returns it with `sterile` of the contaminated lowered by what the touch has left of it."""
        for ledger in self.ledgers.values():
            ledger.follow(graph)
        left = {o.id: math.prod(ledger.left_sterile(o.id) for ledger in self.ledgers.values()) for o in graph.objects}
        if all(share == 1.0 for share in left.values()):
            return graph
        return replace(graph, objects=tuple(replace(o, sterile=o.sterile * left[o.id]) for o in graph.objects))

    def story(self, id: str) -> str:
        """Who touched whom until it was this one; empty for what is not contaminated."""
        return next((ledger.stains[id].story for ledger in self.ledgers.values() if id in ledger.stains), "")

    def plain(self) -> dict[str, dict[str, Any]]:
        """Everything that must outlive a restart, by rule and id, as JSON has it."""
        return {
            rule_id: {id: asdict(s) | {"place": [None if math.isnan(v) else v for v in s.place]} for id, s in stains}
            for rule_id, stains in ((r, ledger.stains.items()) for r, ledger in self.ledgers.items())
            if stains
        }

    def take_up(self, kept: Mapping[str, Mapping[str, Stain]]) -> int:
        """Go on with what a former run remembered; returns how many things of rules that are still there."""
        for rule_id, ledger in self.ledgers.items():
            ledger.stains |= kept.get(rule_id, {})
        return sum(len(ledger.stains) for ledger in self.ledgers.values())


def stains_from_plain(data: Mapping[str, Any]) -> dict[str, dict[str, Stain]]:
    """What `Sterility.plain` wrote; raises KeyError, TypeError or ValueError for anything else."""
    return {rule_id: {id: _read(row) for id, row in stains.items()} for rule_id, stains in data.items()}


def _read(row: Mapping[str, Any]) -> Stain:
    place = tuple(NAN if v is None else float(v) for v in row["place"])
    chain = tuple(str(i) for i in row["chain"])
    if len(place) != 3 or len(chain) < 2:
        raise ValueError(f"a chain of two or more and a place of three numbers expected, got {row}")
    return Stain(**{**row, "place": place, "chain": chain})


def _finding(id: str, stain: Stain) -> Finding:
    touched = SpatialRelation(
        subject_id=stain.by,
        predicate="touching",
        object_id=id,
        family=Family.GEOMETRIC,
        confidence=stain.contact,
        source=EvidenceSource.GEOMETRY,
        surface_distance_m=0.0,
        since_ns=stain.since_ns,
    )
    return Finding(
        key=id,
        probability=stain.contact,
        confidence=stain.probability,
        object_ids=(id, stain.by),
        position=stain.place,
        certainty="confirmed" if stain.sure else "unconfirmed",
        chain=stain.story,
        evidence=(touched,),
    )
