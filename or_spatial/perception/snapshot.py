"""One frame's perception as a scene graph, by the same tracker that runs live, with nothing held back.

Evaluation on single frames asks for every relation ("on request"); the live graph is limited to about 120.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from or_spatial.inference.bundle import Bundle
from or_spatial.perception.model import tracker_settings
from or_spatial.perception.perceiver import Frame, Perception
from or_spatial.perception.tracker import SceneTracker
from or_spatial.perception.tracker_config import TrackerConfig
from or_spatial.scene.graph import SceneGraph


def bundle_tracker_config(bundle: Bundle, **changes) -> TrackerConfig:
    """The tracker's settings that belong to a bundle: its vocabulary, its name, its weight against geometry."""
    config = TrackerConfig(vocabulary=bundle.vocabulary, model_id=bundle.model_id, **tracker_settings(bundle))
    return replace(config, **changes)


@dataclass(frozen=True)
class Snapshot:
    """The graph of one look, and the probabilities (N, N, P) of `predicates` (`Family.key`) between its N objects
    behind it."""

    graph: SceneGraph
    predicates: tuple[str, ...]
    probabilities: NDArray[np.float64]


def snapshot(frame: Frame, perception: Perception, config: TrackerConfig) -> Snapshot:
    """What one frame alone tells: every detection is an object at once, every relation is told."""
    once = replace(
        config,
        cameras=(frame.name,),
        viewer=frame.name,
        health=None,
        confirm_existence=0.0,
        show_existence=0.0,
        relation_radius_m=20.0,
        floor_error_m=0.0,  # one look states its own doubt in full,
        first_doubt=0.0,  # and is as sure of what is there as the perceiver
        max_relations=100_000,
    )
    tracker = SceneTracker(once)
    graph = tracker.update([frame], [perception], frame.stamp_ns)
    return Snapshot(graph, tracker.writer.predicates.keys, tracker.writer.probabilities)
