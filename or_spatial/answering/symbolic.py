"""Answers from the graph alone: a small grammar, the graph's own relations, and the posterior geometry of its boxes.

No picture and no language model is asked. What the graph does not hold is not guessed: the answer abstains and says
why (an unknown name with the closest known one, a graph that is not metric, a probability near one half).
Whether the graph is too old is the caller's business, who knows the time.
"""

import math

from or_spatial.answering.grammar import parse
from or_spatial.answering.replies import CannotTell, Reply, reply
from or_spatial.errors import VocabularyError
from or_spatial.scene.answers import SpatialAnswer
from or_spatial.scene.graph import SceneGraph
from or_spatial.scene.history import GraphHistory

MODEL_ID = "symbolic"
EXAMPLES: tuple[str, ...] = (
    "how many people are there",
    "where is the C-arm",
    "who is holding the drill",
    "what is left of the operating table",
    "how far is the robot from the patient",
    "is anyone touching the instrument table",
    "what is the surgeon doing",
    "who is closest to the robot",
    "where was the C-arm 5 seconds ago",
    "what has changed in the last 10 minutes",
)
"""One question of each important form; every one is understood."""


def answer(question: str, graph: SceneGraph, history: GraphHistory | None = None) -> SpatialAnswer:
    """Answer a question in English about `graph`, or abstain with the reason in `answer`.

    The confidence is the graph's: the least probable of the relations that an answer lists, the probability that all
    candidates fail for a "no", NaN where the graph states none (actions that it does not list). `history` is needed
    for questions about the past only. Never raises for any text.
    """
    query = parse(question)
    if query is None:
        return _abstain(question, graph, f'I do not understand this question; ask me such as "{_example(question)}"')
    try:
        return _stamped(question, graph, reply(query, graph, history))
    except (CannotTell, VocabularyError) as reason:
        return _abstain(question, graph, str(reason))


def _stamped(question: str, graph: SceneGraph, found: Reply) -> SpatialAnswer:
    source = found.graph or graph
    notes = f" ({'; '.join(found.notes)})" if found.notes else ""
    confidence = found.confidence if math.isnan(found.confidence) else min(1.0, max(0.0, found.confidence))
    return SpatialAnswer(
        question=question,
        answer=f"{_sentence(found.text)}{notes}.",
        stamp_ns=source.stamp_ns,
        frame_id=source.frame_id,
        confidence=confidence,
        object_ids=tuple(o.id for o in found.objects),
        evidence=found.evidence,
        quantity=found.quantity,
        unit=found.unit,
        model_id=MODEL_ID,
    )


def _sentence(text: str) -> str:
    """A capital at the start, unless it starts with the id of an object, which stays as it is."""
    first = text.split(" ", 1)[0]
    return text if "_" in first or any(c.isdigit() for c in first) else text[:1].upper() + text[1:]


def _abstain(question: str, graph: SceneGraph, reason: str) -> SpatialAnswer:
    return SpatialAnswer(
        question=question,
        answer=f"{_sentence(reason)}.",
        stamp_ns=graph.stamp_ns,
        frame_id=graph.frame_id,
        abstained=True,
        model_id=MODEL_ID,
    )


def _example(question: str) -> str:
    """The example that shares most words with the question."""
    said = set(question.lower().split())
    return max(EXAMPLES, key=lambda e: len(said & set(e.lower().split())))
