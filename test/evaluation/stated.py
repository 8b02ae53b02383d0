"""A graph as the snapshot of one that states everything it holds with its own confidence, and nothing else."""

import numpy as np

from or_spatial.geometry.relation_rules import PREDICATES
from or_spatial.perception.snapshot import Snapshot
from or_spatial.scene import SceneGraph, load_vocabulary

NAMES = (*load_vocabulary().actions, *PREDICATES)


def snapshot_of(graph: SceneGraph) -> Snapshot:
    """Probabilities are the confidences of the graph's relations, 0 for what it does not hold."""
    place = {o.id: k for k, o in enumerate(graph.objects)}
    table = np.zeros((len(place), len(place), len(NAMES)))
    for r in graph.relations:
        table[place[r.subject_id], place[r.object_id], NAMES.index(r.predicate)] = r.confidence
    return Snapshot(graph, NAMES, table)
