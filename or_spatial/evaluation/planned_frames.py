"""The frames that a split's plan names, drawn in parallel: what every look at single frames begins with."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from or_spatial.world.plan import PlannedFrame, sample_plan
from or_spatial.world.sample import FrameSample
from or_spatial.world.samples import render_planned

_CHUNK = 8  # frames; those of one room stand together in the plan and share its building

T = TypeVar("T")


def planned_frames(
    split: str, frames: int, draw: Callable[[list[PlannedFrame]], list[T]], seed: int = 0, workers: int = 2
) -> Iterator[T]:
    """What `draw` makes of each planned frame, in the plan's order; it runs in other processes, some frames a call."""
    plan = sample_plan(split, frames, seed=seed)
    with ProcessPoolExecutor(workers) as pool:
        for chunk in pool.map(draw, [plan[i : i + _CHUNK] for i in range(0, len(plan), _CHUNK)]):
            yield from chunk


def as_planned(plan: list[PlannedFrame], size: tuple[int, int] = (448, 256)) -> list[FrameSample]:
    """The frames as they are, (width, height) px: for `draw`."""
    return list(render_planned(plan, *size))
