"""What the network said about pairs, over cameras and time, pooled with what the posterior boxes say.

Tables are (N, N, P): from row track to column track, P predicates with the actions first, then geometry's ten.
Log-odds are averaged over the cameras that saw both things, followed over time with a short memory, and pooled with
the geometric probability (a logarithmic opinion pool: Genest and Zidek, Statistical Science 1(1), 1986). A relation
begins to hold above one threshold and ends below a lower one, so that it does not flicker at the border.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.relation_rules import CONVERSE, DIRECTIONAL, EXCLUSIVE, PREDICATES
from or_spatial.perception.perceiver import RelationEvidence
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.scene.relations import EvidenceSource, Family

Array = NDArray[np.float64]

_STICKY = 0.1  # chosen: a rival must be this much surer to replace what holds


def log_odds(p: Array) -> Array:
    """Log-odds of probabilities, held within [0.02, 0.98]; NaN stays NaN."""
    p = np.minimum(np.maximum(p, 0.02), 0.98)
    return np.log(p / (1.0 - p))


def _probability(odds: Array) -> Array:
    """Of log-odds; 0 where nothing is known (NaN)."""
    return np.where(np.isnan(odds), 0.0, 1.0 / (1.0 + np.exp(-odds)))


class Predicates:
    """The P columns of the tables: actions of the vocabulary, then geometry's predicates.

    `names` as a graph tells them; `keys` with their family, since a name may stand in both.
    """

    def __init__(self, actions: Sequence[str]) -> None:
        self.actions = tuple(actions)
        self.names = (*self.actions, *PREDICATES)
        self.keys = (*map(Family.ACTION.key, self.actions), *map(Family.GEOMETRIC.key, PREDICATES))
        self.geometry = slice(len(self.actions), len(self.names))
        self._action = {name: i for i, name in enumerate(self.actions)}
        self._geometric = {name: i + len(self.actions) for i, name in enumerate(PREDICATES)}
        self.groups = [[self._geometric[name] for name in group] for group in EXCLUSIVE]
        self.directional = [self._geometric[name] for name in PREDICATES if name in DIRECTIONAL]
        self._mirror = np.arange(len(self.names))
        self._mirrored = np.zeros(len(self.names), dtype=bool)
        for name, converse in CONVERSE.items():
            if CONVERSE.get(converse) == name:
                self._mirror[self._geometric[name]] = self._geometric[converse]
                self._mirrored[self._geometric[name]] = True

    def index(self, evidence: RelationEvidence) -> int | None:
        """Column of a predicate, None for one that neither vocabulary has."""
        table = self._action if evidence.family == Family.ACTION else self._geometric
        return table.get(evidence.predicate)

    def with_mirrors(self, columns: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Those columns of (P,) that are marked, and those of their exact converses; in order."""
        return np.flatnonzero(columns | columns[self._mirror])

    def both_ways(self, table: Array, columns: NDArray[np.int64]) -> Array:
        """Average each predicate with its exact converse of the opposite pair; NaN gives way to a number.

        `table` (N, N, C) has these columns only, as told by `with_mirrors`.
        """
        if not self._mirrored[columns].any():
            return table
        opposite = table.transpose(1, 0, 2)[..., np.searchsorted(columns, self._mirror[columns])]
        opposite = np.where(self._mirrored[columns], opposite, table)
        return np.where(np.isnan(table), opposite, np.where(np.isnan(opposite), table, 0.5 * (table + opposite)))


@dataclass
class Evidence:
    """What one update's cameras said: sums of log-odds and counts (N, N, P). `said` (P,): spoken of at all.

    `source` is who said it: a perceiver is a network or a set of rules, never both.
    """

    total: Array
    count: Array
    said: NDArray[np.bool_]
    source: EvidenceSource = EvidenceSource.MODEL

    @classmethod
    def none(cls, tracks: int, predicates: int) -> "Evidence":
        """Nothing said about anything."""
        shape = (tracks, tracks, predicates)
        return cls(np.zeros(shape), np.zeros(shape), np.zeros(predicates, dtype=bool))

    def add(
        self,
        relations: Sequence[RelationEvidence],
        track_of: NDArray[np.int64],
        predicates: Predicates,
        unsaid: tuple[NDArray[np.bool_], float],
        skip: Sequence[int],
    ) -> None:
        """One camera's evidence. `track_of` maps its detections to tracks, -1 for none.

        `unsaid`: which columns this perceiver is known to speak of, and the probability that its silence stands for.
        `skip`: columns that do not count from this camera (whose left is it?).
        """
        places = track_of.tolist()
        spoken, p_silent = unsaid
        told: list[tuple[int, int, int, float]] = []
        for r in relations:
            at = predicates.index(r)
            if r.family == Family.GEOMETRIC and r.source == EvidenceSource.GEOMETRY:
                continue  # box rules on one camera's boxes: the posterior boxes say it better, and it must count once
            if at is None or not (0 <= r.subject < len(places) and 0 <= r.object < len(places)):
                continue
            a, b = places[r.subject], places[r.object]
            if a >= 0 and b >= 0 and a != b and 0.0 <= r.probability <= 1.0:
                told.append((a, b, at, r.probability))
                self.said[at] = True
                self.source = EvidenceSource.MODEL if r.source == EvidenceSource.UNKNOWN else r.source
        heard = spoken | self.said
        columns = predicates.with_mirrors(heard)
        if not len(columns):
            return
        silent = np.where(heard[columns], p_silent, np.nan)
        tracks = np.array(sorted(set(places) - {-1}), dtype=np.int64)
        said = np.full((*self.total.shape[:2], len(columns)), np.nan)
        said[tracks[:, None], tracks] = silent
        place = {at: i for i, at in enumerate(columns.tolist())}
        for a, b, at, probability in told:
            said[a, b, place[at]] = probability
        said = predicates.both_ways(said, columns)
        said[:, :, [i for i, at in enumerate(columns.tolist()) if at in skip]] = np.nan
        known = ~np.isnan(said)
        self.total[..., columns] += np.where(known, log_odds(said), 0.0)
        self.count[..., columns] += known


