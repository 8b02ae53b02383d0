"""Who answers free questions for query_node: the graph alone today, a language model beside it later."""

from typing import Protocol

from or_spatial.answering.symbolic import answer
from or_spatial.scene import GraphHistory, SceneGraph, SpatialAnswer


class Answerer(Protocol):
    """Anything that answers a question from graphs, or abstains."""

    def answer(self, question: str, camera: str, graph: SceneGraph, history: GraphHistory) -> SpatialAnswer:
        """The answer as seen by `camera` (empty: the graph's own viewer); never raises for an odd question."""
        ...


class SymbolicAnswerer:
    """What the graph alone can answer."""

    def answer(self, question: str, camera: str, graph: SceneGraph, history: GraphHistory) -> SpatialAnswer:
        """See Answerer."""
        return answer(question, graph, history)
