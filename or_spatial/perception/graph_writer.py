"""Tracks and their relations as a published SceneGraph: numbers that are known, NaN for those that are not."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from or_spatial.geometry.transforms import levelled_viewer
from or_spatial.perception.labels import Labels
from or_spatial.perception.posterior_relations import PosteriorRelations
from or_spatial.perception.published_doubt import published_covariances
from or_spatial.perception.relation_choice import Boxes, Measured, choose, measure, relation, tell_once
from or_spatial.perception.relations_fusion import Evidence, Predicates, RelationMemory
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.perception.tracks import Track
from or_spatial.scene.graph import Scale, SceneGraph, Source
from or_spatial.scene.objects import Hypothesis, SceneObject
from or_spatial.scene.relation_trust import load_trust
from or_spatial.scene.relations import SpatialRelation
from or_spatial.scene.values import UNKNOWN3

Array = NDArray[np.float64]

_TELL_LABELS = 3
_TELL_ABOVE = 0.05


@dataclass(frozen=True)
class Room:
    """What a graph says beside its objects: when, in which frame and scale, from which cameras, and whose left it is.

    `viewer_pose` (4, 4), room from camera, is None while the viewer's place is unknown.
    """

    stamp_ns: int
    frame_id: str
    scale: Scale
    sources: tuple[Source, ...]
    viewer: str
    viewer_pose: Array | None


class GraphWriter:
    """Writes one graph after the other, counts them, and remembers their relations.

    `probabilities` (N, N, P) of `predicates` between the objects of the last graph are what its relations were chosen
    from: the graph itself tells those that hold.
    """

    def __init__(self, config: TrackerConfig, labels: Labels, actions: Sequence[str]) -> None:
        self.config, self.labels = config, labels
        self.predicates = Predicates(actions)
        self.memory = RelationMemory(self.predicates, config)
        self.posterior = PosteriorRelations(config.relation_radius_m)
        self.trust = load_trust()
        self.sequence = 0
        self.probabilities = np.zeros((0, 0, len(self.predicates.names)))

    def reset(self) -> None:
        """Forget relations; the sequence goes on, so that a receiver can tell a restart from a gap."""
        self.memory.reset()
        self.posterior.reset()

    def write(self, tracks: Sequence[Track], evidence: Evidence, room: Room) -> SceneGraph:
        """The graph of these tracks; `evidence` is in their order."""
        metric = room.scale == Scale.METRIC
        spreads = published_covariances(tracks, self.labels, self.config)
        objects = tuple(self._object(t, s, room.stamp_ns, metric) for t, s in zip(tracks, spreads, strict=True))
        keys = [t.key for t in tracks]
        self.memory.align(keys)
        self.memory.hear(evidence, room.stamp_ns)
        boxes = Boxes.of(objects)
        geometric = self._believed(keys, objects, boxes, room.viewer_pose) if metric and objects else None
        p, source = self.memory.judge(geometric, room.stamp_ns)
        self.probabilities = p
        self.sequence += 1
        return SceneGraph(
            stamp_ns=room.stamp_ns,
            frame_id=room.frame_id,
            sequence=self.sequence,
            sources=room.sources,
            scale=room.scale,
            model_id=self.config.model_id,
            vocabulary=self.config.vocabulary,
            objects=objects,
            relations=self._relations(objects, boxes, p, source, room.viewer, metric),
        )

    def _object(self, track: Track, spread: Array, stamp_ns: int, metric: bool) -> SceneObject:
        label = track.label(self.labels)
        unseen_s = (stamp_ns - track.last_seen_ns) / 1e9
        return SceneObject(
            id=track.id,
            label=label,
            category=self.labels.categories[int(np.argmax(track.belief))],
            hypotheses=self._hypotheses(track),
            center_m=tuple(track.mean[:3].tolist()),
            covariance_m2=tuple(spread.ravel().tolist()),
            yaw_rad=track.yaw,
            size_m=tuple(track.size.tolist()),
            velocity_m_s=tuple(track.mean[3:].tolist()) if metric else UNKNOWN3,
            existence=track.existence,
            sterile=track.sterile,
            last_seen_ns=track.last_seen_ns,
            occluded=unseen_s > self.config.occluded_after_s,
            boxes=tuple(track.boxes.values()),
        )

    def _hypotheses(self, track: Track) -> tuple[Hypothesis, ...]:
        told = (track.belief >= _TELL_ABOVE).nonzero()[0].tolist()
        best = sorted(((float(track.belief[i]), i) for i in told), key=lambda pair: -pair[0])[:_TELL_LABELS]
        return tuple(
            Hypothesis(track.other_label if i == self.labels.other else self.labels.names[i], share)
            for share, i in best
        )

    def _believed(self, keys: list[int], objects: Sequence[SceneObject], boxes: Boxes, pose: Array | None) -> Array:
        """(N, N, 10): what things of these kinds bear out of what their boxes say, where no network speaks of a pair.

        The weight of a network against geometry was fitted with geometry as it is.
        """
        table = self._geometric(keys, boxes, pose)
        unheard = np.isnan(self.memory.heard[..., self.predicates.geometry])
        if not unheard.any():
            return table
        return np.where(unheard, self.trust.believed(table, [o.label for o in objects]), table)

    def _geometric(self, keys: list[int], boxes: Boxes, pose: Array | None) -> Array:
        """(N, N, 10) from the posterior boxes; the directions are NaN while the viewer's place is unknown."""
        viewer = np.eye(3) if pose is None else levelled_viewer(pose)
        table = self.posterior.table(keys, boxes.centers, boxes.covariances, boxes.sizes, boxes.yaws, viewer)
        if pose is None:
            table[..., :4] = np.nan
        return table

    def _relations(
        self,
        objects: Sequence[SceneObject],
        boxes: Boxes,
        p: Array,
        source: NDArray[np.int8],
        viewer: str,
        metric: bool,
    ) -> tuple[SpatialRelation, ...]:
        if not objects:
            return ()
        kept = tell_once(self.memory.holds, objects, self.predicates)
        radius_m = self.config.relation_radius_m if metric else np.inf  # without metres no distance is far
        chosen = choose(kept, p, boxes.centers, self.predicates, radius_m, self.config.max_relations)
        pairs = list({(a, b): None for a, b, _ in chosen})
        lengths = measure(boxes, pairs) if metric else {}
        since_ns = self.memory.since_ns
        return tuple(
            relation(
                objects, at, self.predicates, p[at], source[at], since_ns[at], viewer, lengths.get(at[:2], Measured())
            )
            for at in chosen
        )
