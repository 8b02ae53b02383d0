"""Scores on single frames of a split: what one look of one camera is worth."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from or_spatial.evaluation.clips import frame_of
from or_spatial.evaluation.frame_calibration import Stated
from or_spatial.evaluation.metrics import (
    DepthAccumulator,
    ObjectAccumulator,
    RelationAccumulator,
    match_objects,
)
from or_spatial.evaluation.slices import (
    FrameRecord,
    frame_slices,
    generalisation,
    intervals,
    lens_of,
    mount_of,
    pair_slices,
    pair_values,
    room_of,
)
from or_spatial.perception.perceiver import Frame, Perceiver, Perception
from or_spatial.perception.relations_fusion import Predicates
from or_spatial.perception.snapshot import Snapshot, snapshot
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.vocabulary import load_vocabulary
from or_spatial.world.sample import FrameSample


@dataclass(frozen=True)
class Look:
    """One frame with what was made of it."""

    sample: FrameSample
    perception: Perception
    snapshot: Snapshot

    @property
    def graph(self) -> SceneGraph:
        """The graph that was made of it."""
        return self.snapshot.graph


class FrameScores:
    """Adds up looks, and keeps of each what any choice of them needs."""

    def __init__(self, vocabulary: str = "or_world") -> None:
        self._words = load_vocabulary(vocabulary)
        self.relations = self._fresh()
        self.objects = ObjectAccumulator()
        self.depth = DepthAccumulator()
        self.records: list[FrameRecord] = []
        self.stated = Stated(Predicates(self._words.actions).keys)
        self.pairs = pair_slices(self._fresh)

    def _fresh(self) -> RelationAccumulator:
        return RelationAccumulator(self._words.actions, self._words.geometric)

    def add(self, look: Look) -> FrameRecord:
        """Count one look, and return what it added."""
        truth, graph = look.sample.graph, look.graph
        match = match_objects(truth, graph)
        relations, depth = self.relations.tallies(), self.depth.sums
        self.relations.add(truth, graph, match)
        errors_m = self.objects.add(truth, graph, match)
        self.stated.add(truth, look.snapshot, match)
        values = pair_values(look.sample)
        for name, pairs in self.pairs.items():
            pairs.add(truth, graph, match, values[name])
        if (fine := look.perception.fine_depth_m) is not None:
            self.depth.add(enlarged(fine, look.sample.depth_m.shape), look.sample.depth_m)
        record = FrameRecord(
            room=room_of(look.sample),
            procedure=look.sample.procedure,
            lens=lens_of(look.sample),
            mount=mount_of(look.sample),
            tallies={name: now - relations[name] for name, now in self.relations.tallies().items()},
            errors_m=errors_m,
            depth=self.depth.sums - depth,
        )
        self.records.append(record)
        return record

    def figures(self) -> dict:
        """Nested figures under the keys of the README's table."""
        relations, objects = self.relations.result(), self.objects.result()
        return {
            "relations": relations.to_dict(),
            "objects": objects.to_dict(),
            "depth": self.depth.result().to_dict(),
            "calibration": self.stated.figures(self.objects.offsets_m, self.objects.covariances_m2),
            "generalisation": generalisation(self.records),
            "intervals": intervals(self.records),
            "slices": frame_slices(self.records) | {name: pairs.figures() for name, pairs in self.pairs.items()},
        }


def look_at(sample: FrameSample, perceiver: Perceiver, config: TrackerConfig) -> Look:
    """Perceive one sample alone."""
    frame, perception = perceived(sample, perceiver)
    return Look(sample, perception, snapshot(frame, perception, config))


def perceived(sample: FrameSample, perceiver: Perceiver) -> tuple[Frame, Perception]:
    """A sample as a camera's frame, and what the perceiver makes of it."""
    frame = frame_of(sample, max(int(sample.time_s * 1e9), 1))  # a stamp of 0 means none
    (perception,) = perceiver.perceive([frame])
    return frame, perception


def enlarged(depth_m: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """A depth map at another size, bilinear: its cells are centred between the pixels they stand for."""
    return cv2.resize(depth_m, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
