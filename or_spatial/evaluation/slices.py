"""Where a model is good and where not: figures by procedure, lens, mount, distance and occlusion, with intervals.

Each look leaves a `FrameRecord`, counts that add up, so that any choice of frames has its figures without looking
again. By distance and occlusion pairs are chosen, not frames: the farther, or the more hidden, of the two things
decides, and relations of invented things, which have neither, are left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from or_spatial.evaluation.metrics.bootstrap import interval, macro_f1, relative_loss, weighted_quantile
from or_spatial.evaluation.metrics.matching import Match
from or_spatial.evaluation.metrics.relations import RelationAccumulator
from or_spatial.scene.graph import SceneGraph
from or_spatial.world.sample import FrameSample
from or_spatial.world.splits import TEST_ONLY_PROCEDURE

FIGURES = ("action", "geometric", "strict")
_DISTANCE_M = (2.5, 4.0)
_OCCLUSION = (0.1, 0.4)
_LENS_DEG = (72.0, 84.0)
_STEEP_DEG, _LEVEL_M = 50.0, 1.6

Times = NDArray[np.int64]


@dataclass(frozen=True)
class FrameRecord:
    """What one look adds up to: `tallies` (classes, 3) by figure, `errors_m` (M,) of matched centres, `depth` (3,) the
    sums of relative error, of pixels within 1.25, and of pixels; `room` names the clip."""

    room: str
    procedure: str
    lens: str
    mount: str
    tallies: dict[str, NDArray[np.int64]]
    errors_m: NDArray[np.float64]
    depth: NDArray[np.float64]


def room_of(sample: FrameSample) -> str:
    """Name of the clip that a frame is from."""
    return f"{sample.split} {sample.seed}"


def lens_of(sample: FrameSample) -> str:
    """Horizontal field of view in three classes, degrees."""
    camera = sample.camera
    return _binned(float(np.degrees(2 * np.arctan(0.5 * camera.width / camera.fx))), _LENS_DEG, "°")


def mount_of(sample: FrameSample) -> str:
    """How a camera hangs: steep (looking more than 50 degrees down), level (below 1.6 m), else oblique."""
    pose = sample.room_from_camera
    if np.degrees(np.arcsin(-pose[2, 2])) > _STEEP_DEG:
        return "steep"
    return "level" if pose[2, 3] < _LEVEL_M else "oblique"


class PairSlices:
    """Relation figures by a number that each true object has, the larger one of a pair deciding."""

    def __init__(self, limits: Sequence[float], unit: str, fresh: Callable[[], RelationAccumulator]) -> None:
        self._limits, self._unit = limits, unit
        self.bins = {name: fresh() for name in _names(limits, unit)}

    def add(self, truth: SceneGraph, predicted: SceneGraph, match: Match, value: dict[str, float]) -> None:
        """Count one frame; `value` by true id, of all its objects."""
        larger = {(a, b): max(value[a], value[b]) for a in value for b in value}
        bin_of = {pair: _binned(number, self._limits, self._unit) for pair, number in larger.items()}
        for name, scores in self.bins.items():

            def inside(a: str, b: str, name: str = name) -> bool:
                return bin_of[a, b] == name

            scores.add(truth, predicted, match, inside)

    def figures(self) -> dict[str, Any]:
        """Action and geometric macro F1 of each bin, with the number of true relations behind them."""
        return {name: self._of(scores) for name, scores in self.bins.items()}

    @staticmethod
    def _of(scores: RelationAccumulator) -> dict[str, Any]:
        tallies = scores.tallies()
        counts = {f"{f}_relations": int(tallies[f][: _said(f, tallies), ::2].sum()) for f in ("action", "geometric")}
        return {f"{f}_macro_f1": macro_f1(tallies[f]) for f in ("action", "geometric")} | counts


def _said(figure: str, tallies: dict[str, NDArray[np.int64]]) -> int:
    """Rows of a figure's tallies that stand for relations: the last of the actions is `none`."""
    return len(tallies[figure]) - (figure == "action")


def pair_slices(fresh: Callable[[], RelationAccumulator]) -> dict[str, PairSlices]:
    """Empty slices by distance from the camera (m) and by occlusion (share of a thing that is hidden)."""
    return {"distance": PairSlices(_DISTANCE_M, " m", fresh), "occlusion": PairSlices(_OCCLUSION, "", fresh)}


def pair_values(sample: FrameSample) -> dict[str, dict[str, float]]:
    """By slice and true id, the number that decides: distance of the centre from the camera, share that is hidden."""
    eye = sample.room_from_camera[:3, 3]
    hidden = {v.object_id: v.occlusion for v in sample.views}
    ids = [o.id for o in sample.graph.objects]
    return {
        "distance": {o.id: float(np.linalg.norm(np.subtract(o.center_m, eye))) for o in sample.graph.objects},
        "occlusion": {id: hidden.get(id, 0.0) for id in ids},
    }


