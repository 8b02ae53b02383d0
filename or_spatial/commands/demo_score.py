"""The figures of one recording: what the nodes published against the truth beside it."""

import math
from collections import Counter
from typing import Any

import numpy as np

from or_spatial.commands.docs import MEANINGS, dig
from or_spatial.commands.recordings import Recording
from or_spatial.scene import SceneGraph, load_vocabulary

STALE = "stale_graph"
TOGETHER_NS = 20_000_000
"""A truth and a graph belong together when their stamps differ by less: they are copied, not measured."""


def score(source: Recording, heard: Recording, live: Any) -> dict[str, Any]:
    """All figures, nested by family; NaN where there is nothing to score. Keys are those of the project's limits."""
    pairs = paired(source.truth, [r.graph for r in heard.graphs])
    whole = [(truth, on_request(graph, source)) for truth, graph in pairs]
    figures: dict[str, Any] = {**score_graphs(whole), "hazards": score_hazards(source, heard, live.every_frame)}
    figures["published_relations"] = score_graphs(pairs)["relations"]
    times_ms = 1e3 * np.asarray(live.latencies_s)
    figures["latency"] = {
        f"graph_p{q}_ms": round(float(np.percentile(times_ms, q)), 1) if times_ms.size else math.nan for q in (50, 95)
    }
    figures["transport"] = {"delivered": live.delivered, "moments": live.played, "graphs": live.graphs}
    figures["memory"] = {"pss_mb": round(sum(live.pss_mb.values()), 1), "by_node": live.pss_mb}
    figures["recording"] = {
        "seconds": round((live.end_ns - source.start_ns) * 1e-9, 2),
        "cameras": len(source.image_stamps),
        "frames_scored": len(pairs),
    }
    figures["topics"] = live.topics
    return figures


def paired(truth: list[SceneGraph], graphs: list[SceneGraph]) -> list[tuple[SceneGraph, SceneGraph]]:
    """(truth, graph) of the same moment, in order of time."""
    stamps = np.array([t.stamp_ns for t in truth], np.int64)
    found = []
    for graph in graphs:
        if (
            stamps.size
            and abs(stamps[at := int(np.abs(stamps - graph.stamp_ns).argmin())] - graph.stamp_ns) < TOGETHER_NS
        ):
            found.append((truth[at], graph))
    return found


def on_request(graph: SceneGraph, source: Recording) -> SceneGraph:
    """The graph as GetSceneGraph gives it with `all_relations`: what is published leaves out pairs that are far apart.

    The truth holds every pair, so this is what can be compared with it; `published_relations` scores the rest.
    """
    from or_spatial.nodes.queries import with_all_relations

    poses = {name: pose for name, (_, pose) in source.cameras.items()}
    return with_all_relations(graph, poses.get, min_confidence=0.5)


def score_graphs(pairs: list[tuple[SceneGraph, SceneGraph]]) -> dict[str, Any]:
    """Relations and objects over all moments."""
    from or_spatial.evaluation.metrics import ObjectAccumulator, RelationAccumulator

    relations, objects = RelationAccumulator(load_vocabulary().actions), ObjectAccumulator()
    for truth, graph in pairs:
        relations.add(truth, graph)
        objects.add(truth, graph)
    return {"relations": relations.result().to_dict(), "objects": objects.result().to_dict()}


def score_hazards(source: Recording, heard: Recording, every_frame: bool = False) -> dict[str, Any]:
    """Alerts against the script's hazards; what is raised after the last image is not counted.

    Alerts of rules that the script has no truth for are told, not judged. Without `/truth/hazards` those are all of
    them; with `every_frame` so are those of a graph that is late, for the recording waited for the graphs.
    """
    from or_spatial.evaluation.metrics import HazardAccumulator, intervals_from_active, intervals_from_alerts
    from or_spatial.world.hazard_truth import RULES

    judged = {rule for rule in RULES if source.truth_alerts and not (every_frame and rule == STALE)}
    times_s = [stamp * 1e-9 for stamp, _ in source.truth_alerts]
    active = [judged.intersection(a.rule_id for a in alerts) for _, alerts in source.truth_alerts]
    end_ns = max((r.graph.stamp_ns for r in heard.graphs), default=source.end_ns)
    alerts = [a for a in sorted(heard.alerts, key=lambda a: a.stamp_ns) if a.stamp_ns <= end_ns]
    raised = intervals_from_alerts(alerts, end_ns)
    scores = HazardAccumulator()
    if judged:
        truth = [t for t in intervals_from_active(times_s, active, 0.5) if t.start_s <= end_ns * 1e-9]
        scores.add(truth, [i for i in raised if i.rule_id in judged], (end_ns - source.start_ns) * 1e-9)
    unjudged = Counter(i.rule_id for i in raised if i.rule_id not in judged)
    return {**scores.result().to_dict(), "judged": sorted(judged), "alerts_without_truth": dict(unjudged)}


def lines(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    """(meaning, value, key) of the headline figures that there are."""
    found = []
    for key, meaning in MEANINGS.items():
        value = dig(figures, key)
        if isinstance(value, (int, float)) and math.isfinite(value):
            found.append((meaning, f"{value:.3g}", key))
    return found
