"""The three relation figures: actions as MM-OR counts them, geometry as a multi-label task, and both without mercy.

    action_macro_f1     every ordered pair of distinct TRUE objects carries its action or `none`; the prediction is the
                        first predicted action of the matched pair, else `none`; mean F1 over the classes that the
                        truth holds, `none` included. Relations of invented objects are not looked at (MM-OR,
                        arXiv 2503.02579, scene_graph_prediction_model.py).
    geometric_macro_f1  the same pairs, several predicates each; F1 of each predicate from pooled counts, mean over the
                        predicates that the truth holds. Left and right are meant in the stated viewer's frame.
    strict_macro_f1     actions and geometry together as triplets: relations of invented objects are false positives,
                        relations of missed objects are misses; `none` is no class.

Converses are added before counting, because a live graph holds only one of `a left_of b` and `b right_of a`. Left,
right, front and behind are compared camera by camera, for the cameras whose view both graphs state.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.errors import DatasetError
from or_spatial.evaluation.metrics.classification import NONE, ClassScore, Confusion, class_score, macro_f1
from or_spatial.evaluation.metrics.matching import Match, match_objects
from or_spatial.evaluation.metrics.results import Result
from or_spatial.geometry.relation_rules import CONVERSE, DIRECTIONAL, PREDICATES
from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.relations import Family, SpatialRelation

Triplet = tuple[str, str, str]

_NOBODY, _UNNAMED = "", "an unnamed viewer"


@dataclass(frozen=True, kw_only=True)
class RelationScores(Result):
    """The three figures, NaN where the truth holds nothing to score, with their classes one by one.

    `action_all_classes_macro_f1` also counts classes without support, as 4D-OR published.
    `viewers` names the cameras whose left and right were scored.
    """

    action_macro_f1: float
    action_macro_f1_without_none: float
    action_all_classes_macro_f1: float
    geometric_macro_f1: float
    strict_macro_f1: float
    actions: tuple[ClassScore, ...]
    geometric: tuple[ClassScore, ...]
    strict: tuple[ClassScore, ...]
    frames: int
    viewers: tuple[str, ...]


class RelationAccumulator:
    """Adds up frames of one split; `result()` may be asked for at any time."""

    def __init__(self, actions: Sequence[str], geometric: Sequence[str] = PREDICATES, threshold: float = 0.0) -> None:
        """Score these predicates; predicted relations with a confidence below `threshold` count as not said."""
        self.threshold = threshold
        self._actions = frozenset(actions)
        self._geometric = tuple(geometric)
        self._confusion = Confusion([*actions, NONE])
        self._hits, self._false, self._missed, self._invented = Counter(), Counter(), Counter(), Counter()
        self._action_hits, self._action_false, self._action_missed = Counter(), Counter(), Counter()
        self._frames = 0
        self._viewers: set[str] = set()

    def add(
        self,
        truth: SceneGraph,
        predicted: SceneGraph,
        match: Match | None = None,
        only: Callable[[str, str], bool] | None = None,
    ) -> None:
        """Count one frame; `match` (true id -> predicted id) is found by `match_objects` when not given.

        With `only`, pairs of true objects (by id) of which it is false are left out on both sides, and so is whatever
        was said of invented objects; it must not care about the order of a pair.

        Raises:
            DatasetError: left and right of the two graphs are meant for different cameras.
        """
        match = match_objects(truth, predicted) if match is None else match
        said = [r for r in predicted.relations if not r.confidence < self.threshold]
        self._frames += 1
        true_id = {found: true for true, found in match.items()}
        pairs = [(a.id, b.id) for a in truth.objects for b in truth.objects if a.id != b.id]
        wanted: Sequence[SpatialRelation] = truth.relations
        if only is not None:
            pairs = [pair for pair in pairs if only(*pair)]
            kept = set(pairs)
            wanted = [r for r in wanted if (r.subject_id, r.object_id) in kept]
            said = [r for r in said if (true_id.get(r.subject_id), true_id.get(r.object_id)) in kept]
        self._add_actions(pairs, wanted, said, true_id)
        self._add_geometric(wanted, said, true_id)

    def _add_actions(
        self,
        pairs: Sequence[tuple[str, str]],
        true: Sequence[SpatialRelation],
        said: Sequence[SpatialRelation],
        true_id: dict[str, str],
    ) -> None:
        wanted = _first_actions(true, self._actions)
        found = _first_actions(said, self._actions)
        heard = {(true_id.get(a), true_id.get(b)): p for (a, b), p in found.items()}
        for pair in pairs:
            self._confusion.add(wanted.get(pair, NONE), heard.get(pair, NONE))
        for (a, b), p in found.items():
            right = wanted.get((true_id.get(a), true_id.get(b))) == p
            (self._action_hits if right else self._action_false)[p] += 1
        self._action_missed += Counter(p for pair, p in wanted.items() if heard.get(pair) != p)

    def _add_geometric(
        self, true: Sequence[SpatialRelation], said: Sequence[SpatialRelation], true_id: dict[str, str]
    ) -> None:
        wanted, found = _by_viewer(true, self._geometric), _by_viewer(said, self._geometric)
        for viewer in _comparable(wanted, found):
            self._viewers |= {viewer} - {_NOBODY}
            self._add_view(with_converses(wanted.get(viewer, ())), with_converses(found.get(viewer, ())), true_id)

    def _add_view(self, wanted: set[Triplet], found: set[Triplet], true_id: dict[str, str]) -> None:
        known = {t for t in found if t[0] in true_id and t[2] in true_id}
        heard = {(true_id[a], p, true_id[b]) for a, p, b in known}
        self._hits += Counter(p for _, p, _ in heard & wanted)
        self._false += Counter(p for _, p, _ in heard - wanted)
        self._missed += Counter(p for _, p, _ in wanted - heard)
        self._invented += Counter(p for _, p, _ in found - known)

    def tallies(self) -> dict[str, NDArray[np.int64]]:
        """(classes, 3) hits, false alarms and misses behind each figure: `action`, `geometric` and `strict`.

        They add up over frames, so that any choice of frames has its figures (`bootstrap.macro_f1`).
        """
        counts = self._confusion.counts
        hits = np.diag(counts)
        action = np.stack([hits, counts.sum(0) - hits, counts.sum(1) - hits], axis=1)
        geometric = _table(self._geometric, self._hits, self._false, self._missed)
        invented = _table(self._geometric, Counter(), self._invented, Counter())
        said = [p for p in self._confusion.names if p != NONE]
        acted = _table(said, self._action_hits, self._action_false, self._action_missed)
        return {"action": action, "geometric": geometric, "strict": np.concatenate([acted, geometric + invented])}

    def result(self) -> RelationScores:
        """The figures of all frames so far, counts pooled."""
        actions = self._confusion.scores()
        geometric = [class_score(p, self._hits[p], self._false[p], self._missed[p]) for p in self._geometric]
        strict = [
            class_score(Family.ACTION.key(p), self._action_hits[p], self._action_false[p], self._action_missed[p])
            for p in self._confusion.names
            if p != NONE
        ] + [
            class_score(Family.GEOMETRIC.key(p), self._hits[p], self._false[p] + self._invented[p], self._missed[p])
            for p in self._geometric
        ]
        return RelationScores(
            action_macro_f1=macro_f1(actions),
            action_macro_f1_without_none=macro_f1(actions, without=NONE),
            action_all_classes_macro_f1=macro_f1(actions, supported_only=False),
            geometric_macro_f1=macro_f1(geometric),
            strict_macro_f1=macro_f1(strict),
            actions=actions,
            geometric=tuple(geometric),
            strict=tuple(strict),
            frames=self._frames,
            viewers=tuple(sorted(self._viewers)),
        )


def _table(names: Sequence[str], hits: Counter, false: Counter, missed: Counter) -> NDArray[np.int64]:
    return np.array([[hits[p], false[p], missed[p]] for p in names], np.int64).reshape(-1, 3)


def with_converses(triplets: Iterable[Triplet]) -> set[Triplet]:
    """Triplets (subject, predicate, object) of the geometric family with everything that follows from turning them.

    `b below a` follows from `a above b` and from `a on b`; the other way round `below` means above unless on is said.
    """
    known = set(triplets)
    turned = {(b, CONVERSE[p], a) for a, p, b in known if p in CONVERSE}
    lifted = {(b, "above", a) for a, p, b in known if p == "below" and (b, "on", a) not in known}
    return known | turned | lifted


def _by_viewer(relations: Iterable[SpatialRelation], names: Sequence[str]) -> dict[str, set[Triplet]]:
    """Geometric triplets by the camera whose left they mean; those that need no viewer under _NOBODY."""
    views: dict[str, set[Triplet]] = {}
    for r in relations:
        if r.family is Family.GEOMETRIC and r.predicate in names:
            viewer = (r.reference_frame_id or _UNNAMED) if r.predicate in DIRECTIONAL else _NOBODY
            views.setdefault(viewer, set()).add(r.triplet)
    return views


def _comparable(wanted: dict[str, set[Triplet]], found: dict[str, set[Triplet]]) -> set[str]:
    """The views that can be compared: those of both graphs, or of the only one that states any."""
    true, said = set(wanted) - {_NOBODY}, set(found) - {_NOBODY}
    if true and said and not true & said:
        raise DatasetError(
            f"left and right of the truth are those of {sorted(true)}, of the prediction those of {sorted(said)};"
            " ask for both in one camera's frame"
        )
    return {_NOBODY} | (true & said or true | said)


def _first_actions(relations: Iterable[SpatialRelation], names: frozenset[str]) -> dict[tuple[str, str], str]:
    first: dict[tuple[str, str], str] = {}
    for r in relations:
        if r.family is Family.ACTION and r.predicate in names and r.subject_id != r.object_id:
            first.setdefault((r.subject_id, r.object_id), r.predicate)
    return first