def frame_slices(records: Sequence[FrameRecord]) -> dict[str, Any]:
    """Figures of the frames of each procedure, lens and mount."""
    found: dict[str, Any] = {}
    for by in ("procedure", "lens", "mount"):
        names = sorted({getattr(r, by) for r in records})
        found[by] = {name: _figures([r for r in records if getattr(r, by) == name]) for name in names}
    return found


def _figures(records: Sequence[FrameRecord]) -> dict[str, Any]:
    return {"frames": len(records)} | headline(records)


def headline(records: Sequence[FrameRecord]) -> dict[str, float]:
    """The headline figures of a choice of records, by the last part of their key."""
    return {key.split(".")[1]: figure(records)(once(records)) for key, figure in HEADLINES.items()}


def once(records: Sequence[FrameRecord]) -> Times:
    """The records as they are: each counted one time."""
    return np.ones(len(records), np.int64)


def intervals(records: Sequence[FrameRecord]) -> dict[str, tuple[float, float]]:
    """95 % intervals of the headline figures by their dotted key, rooms drawn again."""
    rooms = [r.room for r in records]
    return {key: interval(figure(records), rooms) for key, figure in HEADLINES.items()}


def _relation_figure(name: str) -> Callable[[Sequence[FrameRecord]], Callable[[Times], float]]:
    def of(records: Sequence[FrameRecord]) -> Callable[[Times], float]:
        stacked = np.stack([r.tallies[name] for r in records])
        return lambda times: macro_f1(np.tensordot(times, stacked, axes=1))

    return of


def _error_figure(level: float) -> Callable[[Sequence[FrameRecord]], Callable[[Times], float]]:
    def of(records: Sequence[FrameRecord]) -> Callable[[Times], float]:
        errors = np.concatenate([r.errors_m for r in records])
        counts = [len(r.errors_m) for r in records]
        return lambda times: weighted_quantile(errors, np.repeat(times, counts), level)

    return of


def _depth_figure(part: int) -> Callable[[Sequence[FrameRecord]], Callable[[Times], float]]:
    def of(records: Sequence[FrameRecord]) -> Callable[[Times], float]:
        sums = np.stack([r.depth for r in records])

        def figure(times: Times) -> float:
            total = times @ sums
            return float(total[part] / total[2]) if total[2] else float("nan")

        return figure

    return of


HEADLINES = {
    **{f"relations.{name}_macro_f1": _relation_figure(name) for name in FIGURES},
    "objects.center_error_median_m": _error_figure(0.5),
    "objects.center_error_p90_m": _error_figure(0.9),
    "depth.abs_rel": _depth_figure(0),
    "depth.delta1": _depth_figure(1),
}
"""Figures of a choice of records, by the key they have in `or_spatial evaluate`: `HEADLINES[key](records)(times)`."""


def generalisation(records: Sequence[FrameRecord]) -> dict[str, Any]:
    """What the procedure that training never saw costs: `procedure_loss` is 1 - F1 there / F1 elsewhere, of the strict
    figure, over the classes that the truth holds in both, with its 95 % interval; NaN where one of the two is missing.
    """
    rooms = [r.room for r in records]
    unseen = np.array([r.procedure == TEST_ONLY_PROCEDURE for r in records], dtype=bool)
    losses = {name: _loss(records, unseen, name) for name in FIGURES}
    low, high = interval(losses["strict"], rooms)
    return {
        "procedure_loss": losses["strict"](once(records)),
        "procedure_loss_low": low,
        "procedure_loss_high": high,
        "by_figure": {name: loss(once(records)) for name, loss in losses.items()},
        "frames_unseen": int(unseen.sum()),
    }


def _loss(records: Sequence[FrameRecord], unseen: NDArray[np.bool_], name: str) -> Callable[[Times], float]:
    stacked = np.stack([r.tallies[name] for r in records])

    def loss(times: Times) -> float:
        elsewhere, there = (np.tensordot(times * which, stacked, axes=1) for which in (~unseen, unseen))
        return relative_loss(elsewhere, there)

    return loss


def _names(limits: Sequence[float], unit: str) -> list[str]:
    """Names of the bins that limits (rising) cut numbers into."""
    between = [f"{a:g} to {b:g}{unit}" for a, b in zip(limits, limits[1:], strict=False)]
    return [f"below {limits[0]:g}{unit}", *between, f"{limits[-1]:g}{unit} and more"]


def _binned(value: float, limits: Sequence[float], unit: str) -> str:
    """Name of the bin that a number is in."""
    return _names(limits, unit)[int(np.searchsorted(limits, value, side="right"))]