class RelationMemory:
    """Network evidence per pair of tracks over time, and which relations hold since when."""

    def __init__(self, predicates: Predicates, config: TrackerConfig) -> None:
        self.predicates, self.config = predicates, config
        self._stated = config.statements.table(predicates.keys)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        P = len(self.predicates.names)
        self._keys: list[int] = []
        self.heard = np.full((0, 0, P), np.nan)
        self.heard_ns = np.zeros((0, 0, P), dtype=np.int64)
        self.holds = np.zeros((0, 0, P), dtype=bool)
        self.since_ns = np.zeros((0, 0, P), dtype=np.int64)
        self.spoken = np.zeros(P, dtype=bool)
        self.source = EvidenceSource.MODEL

    def align(self, keys: Sequence[int]) -> None:
        """Reorder the tables to these track keys; new tracks start without a past."""
        if list(keys) == self._keys:
            return
        before = {key: i for i, key in enumerate(self._keys)}
        kept = [i for i, key in enumerate(keys) if key in before]
        old = [before[keys[i]] for i in kept]
        for name, empty in (("heard", np.nan), ("heard_ns", 0), ("holds", False), ("since_ns", 0)):
            table = getattr(self, name)
            fresh = np.full((len(keys), len(keys), table.shape[2]), empty, dtype=table.dtype)
            fresh[np.ix_(kept, kept)] = table[np.ix_(old, old)]
            setattr(self, name, fresh)
        self._keys = list(keys)

    def hear(self, evidence: Evidence, stamp_ns: int) -> None:
        """Follow this update's mean log-odds with a memory of `relation_memory_s`, then forget what is too old."""
        self.spoken |= evidence.said
        self.source = evidence.source if evidence.said.any() else self.source
        at = self.predicates.with_mirrors(self.spoken)  # nothing was ever heard in the other columns
        if not len(at):
            return
        count, heard, heard_ns = evidence.count[..., at], self.heard[..., at], self.heard_ns[..., at]
        known = count > 0
        mean = evidence.total[..., at] / np.maximum(count, 1)
        elapsed_s = (stamp_ns - heard_ns) / 1e9
        step = 1.0 - np.exp(-np.maximum(elapsed_s, 0.0) / max(self.config.relation_memory_s, 1e-6))
        followed = np.where(np.isnan(heard), mean, heard + step * (mean - heard))
        heard = np.where(known, followed, heard)
        heard_ns = np.where(known, stamp_ns, heard_ns)
        heard[(stamp_ns - heard_ns) / 1e9 > self.config.relation_hold_s] = np.nan
        self.heard[..., at], self.heard_ns[..., at] = heard, heard_ns

    def judge(self, geometric: Array | None, stamp_ns: int) -> tuple[Array, NDArray[np.int8]]:
        """Pool, compare with the thresholds and remember since when. Returns the probability that is stated of each
        pair (`Statements`) and its source, (N, N, P).

        `geometric` (N, N, 10) probabilities, NaN where unknown; None when the graph has no metric scale.
        """
        pooled, source = self.heard.copy(), np.full(self.heard.shape, self.source, dtype=np.int8)
        if geometric is not None:
            at, w = self.predicates.geometry, self.config.model_weight
            own, heard = log_odds(geometric), self.heard[..., at]
            unknown, unheard = np.isnan(own), np.isnan(heard)
            pooled[..., at] = np.where(unknown, heard, np.where(unheard, own, (1 - w) * own + w * heard))
            pair = np.where(unheard, np.int8(EvidenceSource.GEOMETRY), np.int8(EvidenceSource.FUSED))
            source[..., at] = np.where(unknown, np.int8(self.source), pair)
        p = _probability(pooled)
        self._hold(p, stamp_ns)
        odds = self.config.statements.stated(pooled, self._stated)
        return p if odds is pooled else _probability(odds), source

    def _hold(self, p: Array, stamp_ns: int) -> None:
        holds = p >= np.where(self.holds, self.config.relation_off, self.config.relation_on)
        for group in [list(range(len(self.predicates.actions))), *self.predicates.groups]:
            if group:
                holds[..., group] &= self._winner(p[..., group], self.holds[..., group])
        holds[np.arange(len(p)), np.arange(len(p))] = False
        self.since_ns = np.where(holds & ~self.holds, stamp_ns, self.since_ns)
        self.holds = holds

    @staticmethod
    def _winner(p: Array, held: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """At most one per pair: the surest, with a head start for the one that holds."""
        best = np.argmax(p + _STICKY * held, axis=-1)
        return np.arange(p.shape[-1]) == best[..., None]
