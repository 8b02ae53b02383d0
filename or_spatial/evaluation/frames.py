"""Scores on single frames of a split: what one look of one camera is worth."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from or_spatial.evaluation.clips import frame_of
from or_spatial.evaluation.metrics import (
    DepthAccumulator,
    ObjectAccumulator,
    RelationAccumulator,
    ellipsoid_coverage,
    match_objects,
)
from or_spatial.perception.perceiver import Perceiver, Perception
from or_spatial.perception.snapshot import snapshot
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.vocabulary import load_vocabulary
from or_spatial.world.sample import FrameSample


@dataclass(frozen=True)
class Look:
    """One frame with what was made of it."""

    sample: FrameSample
    perception: Perception
    graph: SceneGraph


class FrameScores:
    """Adds up looks."""

    def __init__(self, vocabulary: str = "or_world") -> None:
        words = load_vocabulary(vocabulary)
        self.relations = RelationAccumulator(words.actions, words.geometric)
        self.objects = ObjectAccumulator()
        self.depth = DepthAccumulator()
        self.mean_depth = DepthAccumulator()

    def add(self, look: Look) -> None:
        """Count one look."""
        match = match_objects(look.sample.graph, look.graph)
        self.relations.add(look.sample.graph, look.graph, match)
        self.objects.add(look.sample.graph, look.graph, match)
        if look.perception.depth_m is not None:
            self.depth.add(enlarged(look.perception.depth_m, look.sample.depth_m.shape), look.sample.depth_m)

    def figures(self) -> dict:
        """Nested figures under the keys of the README's table."""
        relations, objects = self.relations.result(), self.objects.result()
        coverage = {
            str(level): ellipsoid_coverage(self.objects.offsets_m, self.objects.covariances_m2, level)
            for level in (0.5, 0.95)
        }
        return {
            "relations": relations.to_dict(),
            "objects": {**objects.to_dict(), "ellipsoid_coverage": coverage},
            "depth": self.depth.result().to_dict(),
        }


def look_at_frames(
    samples: Iterable[FrameSample], perceiver: Perceiver, config: TrackerConfig, each: Callable[[Look], None]
) -> None:
    """Perceive each sample alone and hand over what came of it."""
    for sample in samples:
        frame = frame_of(sample, max(int(sample.time_s * 1e9), 1))
        (perception,) = perceiver.perceive([frame])
        each(Look(sample, perception, snapshot(frame, perception, config)))


def enlarged(depth_m: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """A depth map at another size, bilinear: its cells are centred between the pixels they stand for."""
    return cv2.resize(depth_m, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
