"""A graph as the snapshot of one that states everything it holds with its own confidence, and nothing else."""

import numpy as np

from or_spatial.perception.relations_fusion import Predicates
from or_spatial.perception.snapshot import Snapshot
from or_spatial.scene import SceneGraph, load_vocabulary

KEYS = Predicates(load_vocabulary().actions).keys


def snapshot_of(graph: SceneGraph) -> Snapshot:
    """Probabilities are the confidences of the graph's relations, 0 for what it does not hold."""
    place = {o.id: k for k, o in enumerate(graph.objects)}
    table = np.zeros((len(place), len(place), len(KEYS)))
    for r in graph.relations:
        table[place[r.subject_id], place[r.object_id], KEYS.index(r.family.key(r.predicate))] = r.confidence
    return Snapshot(graph, KEYS, table)
