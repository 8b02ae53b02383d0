"""Walking through the room: ways around furniture and people, and how fast somebody goes along them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, map_coordinates
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from or_spatial.world.layout import Place

_CELL_M = 0.12
_BODY_M = 0.27  # half of a shoulder width with gown
STERILE_CLEARANCE_M = 0.70  # of an unscrubbed person's surface from sterile things; the rule is 0.30 (S1-S4)
_BLOCKED = 60.0


@dataclass(frozen=True)
class Way:
    """A walked curve: `times_s` (N,) from 0, `points` (N, 2) m, `yaws` (N,) unwrapped."""

    times_s: NDArray[np.float64]
    points: NDArray[np.float64]
    yaws: NDArray[np.float64]

    @property
    def duration_s(self) -> float:
        """Seconds from first to last point."""
        return float(self.times_s[-1])


class FloorPlan:
    """The floor as a cost grid; ways are shortest paths over it, then smoothed.

    `places` block everybody; `sterile` ones hold unscrubbed people off.
    """

    def __init__(self, width_m: float, depth_m: float, places: list[Place], sterile: list[Place]) -> None:
        self.half = np.array([width_m, depth_m]) / 2
        self.shape = tuple(int(n) for n in np.ceil(2 * self.half / _CELL_M).astype(int) + 1)
        xs, ys = (np.linspace(-h, h, n) for h, n in zip(self.half, self.shape, strict=True))
        self.cells = np.stack(np.meshgrid(xs, ys, indexing="ij"), -1)
        wall = (self.half - np.abs(self.cells)).min(-1)
        solid = np.minimum(np.min([p.distance(self.cells) for p in places], axis=0), wall)
        off_sterile = np.min([p.distance(self.cells) for p in sterile], axis=0) if sterile else np.full(self.shape, 9.0)
        self._cost = {True: _cost(solid, np.full(self.shape, 9.0)), False: _cost(solid, off_sterile)}

    def way(
        self,
        start: tuple[float, float, float],
        goal: tuple[float, float, float],
        *,
        scrubbed: bool,
        speed_m_s: float,
        people: list[tuple[float, float]] = (),
        machines: list[Place] = (),
        hold_yaw: bool = False,
    ) -> Way:
        """Walk from (x, y, yaw) to (x, y, yaw); short or `hold_yaw` ways are side steps without turning.

        Whoever walks at one of the `machines` slows down in time, see `_times`.
        """
        a, b = np.array(start[:2]), np.array(goal[:2])
        length = float(np.linalg.norm(b - a))
        if length < 0.05:
            return _turn(start, goal)
        cost = self._cost[scrubbed]
        for person in people:
            near = np.hypot(*np.moveaxis(self.cells - person, -1, 0)) < 0.55
            cost = np.where(near, cost + 12.0, cost)
        points = a + (b - a) * np.linspace(0, 1, 12)[:, None] if length < 0.4 else self._shortest(a, b, cost)
        points = _smooth(points, cost, self)
        times = _times(points, speed_m_s, machines)
        return _headed(points, times, start[2], goal[2], hold_yaw or length < 0.5)

    def cost_at(self, points: NDArray[np.float64], cost: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cost (N,) under points (N, 2)."""
        at = (points + self.half) / (2 * self.half) * (np.array(self.shape) - 1)
        return map_coordinates(cost, at.T, order=1, mode="nearest")

    def _index(self, point: NDArray[np.float64]) -> int:
        at = np.clip(np.round((point + self.half) / (2 * self.half) * (np.array(self.shape) - 1)), 0, None).astype(int)
        i, j = np.minimum(at, np.array(self.shape) - 1)
        return int(i * self.shape[1] + j)

    def _shortest(self, a: NDArray, b: NDArray, cost: NDArray) -> NDArray[np.float64]:
        graph = _grid_graph(cost)
        start, goal = self._index(a), self._index(b)
        _, previous = dijkstra(graph, indices=goal, return_predecessors=True)
        chain, at = [start], start
        while at != goal and previous[at] >= 0:
            at = int(previous[at])
            chain.append(at)
        points = self.cells.reshape(-1, 2)[chain].copy()
        points[0], points[-1] = a, b
        return np.concatenate([[a], points[1:-1], [b]])


def _cost(solid: NDArray, off_sterile: NDArray) -> NDArray[np.float64]:
    cost = 1.0 + 2.5 * np.clip(0.55 - solid, 0, None) / 0.3
    cost = np.where(solid < _BODY_M, _BLOCKED * (1.2 - solid), cost)
    return np.where(off_sterile < STERILE_CLEARANCE_M + _BODY_M, _BLOCKED * (2 - off_sterile), cost)


