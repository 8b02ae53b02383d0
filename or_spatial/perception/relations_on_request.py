"""Geometric relations of objects when somebody asks, near or far: services answer it, calibration is scored on it."""

from collections.abc import Sequence

from or_spatial.geometry.relations import all_pairs_probabilities
from or_spatial.perception.relation_choice import Array, Boxes
from or_spatial.scene.objects import SceneObject
from or_spatial.scene.relation_trust import load_trust


def asked_of(objects: Sequence[SceneObject], viewer_from_room: Array) -> Array:
    """(N, N, 10) probabilities of `geometry.relations.PREDICATES` from row to column, NaN where a number is unknown.

    By integrals over the objects' covariances, as far as things of their kinds bear it out; `viewer_from_room` (3, 3).
    """
    boxes = Boxes.of(objects)
    table = all_pairs_probabilities(boxes.centers, boxes.covariances, boxes.sizes, boxes.yaws, viewer_from_room)
    return load_trust().believed(table, [o.label for o in objects])
