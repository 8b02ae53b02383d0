"""What many frames of a split hold, measured without shading them: the numbers that the audit judges."""

import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.relation_rules import PREDICATES
from or_spatial.geometry.relations import all_pairs_hold
from or_spatial.geometry.transforms import levelled_viewer
from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.relations import Family
from or_spatial.world.plan import PlannedFrame, planned_simulation, sample_plan
from or_spatial.world.samples import glance, graph_of
from or_spatial.world.simulation import TOOL_LABELS, Simulation

CHUNK = 16


@dataclass
class Survey:
    """Counts over many frames of one split.

    `pairs`: ordered label pairs -> how often; `actions`, `geometric`: (label, predicate, label) -> how often.
    `occlusions` of people; `depths` a quarter-size depth map of each frame;
    `assets` label -> variants met; `habits` (role, predicate, label) met; `legible_px` least pixels of a labelled tool;
    `disagreement` predicate -> (pairs on which meshes and box rules differ, pairs on which either holds).
    """

    frames: int = 0
    layouts: set[int] = field(default_factory=set)
    procedures: Counter = field(default_factory=Counter)
    pairs: Counter = field(default_factory=Counter)
    actions: Counter = field(default_factory=Counter)
    geometric: Counter = field(default_factory=Counter)
    occlusions: list[float] = field(default_factory=list)
    depths: list[NDArray[np.float32]] = field(default_factory=list)
    assets: dict[str, set[int]] = field(default_factory=dict)
    habits: Counter = field(default_factory=Counter)
    legible_px: list[int] = field(default_factory=list)
    disagreement: Counter = field(default_factory=Counter)
    either: Counter = field(default_factory=Counter)

    def predicates(self) -> Counter:
        """(family, predicate) -> positives."""
        total: Counter = Counter()
        for counts, family in ((self.actions, Family.ACTION), (self.geometric, Family.GEOMETRIC)):
            for (_, predicate, _), n in counts.items():
                total[family, predicate] += n
        return total

    def merged(self, other: "Survey") -> "Survey":
        """Both together."""
        for name in ("procedures", "pairs", "actions", "geometric", "habits", "disagreement", "either"):
            getattr(self, name).update(getattr(other, name))
        for label, variants in other.assets.items():
            self.assets.setdefault(label, set()).update(variants)
        self.frames += other.frames
        self.layouts |= other.layouts
        self.occlusions += other.occlusions
        self.depths += other.depths
        self.legible_px += other.legible_px
        return self


