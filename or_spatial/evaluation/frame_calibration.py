"""Whether what a model states of single frames is as likely as it says: relations, existence, places.

Of every ordered pair of objects that were found, each predicate's probability before anything is chosen from it; of
every object in the graph, how surely it is there. A class counts towards a mean when enough was said above 0.05, and
enough of that was true and false, for its ECE to be more than chance.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from or_spatial.evaluation.metrics.calibration import ellipsoid_coverage, squared_surprise
from or_spatial.evaluation.metrics.class_calibration import class_calibration, means
from or_spatial.evaluation.metrics.matching import Match
from or_spatial.perception.snapshot import Snapshot
from or_spatial.scene.graph import SceneGraph


class Stated:
    """Adds up what was stated of frames, beside what is true."""

    def __init__(self, predicates: Sequence[str]) -> None:
        """Of these predicates, by `Family.key`."""
        self._predicates = tuple(predicates)
        self._said: list[NDArray[np.float32]] = []
        self._true: list[NDArray[np.bool_]] = []
        self._existence: dict[str, list[float]] = defaultdict(list)
        self._exists: dict[str, list[bool]] = defaultdict(list)

    def add(self, truth: SceneGraph, snapshot: Snapshot, match: Match) -> None:
        """Count one frame; `match` is true id to predicted id."""
        place = {o.id: k for k, o in enumerate(snapshot.graph.objects)}
        pairs = [(true, place[found]) for true, found in match.items() if found in place]
        at = [k for _, k in pairs]
        columns = [snapshot.predicates.index(p) for p in self._predicates]
        off = ~np.eye(len(pairs), dtype=bool)
        self._said.append(snapshot.probabilities[np.ix_(at, at, columns)][off].astype(np.float32))
        self._true.append(held([id for id, _ in pairs], truth, self._predicates)[off])
        real = set(at)
        for k, thing in enumerate(snapshot.graph.objects):
            self._existence[thing.label].append(thing.existence)
            self._exists[thing.label].append(k in real)

    def figures(self, offsets_m: NDArray[np.float64], covariances_m2: NDArray[np.float64]) -> dict[str, Any]:
        """Nested figures, `calibration.*`; errors (M, 3) and stated covariances (M, 3, 3) are of matched centres."""
        said = np.concatenate(self._said) if self._said else np.zeros((0, len(self._predicates)))
        true = np.concatenate(self._true) if self._true else np.zeros((0, len(self._predicates)), bool)
        relations = {name: class_calibration(said[:, k], true[:, k]) for k, name in enumerate(self._predicates)}
        existence = {
            label: class_calibration(np.array(p), np.array(self._exists[label]))
            for label, p in sorted(self._existence.items())
        }
        surprise = squared_surprise(offsets_m, covariances_m2)
        return {
            **means("relations", relations),
            **means("existence", existence),
            **{f"ellipsoid_{p}": ellipsoid_coverage(offsets_m, covariances_m2, p / 100) for p in (50, 95)},
            "nees": float(surprise.mean() / 3.0) if len(surprise) else float("nan"),
            "relations": relations,
            "existence": existence,
        }


def held(ids: Sequence[str], truth: SceneGraph, predicates: Sequence[str]) -> NDArray[np.bool_]:
    """(N, N, P): which predicates (`Family.key`) hold from row to column between these true ids."""
    index, column = {id: k for k, id in enumerate(ids)}, {name: k for k, name in enumerate(predicates)}
    table = np.zeros((len(ids), len(ids), len(predicates)), dtype=bool)
    for r in truth.relations:
        key = r.family.key(r.predicate)
        if r.subject_id in index and r.object_id in index and key in column:
            table[index[r.subject_id], index[r.object_id], column[key]] = True
    return table
