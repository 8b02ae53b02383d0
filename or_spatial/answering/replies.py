"""One function per kind of question: a parsed question and a graph in, a reply with its evidence out."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from or_spatial.answering.changes import changes
from or_spatial.answering.facts import Fact, distance, listed, related
from or_spatial.answering.grammar import Kind, Query
from or_spatial.answering.names import Mention, bare, find, name, present
from or_spatial.geometry.relations import DIRECTIONAL, PREDICATES
from or_spatial.scene.graph import Scale, SceneGraph
from or_spatial.scene.history import GraphHistory
from or_spatial.scene.objects import Category, SceneObject
from or_spatial.scene.relations import Family, SpatialRelation
from or_spatial.scene.values import NAN

_CLOSE_CALL = (0.4, 0.6)  # chosen: nearer to one half than this, neither yes nor no is an honest answer
_MOVING_M_S = 0.15  # chosen: about the noise of a tracked velocity of somebody who stands
_TOLD_DISTANCE = 0.1  # m, or as a fraction: how exact a stated distance is meant to be
_AS_OLD = 0.5  # of the time asked for: older graphs are kept more sparsely, and the reply says which it rests on
_LEAST_MATCH_S = 1.0
_RECENTLY_S = 60.0  # what "what has changed" means without a time


class CannotTell(Exception):
    """The question is understood, but the graph does not hold its answer; the message says why."""


@dataclass(frozen=True)
class Reply:
    """An answer before it is stamped."""

    text: str
    objects: tuple[SceneObject, ...] = ()
    evidence: tuple[SpatialRelation, ...] = ()
    confidence: float = NAN
    quantity: float = NAN
    unit: str = ""
    notes: tuple[str, ...] = ()
    graph: SceneGraph | None = None  # when it is another one than the newest


def reply(query: Query, graph: SceneGraph, history: GraphHistory | None) -> Reply:
    """Answer a parsed question.

    Raises:
        CannotTell, VocabularyError: with the reason to abstain.
    """
    if query.kind in _PAST:
        return _PAST[query.kind](query, graph, history)
    return _HANDLERS[query.kind](query, graph)


def _count(query: Query, graph: SceneGraph) -> Reply:
    mention = find(query.a, graph)
    doubtful = [o for o in graph.objects if o.label in {m.label for m in mention.objects}]
    sure = math.prod(max(o.existence, 1 - o.existence) for o in doubtful if not math.isnan(o.existence))
    count = len(mention.objects)
    text = f"{count}: {_list(mention.objects, graph)}" if count else f"0: the graph holds no {bare(query.a)}"
    known = any(not math.isnan(o.existence) for o in doubtful)
    return Reply(text, mention.objects, (), sure if known else NAN, float(count), notes=_notes(mention))


def _exists(query: Query, graph: SceneGraph) -> Reply:
    counted = _count(query, graph)
    yes = f"Yes, {_list(counted.objects, graph)}" if counted.objects else f"No, the graph holds no {bare(query.a)}"
    return Reply(yes, counted.objects, (), counted.confidence, counted.quantity, notes=counted.notes)


def _inventory(query: Query, graph: SceneGraph) -> Reply:
    objects = find(query.a, graph).objects
    return Reply(_list(objects, graph) or "Nothing is in the graph", objects, quantity=float(len(objects)))


def _count_related(query: Query, graph: SceneGraph) -> Reply:
    found = _subjects_of(query, graph)
    count = len({f.subject_id for f in found.evidence})
    return Reply(
        f"{count}: {found.text}", found.objects, found.evidence, found.confidence, float(count), notes=found.notes
    )


def _where(query: Query, graph: SceneGraph) -> Reply:
    mention = _some(query.a, graph)
    places = [_place(o, graph) for o in mention.objects]
    if not any(text for text, _ in places):
        raise CannotTell(
            f"{name(mention.objects[0], graph)} is in the graph, but neither its place nor a relation is known"
        )
    told = "; ".join(
        f"{name(o, graph)} is {text or 'somewhere unknown'}"
        for o, (text, _) in zip(mention.objects, places, strict=True)
    )
    evidence = tuple(r for _, some in places for r in some)
    confidence = min((r.confidence for r in evidence if not math.isnan(r.confidence)), default=NAN)
    return Reply(told, mention.objects, evidence, confidence, notes=_notes(mention))


def _place(item: SceneObject, graph: SceneGraph) -> tuple[str, tuple[SpatialRelation, ...]]:
    """Where one object is: its most telling relations to the nearest large thing, and its position if metric."""
    others = [o for o in present(graph) if o.id != item.id and o.category is not Category.INSTRUMENT]
    said = [f for o in others for p in PREDICATES if (f := listed(graph, item, p, o)) and f.likely]
    telling = sorted(said, key=lambda f: (_RANK.get(f.evidence.predicate, 0), -f.probability))[:2]  # type: ignore[union-attr]
    parts = [_phrase(f, graph) for f in telling]
    if graph.scale is Scale.METRIC and np.isfinite(item.center_m).all():
        parts.append("at x {:.2f}, y {:.2f}, z {:.2f} m in {}".format(*item.center_m, graph.frame_id))
    return ", ".join(parts), tuple(f.evidence for f in telling if f.evidence)


_RANK = {p: i for i, p in enumerate(("inside", "on", "touching", "near", *sorted(DIRECTIONAL), "above", "below"))}


def _phrase(known: Fact, graph: SceneGraph) -> str:
    relation = known.evidence
    assert relation is not None
    viewer = f" (as {relation.reference_frame_id} sees it)" if relation.predicate in DIRECTIONAL else ""
    return f"{_said(relation.predicate)} {name(known.object, graph)}{viewer}"


def _said(predicate: str) -> str:
    return {"lyingOn": "lying on", "closeTo": "close to"}.get(predicate, predicate.replace("_", " "))


def _where_was(query: Query, graph: SceneGraph, history: GraphHistory | None) -> Reply:
    past, notes = _past(query.seconds, graph, history)
    found = _where(query, past)
    return Reply(found.text, found.objects, found.evidence, found.confidence, notes=found.notes + notes, graph=past)


def _past(ago_s: float, graph: SceneGraph, history: GraphHistory | None) -> tuple[SceneGraph, tuple[str, ...]]:
    """The graph kept from about `ago_s` before this one, and a note when it is from another time than asked."""
    match_s = max(_LEAST_MATCH_S, _AS_OLD * (ago_s - _RECENTLY_S))
    past = history.nearest(graph.stamp_ns - int(ago_s * 1e9), int(match_s * 1e9)) if history else None
    if past is None:
        raise CannotTell(f"no graph is kept from {ago_s:g} s ago")
    real_s = (graph.stamp_ns - past.stamp_ns) / 1e9
    return past, (f"the graph kept from {real_s:.0f} s ago",) if abs(real_s - ago_s) > _LEAST_MATCH_S else ()


def _changed(query: Query, graph: SceneGraph, history: GraphHistory | None) -> Reply:
    ago_s = query.seconds or _RECENTLY_S
    past, notes = _past(ago_s, graph, history)
    found = changes(past, graph)
    moved = tuple(o for o, _ in found.moved)
    told = [f"{name(o, graph)} came" for o in found.came]
    told += [f"{name(o, past)} went" for o in found.went]
    told += [f"{name(o, graph)} moved {way:.2f} m" for o, way in found.moved]
    told += [f"{_clause(r, graph)} began" for r in found.began]
    told += [f"{_clause(r, past)} ended" for r in found.ended]
    text = "; ".join(told) or f"nothing that the graph tells has changed in {ago_s:g} s"
    return Reply(text, found.came + moved, found.began, notes=notes)


def _clause(r: SpatialRelation, graph: SceneGraph) -> str:
    """ "person_1 drilling p0", as it is called in the graph that holds both."""
    ends = (name(o, graph) if (o := graph.find(id)) else id for id in (r.subject_id, r.object_id))
    return f" {_said(r.predicate)} ".join(ends)


def _distance(query: Query, graph: SceneGraph) -> Reply:
    a, b = _some(query.a, graph), _some(query.b, graph)
    if graph.scale is not Scale.METRIC:
        raise CannotTell("the graph is not metric (a camera is uncalibrated), so distances in metres are unknown")
    known = [d for x in a.objects for y in b.objects if x.id != y.id and (d := distance(graph, x, y))]
    if not known:
        raise CannotTell(f"the positions or sizes of {bare(query.a)} and {bare(query.b)} are unknown")
    least = min(known, key=lambda d: (d.surface_m, d.center_m))
    doubt = "" if math.isnan(least.stddev_m) else f" ± {least.stddev_m:.2f} m"
    text = (
        f"{name(least.a, graph)} is {least.surface_m:.2f} m{doubt} from {name(least.b, graph)}"
        f" between surfaces, {least.center_m:.2f} m between centres"
    )
    notes = (*_notes(a, b), *((f"nearest of {len(known)} pairs",) if len(known) > 1 else ()))
    evidence = (*graph.between(least.a.id, least.b.id), *graph.between(least.b.id, least.a.id))
    sure = _chance_within(max(_TOLD_DISTANCE, _TOLD_DISTANCE * least.surface_m), least.stddev_m)
    return Reply(text, (least.a, least.b), evidence, sure, least.surface_m, "m", notes)


def _chance_within(error: float, stddev: float) -> float:
    """Probability that a Gaussian error stays within the exactness in which it is told."""
    return NAN if math.isnan(stddev) else math.erf(error / max(stddev, 1e-9) / math.sqrt(2))


def _closest(query: Query, graph: SceneGraph) -> Reply:
    to = _some(query.b, graph)
    among = [o for o in find(query.a, graph).objects if o.id not in {t.id for t in to.objects}]
    pairs = [(float(np.linalg.norm(np.subtract(o.center_m, t.center_m))), o, t) for o in among for t in to.objects]
    known = [p for p in pairs if not math.isnan(p[0])]
    if not known:
        raise CannotTell(f"no position of {bare(query.a)} or {bare(query.b)} is known")
    if exact := [d for _, o, t in known if (d := distance(graph, o, t))]:
        best = min(exact, key=lambda d: (d.surface_m, d.center_m))
        text = f"{name(best.a, graph)}, {best.surface_m:.2f} m from {name(best.b, graph)} between surfaces"
        evidence = (*graph.between(best.a.id, best.b.id), *graph.between(best.b.id, best.a.id))
        return Reply(text, (best.a, best.b), evidence, NAN, best.surface_m, "m", _notes(to))
    _, nearest, target = min(known, key=lambda p: p[0])
    return Reply(f"{name(nearest, graph)}, nearest to {name(target, graph)}", (nearest, target), notes=_notes(to))


def _speed(query: Query, graph: SceneGraph) -> Reply:
    mention = _some(query.a, graph)
    if graph.scale is not Scale.METRIC:
        raise CannotTell("the graph is not metric, so speeds in metres per second are unknown")
    speeds = [(float(np.linalg.norm(o.velocity_m_s)), o) for o in mention.objects]
    known = [s for s in speeds if not math.isnan(s[0])]
    if not known:
        raise CannotTell(f"the velocity of {bare(query.a)} is unknown")
    text = "; ".join(f"{name(o, graph)} moves at {v:.2f} m/s" for v, o in known)
    return Reply(text, tuple(o for _, o in known), quantity=max(v for v, _ in known), unit="m/s", notes=_notes(mention))


def _moving(query: Query, graph: SceneGraph) -> Reply:
    found = _speed(query, graph)
    text = f"{'Yes' if found.quantity > _MOVING_M_S else 'No'}, {found.text}"
    return Reply(text, found.objects, quantity=found.quantity, unit="m/s", notes=found.notes)


def _sterile(query: Query, graph: SceneGraph) -> Reply:
    mention = _some(query.a, graph)
    known = [o for o in mention.objects if not math.isnan(o.sterile)]
    if not known:
        raise CannotTell(f"whether {bare(query.a)} is sterile is not known")
    text = "; ".join(f"{name(o, graph)}: {'sterile' if o.sterile > 0.5 else 'not sterile'}" for o in known)
    sure = min(max(o.sterile, 1 - o.sterile) for o in known)
    if sure < _CLOSE_CALL[1]:
        raise CannotTell(f"too close to call: {text} with a probability of only {sure:.2f}")
    return Reply(text, tuple(known), (), sure, notes=_notes(mention))


def _doing(query: Query, graph: SceneGraph) -> Reply:
    mention = _some(query.a, graph)
    ids = {o.id for o in mention.objects}
    acts = [r for r in graph.relations if r.family is Family.ACTION and r.subject_id in ids]
    telling = [r for r in acts if r.predicate != "closeTo"] or acts
    if not telling:
        return Reply(f"No action of {bare(query.a)} is in the graph", mention.objects, notes=_notes(mention))
    facts = [
        Fact(a, b, r.confidence, r)
        for r in telling
        if (a := graph.find(r.subject_id)) and (b := graph.find(r.object_id))
    ]
    return _told(facts, graph, _notes(mention), _Part.ALL)


def _subjects_of(query: Query, graph: SceneGraph) -> Reply:
    who, whom = find(query.a, graph), _some(query.b, graph)
    subjects = tuple(o for o in who.objects if o.id not in {w.id for w in whom.objects} or len(whom.objects) > 1)
    facts = related(graph, subjects, query.predicate, whom.objects)
    true = [f for f in facts if f.likely]
    if not true:
        return _nobody(
            f"nobody and nothing is {_said(query.predicate)} {bare(query.b)}", query, facts, _notes(who, whom)
        )
    return _told(true, graph, _notes(who, whom), _Part.SUBJECT)


def _objects_of(query: Query, graph: SceneGraph) -> Reply:
    who = _some(query.a, graph)
    facts = related(graph, who.objects, query.predicate, present(graph))
    true = [f for f in facts if f.likely]
    if not true:
        return _nobody(f"{bare(query.a)} is {_said(query.predicate)} nothing", query, facts, _notes(who))
    return _told(true, graph, _notes(who), _Part.OBJECT if len(who.objects) == 1 else _Part.ALL)


def _nobody(text: str, query: Query, facts: list[Fact], notes: tuple[str, ...]) -> Reply:
    """Nothing has the relation: said with the probability that all candidates lack it, or not said at all."""
    if not facts and query.predicate in DIRECTIONAL:
        raise CannotTell(f"the graph relates nothing to {bare(query.b or query.a)} by left, right, front or behind")
    if not facts:
        raise CannotTell(f"nothing is known about {_said(query.predicate)} here: sizes or a metric scale are missing")
    denied = _denied(facts)
    if denied < _CLOSE_CALL[1]:
        raise CannotTell(f"too close to call: that {text} has a probability of only {denied:.2f}")
    return Reply(text, (), (), denied, notes=notes)


def _denied(facts: list[Fact]) -> float:
    """How likely none of them holds, by those that have a probability; NaN where none has."""
    known = [f.probability for f in facts if not math.isnan(f.probability)]
    return math.prod(1 - p for p in known) if known else NAN


class _Part(Enum):
    """Which part of a fact a question asked for."""

    SUBJECT = auto()
    OBJECT = auto()
    ALL = auto()


def _told(facts: list[Fact], graph: SceneGraph, notes: tuple[str, ...], part: _Part) -> Reply:
    """The asked part of each fact, most probable first."""
    ordered = sorted(facts, key=lambda f: -(0.0 if math.isnan(f.probability) else f.probability))
    if part is _Part.ALL:
        text = "; ".join(f"{name(f.subject, graph)} {_phrase(f, graph)}" for f in ordered)
    else:
        asked = [f.subject if part is _Part.SUBJECT else f.object for f in ordered]
        text = ", ".join(dict.fromkeys(name(o, graph) for o in asked))
        turned = [f.evidence for f in ordered if f.evidence and f.evidence.predicate in DIRECTIONAL]
        notes = (*notes, *dict.fromkeys(f"as {r.reference_frame_id} sees it" for r in turned))
    objects = tuple({o.id: o for f in ordered for o in (f.subject, f.object)}.values())
    sure = min((f.probability for f in ordered if not math.isnan(f.probability)), default=NAN)
    return Reply(text, objects, tuple(f.evidence for f in ordered if f.evidence), sure, notes=notes)


def _holds(query: Query, graph: SceneGraph) -> Reply:
    a, b = _some(query.a, graph), _some(query.b, graph)
    facts = related(graph, a.objects, query.predicate, b.objects)
    if not facts:
        raise CannotTell(f"the graph does not say whether {bare(query.a)} is {_said(query.predicate)} {bare(query.b)}")
    best = max(facts, key=lambda f: 0.0 if math.isnan(f.probability) else f.probability)
    statement = f"{name(best.subject, graph)} is {_said(query.predicate)} {name(best.object, graph)}"
    if _CLOSE_CALL[0] < best.probability < _CLOSE_CALL[1]:
        raise CannotTell(f"too close to call: {statement} with probability {best.probability:.2f}")
    evidence = (best.evidence,) if best.evidence else ()
    if best.likely:
        return Reply(f"Yes, {statement}", (best.subject, best.object), evidence, best.probability, notes=_notes(a, b))
    denied = _denied(facts)
    instead = best.evidence and best.evidence.predicate != query.predicate and best.evidence
    text = f"No, {_phrase(best, graph)}" if instead else f"No, {_nothing_like(query)}"
    return Reply(text, (best.subject, best.object) if instead else (), evidence, denied, notes=_notes(a, b))


def _nothing_like(query: Query) -> str:
    return f"{bare(query.a)} is not {_said(query.predicate)} {bare(query.b)}"


def _some(phrase: str, graph: SceneGraph) -> Mention:
    """As `find`, but at least one object."""
    mention = find(phrase, graph)
    if not mention.objects:
        held = ", ".join(name(o, graph) for o in present(graph)) or "nothing"
        raise CannotTell(f"no {bare(phrase)} is in the graph at the moment; it holds {held}")
    return mention


def _list(objects: tuple[SceneObject, ...], graph: SceneGraph) -> str:
    return ", ".join(name(o, graph) for o in objects)


def _notes(*mentions: Mention) -> tuple[str, ...]:
    return tuple(dict.fromkeys(m.note for m in mentions if m.note))


_PAST: dict[Kind, Callable[[Query, SceneGraph, GraphHistory | None], Reply]] = {
    Kind.WHERE_WAS: _where_was,
    Kind.CHANGED: _changed,
}
_HANDLERS: dict[Kind, Callable[[Query, SceneGraph], Reply]] = {
    Kind.COUNT: _count,
    Kind.COUNT_RELATED: _count_related,
    Kind.EXISTS: _exists,
    Kind.INVENTORY: _inventory,
    Kind.WHERE: _where,
    Kind.DISTANCE: _distance,
    Kind.CLOSEST: _closest,
    Kind.SPEED: _speed,
    Kind.MOVING: _moving,
    Kind.STERILE: _sterile,
    Kind.DOING: _doing,
    Kind.SUBJECTS_OF: _subjects_of,
    Kind.OBJECTS_OF: _objects_of,
    Kind.HOLDS: _holds,
}
