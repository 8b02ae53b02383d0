"""The last graphs in order of time, bounded, with look-up by nearest stamp."""

import bisect
from collections.abc import Iterator

from or_spatial.scene.graph import SceneGraph


class GraphHistory:
    """Keeps at most `capacity` graphs, sorted by stamp; the oldest go first."""

    def __init__(self, capacity: int = 600) -> None:
        if capacity < 1:
            raise ValueError(f"a history keeps at least one graph, got capacity {capacity}")
        self.capacity = capacity
        self._stamps: list[int] = []
        self._graphs: list[SceneGraph] = []

    def __len__(self) -> int:
        return len(self._graphs)

    def __iter__(self) -> Iterator[SceneGraph]:
        return iter(self._graphs)

    @property
    def newest(self) -> SceneGraph | None:
        """The graph with the latest stamp, or None while empty."""
        return self._graphs[-1] if self._graphs else None

    def add(self, graph: SceneGraph) -> None:
        """Insert by stamp; a graph of the same stamp replaces the older one."""
        at = bisect.bisect_left(self._stamps, graph.stamp_ns)
        if at < len(self._stamps) and self._stamps[at] == graph.stamp_ns:
            self._graphs[at] = graph
            return
        self._stamps.insert(at, graph.stamp_ns)
        self._graphs.insert(at, graph)
        if len(self._graphs) > self.capacity:
            del self._stamps[0], self._graphs[0]

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
