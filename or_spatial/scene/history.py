"""Graphs in order of time, bounded: the last ones all, older ones more and more sparsely, with look-up by stamp."""

import bisect
from collections.abc import Iterator

from or_spatial.scene.graph import SceneGraph

_NS = 1_000_000_000


class GraphHistory:
    """Keeps the last `capacity` graphs, sorted by stamp, and of what leaves them at most `keyframes`.

    Keyframes are `spacing_s` apart at first. Whenever there are too many, every second one goes and the spacing
    doubles: a day of any length is remembered in bounded memory, evenly, from its beginning.
    """

    def __init__(self, capacity: int = 600, keyframes: int = 0, spacing_s: float = 10.0) -> None:
        if capacity < 1:
            raise ValueError(f"a history keeps at least one graph, got capacity {capacity}")
        if keyframes < 0 or spacing_s <= 0:
            raise ValueError(f"keyframes must be 0 or more and their spacing positive, got {keyframes}, {spacing_s} s")
        self.capacity, self.keyframes, self.first_spacing_s = capacity, keyframes, spacing_s
        self._stamps: list[int] = []
        self._graphs: list[SceneGraph] = []
        self._old = 0  # of these, how many are keyframes; they come first
        self._spacing_ns = round(spacing_s * _NS)

    def __len__(self) -> int:
        return len(self._graphs)

    def __iter__(self) -> Iterator[SceneGraph]:
        return iter(self._graphs)

    @property
    def newest(self) -> SceneGraph | None:
        """The graph with the latest stamp, or None while empty."""
        return self._graphs[-1] if self._graphs else None

    @property
    def spacing_s(self) -> float:
        """How far apart keyframes are at present."""
        return self._spacing_ns / _NS

    def add(self, graph: SceneGraph) -> None:
        """Insert by stamp; a graph of the same stamp replaces the older one. What is older than a keyframe is lost."""
        at = bisect.bisect_left(self._stamps, graph.stamp_ns)
        if at < len(self._stamps) and self._stamps[at] == graph.stamp_ns:
            self._graphs[at] = graph
            return
        if at < self._old:
            return
        self._stamps.insert(at, graph.stamp_ns)
        self._graphs.insert(at, graph)
        if len(self._graphs) - self._old > self.capacity:
            self._retire()

    def _retire(self) -> None:
        """The oldest of the dense ones becomes a keyframe, if it is far enough from the last, or goes."""
        if self.keyframes and (
            self._old == 0 or self._stamps[self._old] - self._stamps[self._old - 1] >= self._spacing_ns
        ):
            self._old += 1
        else:
            del self._stamps[self._old], self._graphs[self._old]
        if self._old > self.keyframes:
            del self._stamps[1 : self._old : 2], self._graphs[1 : self._old : 2]
            self._old = (self._old + 1) // 2
            self._spacing_ns *= 2

    def nearest(self, stamp_ns: int, within_ns: int | None = None) -> SceneGraph | None:
        """The graph nearest in time (the earlier one of a tie), or None when none lies within `within_ns`."""
        if not self._graphs:
            return None
        at = bisect.bisect_left(self._stamps, stamp_ns)
        around = [i for i in (at - 1, at) if 0 <= i < len(self._stamps)]
        best = min(around, key=lambda i: abs(self._stamps[i] - stamp_ns))
        if within_ns is not None and abs(self._stamps[best] - stamp_ns) > within_ns:
            return None
        return self._graphs[best]

    def between(self, start_ns: int, end_ns: int) -> list[SceneGraph]:
        """All graphs with start_ns <= stamp <= end_ns, oldest first."""
        return self._graphs[bisect.bisect_left(self._stamps, start_ns) : bisect.bisect_right(self._stamps, end_ns)]

    def clear(self) -> None:
        """Forget everything, as after a jump back in time."""
        self._stamps.clear()
        self._graphs.clear()
        self._old, self._spacing_ns = 0, round(self.first_spacing_s * _NS)
