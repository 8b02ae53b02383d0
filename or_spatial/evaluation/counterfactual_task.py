"""`or_spatial evaluate --task counterfactual`: does the model tell pictures apart that differ in one spatial fact?

The listed pairs of a split (`config/counterfactual.yaml`) are drawn and looked at one picture at a time, each as a
single frame. A picture is right when both things are found and, from the one to the other, the graph says the predicate
that holds there and not the one that holds in the other picture. **A pair counts only when both of its pictures are
right**: a model that says the same of both scores nothing, however often it is right on one.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from or_spatial.errors import DatasetError
from or_spatial.evaluation.frames import look_at
from or_spatial.evaluation.metrics.matching import match_objects
from or_spatial.evaluation.metrics.relations import with_converses
from or_spatial.evaluation.metrics.results import plain
from or_spatial.inference.bundle import Bundle
from or_spatial.perception.model import ModelPerceiver
from or_spatial.perception.perceiver import Perceiver
from or_spatial.perception.snapshot import bundle_tracker_config
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.relations import Family
from or_spatial.world.counterfactual import DrawnPair, Pair, draw_pair, listed
from or_spatial.world.splits import world_version


@dataclass(frozen=True)
class Verdict:
    """What was made of one picture: both things found, and what the graph says from subject to object."""

    found: bool
    said: frozenset[str]
    right: bool


@dataclass(frozen=True)
class JudgedPair:
    """A drawn pair and what was made of its pictures."""

    drawn: DrawnPair
    verdicts: tuple[Verdict, Verdict]


def evaluate_counterfactual(
    split: str = "test",
    bundle: Bundle | None = None,
    workers: int = 2,
    each: Callable[[JudgedPair], None] = lambda _: None,
) -> dict[str, Any]:
    """Run the listed pairs of a split and return nested figures, `counterfactual.*`."""
    bundle = bundle or Bundle.load()
    perceiver, config = ModelPerceiver(bundle), bundle_tracker_config(bundle)
    judged = []
    for drawn in drawn_pairs(listed(split), split, workers):
        one = judge(drawn, perceiver, config)
        judged.append((one.drawn.pair, one.verdicts))
        each(one)
    made = {"model": bundle.model_id, "split": split, "pairs": len(judged), "world_version": world_version(split)}
    return plain({"counterfactual": figures(judged), "made_with": made})


def drawn_pairs(pairs: Sequence[tuple[str, int]], split: str, workers: int) -> Iterator[DrawnPair]:
    """Draw pairs in parallel, in their order.

    Raises:
        DatasetError: a listed seed gives no pair any more: the world has changed without a new version.
    """
    with ProcessPoolExecutor(workers) as pool:
        drawings = pool.map(draw_pair, [kind for kind, _ in pairs], repeat(split), [seed for _, seed in pairs])
        for (kind, seed), drawn in zip(pairs, drawings, strict=True):
            if drawn is None:
                raise DatasetError(f"{split} seed {seed} gives no {kind} pair any more; list them anew")
            yield drawn


def judge(drawn: DrawnPair, perceiver: Perceiver, config: TrackerConfig) -> JudgedPair:
    """Look at both pictures, each alone."""
    graphs = [look_at(sample, perceiver, config).graph for sample in drawn.samples]
    first, second = (verdict(drawn.pair, k, drawn.samples[k].graph, graph) for k, graph in enumerate(graphs))
    return JudgedPair(drawn, (first, second))


def verdict(pair: Pair, picture: int, truth: SceneGraph, graph: SceneGraph) -> Verdict:
    """Whether a graph tells picture 0 or 1 of a pair from the other one."""
    match = match_objects(truth, graph)
    subject, target = match.get(pair.subject_id), match.get(pair.object_id)
    if subject is None or target is None:
        return Verdict(False, frozenset(), False)
    said = follows(graph, subject, target)
    return Verdict(True, said, pair.predicates[picture] in said and pair.predicates[1 - picture] not in said)


def follows(graph: SceneGraph, subject_id: str, object_id: str) -> frozenset[str]:
    """Geometric predicates from subject to object, also those that a graph tells from the object to the subject."""
    told = {r.triplet for r in graph.relations if r.family == Family.GEOMETRIC}
    return frozenset(p for a, p, b in with_converses(told) if (a, b) == (subject_id, object_id))


def figures(judged: Iterable[tuple[Pair, tuple[Verdict, Verdict]]]) -> dict[str, Any]:
    """Shares of all pairs and by kind: both pictures right, one picture right, both things found in both."""
    judged = list(judged)
    kinds = dict.fromkeys(pair.kind for pair, _ in judged)
    by_kind = {kind: _shares([v for pair, v in judged if pair.kind == kind]) for kind in kinds}
    return {**_shares([v for _, v in judged]), "by_kind": by_kind}


def _shares(verdicts: list[tuple[Verdict, Verdict]]) -> dict[str, Any]:
    n = len(verdicts)
    found = [v for v in verdicts if v[0].found and v[1].found]
    right = sum(a.right and b.right for a, b in verdicts)
    return {
        "pair_accuracy": right / n if n else float("nan"),
        "picture_accuracy": sum(a.right + b.right for a, b in verdicts) / (2 * n) if n else float("nan"),
        "found": len(found) / n if n else float("nan"),
        "pair_accuracy_of_found": right / len(found) if found else float("nan"),
        "pairs": n,
    }