def _grid_graph(cost: NDArray[np.float64]) -> csr_matrix:
    n, m = cost.shape
    index = np.arange(n * m).reshape(n, m)
    rows, cols, weights = [], [], []
    for di, dj in ((1, 0), (0, 1), (1, 1), (1, -1)):
        a = index[: n - di, max(0, -dj) : m - max(0, dj)]
        b = index[di:, max(0, dj) : m - max(0, -dj)]
        w = 0.5 * (cost.ravel()[a] + cost.ravel()[b]) * _CELL_M * np.hypot(di, dj)
        rows += [a.ravel(), b.ravel()]
        cols += [b.ravel(), a.ravel()]
        weights += [w.ravel(), w.ravel()]
    return csr_matrix((np.concatenate(weights), (np.concatenate(rows), np.concatenate(cols))), shape=(n * m, n * m))


def _smooth(points: NDArray, cost: NDArray, plan: FloorPlan) -> NDArray[np.float64]:
    """Pull the string where the straight line is no dearer, then round the corners."""
    kept, at = [points[0]], 0
    while at < len(points) - 1:
        ahead = len(points) - 1
        while ahead > at + 1:
            straight = _resample(points[[at, ahead]], 0.08)
            along = _resample(points[at : ahead + 1], 0.08)
            if plan.cost_at(straight, cost).sum() <= 1.05 * plan.cost_at(along, cost).sum():
                break
            ahead -= max(1, (ahead - at) // 4)
        at = max(ahead, at + 1)
        kept.append(points[at])
    dense = _resample(np.array(kept), 0.04)
    return np.stack([_rounded(dense[:, k]) for k in range(2)], -1)


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    sigma = min(5.0, len(values) / 8)
    line = np.linspace(values[0], values[-1], len(values))
    return line + gaussian_filter1d(np.pad(values - line, 20), sigma)[20:-20] * _ends(len(values))


def _ends(n: int) -> NDArray[np.float64]:
    """1 inside, falling to 0 at both ends, so that smoothing keeps the end points."""
    k = np.minimum(np.arange(n), np.arange(n)[::-1]) / max(1, min(8, n // 3))
    return np.clip(k, 0, 1)


def _resample(points: NDArray, step_m: float) -> NDArray[np.float64]:
    s = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    t = np.linspace(0, s[-1], max(3, int(np.ceil(s[-1] / step_m)) + 1))
    return np.stack([np.interp(t, s, points[:, k]) for k in range(2)], -1)


def _times(points: NDArray, speed_m_s: float, machines: list[Place]) -> NDArray[np.float64]:
    """Seconds at each point: eases in and out, and slows before a machine in the way.

    Whoever walks at a robot or C-arm at v must not be predicted to come within 0.15 m in 1.5 s, or it is a hazard.
    """
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1) + 1e-9
    s = np.concatenate([[0], np.cumsum(steps)])
    ramp = np.sqrt(np.clip(np.minimum(s, s[-1] - s), 0.01, None) * 2 * 1.2)
    speed = np.minimum(speed_m_s, ramp)
    if machines:
        heading = np.gradient(points, axis=0)
        heading /= np.linalg.norm(heading, axis=1, keepdims=True) + 1e-9
        for machine in machines:
            for ahead in (0.2, 0.4, 0.6, 0.8, 1.0, 1.2):
                gap = machine.distance(points + heading * ahead) - _BODY_M
                closing = machine.distance(points + heading * 0.05) < machine.distance(points)
                speed = np.where(closing & (gap < 0.30), np.minimum(speed, max(0.2, ahead / 1.7 - 0.05)), speed)
    mean = np.maximum(0.5 * (speed[1:] + speed[:-1]), 0.08)
    return np.concatenate([[0], np.cumsum(steps / mean)])


def _headed(points: NDArray, times: NDArray, yaw0: float, yaw1: float, side_step: bool) -> Way:
    fraction = times / times[-1]
    if side_step:
        turn = _wrapped(yaw1 - yaw0)
        return Way(times, points, yaw0 + turn * _ease(fraction))
    d = np.gradient(points, axis=0)
    along = np.unwrap(np.arctan2(d[:, 1], d[:, 0]))
    along = gaussian_filter1d(along, min(6.0, len(along) / 6), mode="nearest")
    along += yaw0 + _wrapped(along[0] - yaw0) - along[0]
    reach = min(0.9, times[-1] * 0.4)
    start, end = _ease(np.clip(times / reach, 0, 1)), _ease(np.clip((times[-1] - times) / reach, 0, 1))
    yaws = yaw0 + (along - yaw0) * start
    last = yaws[-1] + _wrapped(yaw1 - yaws[-1])
    return Way(times, points, last + (yaws - last) * end)


def _turn(start: tuple, goal: tuple) -> Way:
    turn = _wrapped(goal[2] - start[2])
    duration = max(0.2, abs(turn) / 1.8)
    f = np.linspace(0, 1, max(3, int(duration / 0.1)))
    points = np.array(start[:2]) + (np.array(goal[:2]) - start[:2]) * f[:, None]
    return Way(f * duration, points, start[2] + turn * _ease(f))


def _wrapped(angle: float) -> float:
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


def _ease(f: NDArray[np.float64]) -> NDArray[np.float64]:
    return f * f * (3 - 2 * f)