def survey(split: str, frames: int, seed: int = 1, workers: int = 2, width: int = 448, height: int = 256) -> Survey:
    """Look at `frames` planned frames of a split in parallel; the result does not depend on `workers`."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    chunks = range(-(-frames // CHUNK))
    total = Survey()
    if workers <= 1:
        for k in chunks:
            total.merged(_look_at(split, seed * 100_003 + k, width, height))
        return total
    with ProcessPoolExecutor(workers) as pool:
        n = len(chunks)
        seeds = [seed * 100_003 + k for k in chunks]
        for part in pool.map(_look_at, [split] * n, seeds, [width] * n, [height] * n):
            total.merged(part)
    return total


def _look_at(split: str, seed: int, width: int, height: int) -> Survey:
    found = Survey()
    simulation, of = None, None
    for frame in sample_plan(split, CHUNK, seed):
        if of != frame.seed:
            simulation, of = planned_simulation(frame), frame.seed
        _add(found, simulation, frame, width, height)
    return found


def _add(found: Survey, simulation: Simulation, frame: PlannedFrame, width: int, height: int) -> None:
    state = simulation.state(frame.time_s)
    view = glance(simulation, state, frame.camera_index, width, height)
    graph = graph_of(state, [view], 0)
    found.frames += 1
    found.layouts.add(simulation.script.layout.index)
    found.procedures[simulation.procedure] += 1
    label = {o.id: o.label for o in graph.objects}
    for a in graph.objects:
        found.pairs.update((a.label, b.label) for b in graph.objects if b.id != a.id)
        if a.id in simulation.script.props:
            found.assets.setdefault(a.label, set()).add(simulation.script.props[a.id].variant)
    roles = simulation.roles
    for r in graph.relations:
        triplet = (label[r.subject_id], r.predicate, label[r.object_id])
        (found.actions if r.family == Family.ACTION else found.geometric)[triplet] += 1
        if r.family == Family.ACTION and r.subject_id in roles:
            found.habits[roles[r.subject_id], r.predicate, label[r.object_id]] += 1
    pixels = {v.object_id: v.visible_px for v in view.views}
    named = {i for r in graph.relations if r.family == Family.ACTION for i in (r.subject_id, r.object_id)}
    found.legible_px += [pixels[i] for i in named if i.rsplit("_", 1)[0] in TOOL_LABELS]
    found.occlusions += [v.occlusion for v in view.views if v.object_id.startswith("person")]
    found.depths.append(view.depth_m[::4, ::4].astype(np.float32))
    _compare(found, graph, view.rig.room_from_camera)


def _compare(found: Survey, graph: SceneGraph, room_from_camera: NDArray[np.float64]) -> None:
    """Count pairs on which the meshes' truth and the box rules say different things."""
    if not graph.objects:
        return
    index = {o.id: k for k, o in enumerate(graph.objects)}
    told = np.zeros((len(index), len(index), len(PREDICATES)), bool)
    for r in graph.relations:
        if r.family == Family.GEOMETRIC:
            told[index[r.subject_id], index[r.object_id], PREDICATES.index(r.predicate)] = True
    boxes = [np.array([getattr(o, name) for o in graph.objects]) for name in ("center_m", "size_m", "yaw_rad")]
    held = all_pairs_hold(*boxes, levelled_viewer(room_from_camera))
    for k, predicate in enumerate(PREDICATES):
        found.disagreement[predicate] += int((told[..., k] ^ held[..., k]).sum())
        found.either[predicate] += int((told[..., k] | held[..., k]).sum())


def prior_scores(train: Survey, test: Survey) -> dict[tuple[Family, str], float]:
    """F1 on test of saying for each ordered pair of labels what was usual for it in training, per predicate.

    One action at most (or none) per pair as in MM-OR; a geometric predicate where it held in more than half the cases.
    """
    usual: dict[tuple[str, str], set[tuple[Family, str]]] = {}
    for pair, n in train.pairs.items():
        counts = {p: c for (a, p, b), c in train.actions.items() if (a, b) == pair}
        best = max(counts, key=counts.get, default=None)
        usual[pair] = set()
        if best is not None and counts[best] > n - sum(counts.values()):
            usual[pair].add((Family.ACTION, best))
        usual[pair] |= {
            (Family.GEOMETRIC, p) for (a, p, b), c in train.geometric.items() if (a, b) == pair and c > n / 2
        }
    scores = {}
    for family, predicate in sorted(test.predicates()):
        counts = test.actions if family == Family.ACTION else test.geometric
        hit = sum(c for (a, p, b), c in counts.items() if p == predicate and (family, p) in usual.get((a, b), ()))
        said = sum(n for pair, n in test.pairs.items() if (family, predicate) in usual.get(pair, ()))
        true = sum(c for (_, p, _), c in counts.items() if p == predicate)
        scores[family, predicate] = 2 * hit / (said + true) if said + true else 0.0
    return scores


def mean_depth_error(train: Survey, test: Survey) -> float:
    """AbsRel on test of saying the mean training depth of each pixel."""
    guess = np.nanmean(np.stack(train.depths), axis=0)
    errors = [np.nanmean(np.abs(guess - d) / d) for d in test.depths if np.isfinite(d).any()]
    return float(np.mean(errors))
