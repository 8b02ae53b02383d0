"""The same frames in several versions, looked at by one model: what each version adds up to, and what it loses."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from or_spatial.evaluation.frames import FrameScores, Look, look_at
from or_spatial.evaluation.metrics.bootstrap import relative_loss
from or_spatial.evaluation.slices import FrameRecord, Times
from or_spatial.inference.bundle import Bundle
from or_spatial.perception.model import ModelPerceiver
from or_spatial.perception.snapshot import bundle_tracker_config
from or_spatial.world.sample import FrameSample

Versions = dict[str, FrameSample]
"""One planned frame by the name of the version."""


def version_records(
    names: Sequence[str], frames: Iterable[Versions], bundle: Bundle, each: Callable[[dict[str, Look]], None]
) -> dict[str, list[FrameRecord]]:
    """The records of all frames by version; `each` gets a frame's looks."""
    perceiver, config = ModelPerceiver(bundle), bundle_tracker_config(bundle)
    scores = {name: FrameScores(bundle.vocabulary) for name in names}
    for versions in frames:
        looks = {name: look_at(sample, perceiver, config) for name, sample in versions.items()}
        for name, look in looks.items():
            scores[name].add(look)
        each(looks)
    return {name: one.records for name, one in scores.items()}


def loss(clean: list[FrameRecord], worse: list[FrameRecord], figure: str) -> Callable[[Times], float]:
    """Share of a figure's macro F1 that is lost from frames to the same frames worse, each drawn so many times."""
    before, after = (np.stack([r.tallies[figure] for r in records]) for records in (clean, worse))

    def lost(times: Times) -> float:
        return relative_loss(np.tensordot(times, before, axes=1), np.tensordot(times, after, axes=1))

    return lost
