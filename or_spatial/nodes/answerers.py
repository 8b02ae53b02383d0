"""Who answers free questions for query_node: the graph alone today, a language model beside it later."""

from typing import Protocol

from or_spatial.answering.grammar import parse
from or_spatial.answering.symbolic import answer
from or_spatial.scene import GraphHistory, SceneGraph, SpatialAnswer


class Answerer(Protocol):
    """Anything that answers a question from graphs, or abstains."""

    def understands(self, question: str) -> bool:
        """Whether the question has a form that can be answered at all."""
        ...

    def answer(self, question: str, graph: SceneGraph, history: GraphHistory) -> SpatialAnswer:
        """The answer about `graph`, whose relations say whose left is meant; never raises for an odd question."""
        ...


class SymbolicAnswerer:
    """What the graph alone can answer."""

    def understands(self, question: str) -> bool:
        """See Answerer."""
        return parse(question) is not None

    def answer(self, question: str, graph: SceneGraph, history: GraphHistory) -> SpatialAnswer:
        """See Answerer."""
        return answer(question, graph, history)
